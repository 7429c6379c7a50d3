// SPDX-License-Identifier: GPL-2.0-or-later
#include "sys/cgroup.h"

#include <gtest/gtest.h>

namespace vs {
namespace {

TEST(Cgroup, HybridHostIsSeen) {
  auto const host = CgroupHost::parse(
      "30 20 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
      "31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
      "32 30 0:28 / /sys/fs/cgroup/memory rw shared:9 - cgroup cgroup rw,memory\n"
      "33 30 0:29 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n"
      "34 30 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n");
  ASSERT_TRUE(host) << host.error().message();
  EXPECT_FALSE(host->unified());
  EXPECT_EQ(host->v1().size(), 2U);  // the named hierarchy has no controller of ours
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

TEST(Cgroup, NoUnifiedTreeIsRefused) {
  auto const host =
      CgroupHost::parse("31 30 0:27 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\nbroken line\n");
  ASSERT_FALSE(host);
  EXPECT_EQ(host.error().code(), Errc::Unsupported);
}

}  // namespace
}  // namespace vs
