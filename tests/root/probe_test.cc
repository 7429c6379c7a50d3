// SPDX-License-Identifier: GPL-2.0-or-later
#include "sys/probe.h"

#include <unistd.h>

#include <cstdlib>
#include <set>

#include <gtest/gtest.h>

#include "sys/cgroup.h"
#include "sys/file.h"

namespace vs {
namespace {

std::set<std::string> cgroups() {
  std::set<std::string> out;
  auto const host = CgroupHost::find();
  if (!host) return out;
  auto const dir = open_path(host->v2(), O_RDONLY | O_DIRECTORY);
  auto const names = list_dir(*dir);
  for (auto const& name : *names) {
    if (name.starts_with("vserver-probe.")) out.insert(name);
  }
  return out;
}

TEST(Probe, WhatEveryGuestNeedsIsHere) {
  ASSERT_EQ(::geteuid(), 0U) << "needs root";
  for (auto const& probe : kernel_probes()) {
    if (probe.need != Need::Required) continue;
    auto const done = probe.run();
    EXPECT_TRUE(done) << probe.name << ": " << (done ? "" : done.error().message());
  }
}

TEST(Probe, LeavesNothingBehind) {
  auto const before = cgroups();
  for (auto const& probe : kernel_probes()) {
    if (auto const done = probe.run(); !done) std::printf("without: %s\n", probe.name.data());
  }
  EXPECT_EQ(cgroups(), before);
}

TEST(Probe, EveryRowSaysWhatIsLost) {
  for (auto const& probe : kernel_probes()) {
    EXPECT_FALSE(probe.since.empty()) << probe.name;
    EXPECT_EQ(probe.lost.empty(), probe.need == Need::Required) << probe.name;
  }
}

TEST(Probe, AFileSystemWithoutIdmappedMountsIsNamed) {
  EXPECT_TRUE(probe_idmapped_mount("/var/tmp"));
  auto const proc = probe_idmapped_mount("/proc");
  ASSERT_FALSE(proc);
  EXPECT_NE(proc.error().message().find("idmapped mount of /proc"), std::string::npos);
}

}  // namespace
}  // namespace vs
