// SPDX-License-Identifier: GPL-2.0-or-later
#include "rootfs/tree_plan.h"

#include <algorithm>

#include <gtest/gtest.h>

namespace vs {
namespace {

bool has(const std::vector<TreeOp>& ops, const TreeOp& op) {
  return std::find(ops.begin(), ops.end(), op) != ops.end();
}

TEST(TreePlan, FstabLinesBecomeOperations) {
  TreeConfig config;
  config.base_id = 65536;
  config.fstabs.push_back(
      {"/c/fstab",
       "# comment\nnone /proc proc defaults 0 0\nnone /tmp tmpfs size=16m,mode=1777,nosuid 0 0\n"
       "/srv/my\\040data /data none bind,ro 0 0\n/dev/vdb /mnt ext4 noatime 0 0\nnone /no tmpfs "
       "noauto 0 0\n"});
  auto const ops = plan_tree(config);
  ASSERT_TRUE(ops) << ops.error().message();
  EXPECT_TRUE(has(*ops, {"t?", "/tmp", "size=16m,mode=1777,uid=65536,gid=65536", "s"}));
  EXPECT_TRUE(has(*ops, {"b?", "/data", "/srv/my data", "r"}));
  EXPECT_TRUE(has(*ops, {"f?", "/mnt", "ext4,/dev/vdb,", "ai"}));
  EXPECT_EQ(std::count_if(ops->begin(), ops->end(), [](const TreeOp& op) { return op[0] == "p"; }),
            1);
  EXPECT_FALSE(
      std::any_of(ops->begin(), ops->end(), [](const TreeOp& op) { return op[1] == "/no"; }));
}

TEST(TreePlan, AWrongLineIsNamed) {
  auto const refusal = [](std::string text) {
    TreeConfig config;
    config.fstabs.push_back({"/c/fstab", std::move(text)});
    auto const ops = plan_tree(config);
    return ops ? std::string{} : ops.error().message();
  };
  EXPECT_EQ(refusal("# mine\n\n/srv data none bind 0 0\n"),
            "/c/fstab:3: mount point 'data' is not an absolute path inside the guest");
  EXPECT_EQ(refusal("srv /data none bind 0 0\n"),
            "/c/fstab:1: bind source 'srv' is not an absolute path of the host");
  EXPECT_EQ(refusal("none /tmp\n"), "/c/fstab:1: a line has at least source, mount point and type");
  EXPECT_EQ(refusal("none /tmp tmpfs\n"), "");
}

TEST(TreePlan, WhatWouldShowTheHostIsTheGuestsOwn) {
  TreeConfig config;
  config.fstabs = {{"fstab", "p /srv/proc/ proc ro 0 0\nx //dev/./shm/ tmpfs defaults 0 0\n"}};
  auto const ops = plan_tree(config);
  ASSERT_TRUE(ops) << ops.error().message();
  EXPECT_EQ(ops->back(), (TreeOp{"c?", "/srv/proc", "/proc", "r"}));
  for (const char* type : {"cgroup", "cgroup2", "mqueue", "devtmpfs"}) {
    config.fstabs = {{"fstab", fmt::format("none /srv/x {} defaults 0 0\n", type)}};
    EXPECT_EQ(plan_tree(config).error().code(), Errc::Config) << type;
  }
}

TEST(TreePlan, RemoteFileSystemsComeLast) {
  TreeConfig config;
  config.fstabs = {{"fstab.remote",
                    "10.0.0.9:/x /x nfs addr=10.0.0.9 0 0\n/srv /srv none bind,noatime,dev 0 0\n",
                    true}};
  auto const ops = plan_tree(config);
  ASSERT_TRUE(ops) << ops.error().message();
  EXPECT_EQ(ops->back(), (TreeOp{"f?@", "/x", "nfs,10.0.0.9:/x,addr=10.0.0.9", ""}));
  EXPECT_EQ(*(ops->end() - 2), (TreeOp{"b?", "/srv", "/srv", "aD"}));
}

TEST(TreePlan, OptionsWithoutAMeaningAreRefused) {
  TreeConfig config;
  for (const char* options : {"bind,size=1m", "bind,slave", "move", "rbind,shared"}) {
    config.fstabs = {{"fstab", fmt::format("/srv /srv none {} 0 0\n", options)}};
    auto const ops = plan_tree(config);
    ASSERT_FALSE(ops) << options;
    EXPECT_NE(ops.error().message().find("fstab:1: option '"), std::string::npos);
  }
}

TEST(TreePlan, ClassicGuestsGetReadOnlySysctls) {
  TreeConfig config;
  config.classic = true;
  EXPECT_TRUE(has(*plan_tree(config), {"r", "/proc/sys", "", ""}));
  config.classic = false;
  EXPECT_FALSE(has(*plan_tree(config), {"r", "/proc/sys", "", ""}));
}

}  // namespace
}  // namespace vs
