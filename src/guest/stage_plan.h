// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "rootfs/tree_plan.h"
#include "stage/plan.h"
#include "sys/fd.h"
#include "sys/process.h"

namespace vs {

// What vs-stage is told, before it is encoded.
struct StagePlan {
  stage::Header header{};
  std::string root, hostname, domainname, cwd = "/";
  std::vector<TreeOp> ops;
  std::vector<std::string> argv, envp;
  std::vector<stage::Rlimit> limits;
  std::vector<std::uint32_t> groups;     // supplementary, inside
  std::string filter;                    // seccomp instructions
  std::array<int, 3> stdio{-1, -1, -1};  // handed to the helper as 0, 1, 2; -1: our own
};

// The plan as the bytes that vs-stage maps. Pure.
std::string encode(StagePlan plan);

// Descriptors that go with a plan; -1 where there is none.
struct StageFds {
  int cgroup = -1;
  int init = -1;
  int net_ns = -1;
  std::vector<Fd> v1_procs;
  bool new_session = false;
};

// What came back from the helper.
struct StageReports {
  int pid = 0;                  // of init, or of the program
  std::vector<Fd> descriptors;  // console or terminal, then the readiness socket
};

// A running helper and the socket to it.
struct Stage {
  Child child;
  Fd reports;
};

// Starts vs-stage from a sealed copy of itself with this plan.
Result<Stage> run_stage(const StagePlan& plan, const StageFds& fds);

// Reads reports until the program was exec'd (end of file) or the helper failed; calls on_init
// with init's pid as soon as there is one, and lets init go on only if that succeeded.
Result<StageReports> follow_stage(FdRef reports, const std::function<Status(int pid)>& on_init);

}  // namespace vs
