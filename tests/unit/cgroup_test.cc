// SPDX-License-Identifier: GPL-2.0-or-later
#include "sys/cgroup.h"

#include <cstdlib>

#include <gtest/gtest.h>

#include "sys/systemd.h"

namespace vs {
namespace {

// The caller's may be another.
[[maybe_unused]] const int kUsualSlice = ::unsetenv("VSERVER_SLICE");

TEST(Cgroup, HybridHostIsSeen) {
  auto const host = CgroupHost::parse(
      "30 20 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
      "31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
      "32 30 0:28 / /sys/fs/cgroup/memory rw shared:9 - cgroup cgroup rw,memory\n"
      "33 30 0:29 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n"
      "34 30 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n");
  ASSERT_TRUE(host) << host.error().message();
  EXPECT_FALSE(host->unified());
  EXPECT_EQ(host->v1().size(), 3U);  // a context is in all of them
  EXPECT_EQ(host->v1()[2].controllers, std::vector<std::string>{"name=systemd"});
  EXPECT_EQ(host->mount_of("cpuacct"), "/sys/fs/cgroup/cpu,cpuacct");
  EXPECT_EQ(host->mount_of("pids"), "/sys/fs/cgroup/unified");
  EXPECT_TRUE(host->is_v1("memory"));
}

TEST(Cgroup, UnifiedHostIsSeen) {
  auto const host =
      CgroupHost::parse("30 20 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n");
  ASSERT_TRUE(host);
  EXPECT_TRUE(host->unified());
}

TEST(Cgroup, ANamedHierarchyLeavesAHostUnified) {
  auto const host = CgroupHost::parse(
      "30 20 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
      "31 20 0:27 / /mnt rw - cgroup cgroup rw,xattr,release_agent=/x,name=systemd\n");
  ASSERT_TRUE(host);
  EXPECT_TRUE(host->unified());
  EXPECT_EQ(host->v1().size(), 1U);
}

TEST(Cgroup, NoUnifiedTreeIsRefused) {
  auto const host =
      CgroupHost::parse("31 30 0:27 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\nbroken line\n");
  ASSERT_FALSE(host);
  EXPECT_EQ(host.error().code(), Errc::Unsupported);
}

TEST(Cgroup, ThePathOfAProcessNamesItsGuest) {
  EXPECT_EQ(guest_of_cgroup("/vserver.slice/web1/guest"), "web1");
  EXPECT_EQ(guest_of_cgroup("/vserver.slice/web1/guest/init.scope"), "web1");
  EXPECT_EQ(guest_of_cgroup("/vserver.slice/vserver-a\\x2bb-c.scope/context/guest"), "a+b-c");
  for (auto const* path :
       {"/", "/vserver.slice", "/vserver.slice/web1", "/vserver.slice/web1/guard",
        "/vserver.slice/vserver-guard@web1.service", "/user.slice/web1/guest",
        "/vserver.slice/vserver-web1.scope", "/vserver.slice/x/context/guest", ""})
    EXPECT_EQ(guest_of_cgroup(path), "") << path;
}

TEST(Systemd, NamesOfUnitsComeBack) {
  for (auto const* name : {"web1", "a+b-c", "x.y_z", "++"})
    EXPECT_EQ(unescape_unit(escape_unit(name)), name);
  EXPECT_EQ(escape_unit("a+b-c"), "a\\x2bb-c");
  EXPECT_EQ(unescape_unit("\\x2"), "\\x2");
  EXPECT_EQ(unescape_unit("\\xzz"), "\\xzz");
}

}  // namespace
}  // namespace vs
