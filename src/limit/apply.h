// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <span>
#include <vector>

#include "base/result.h"
#include "limit/plan.h"
#include "sys/cgroup.h"

namespace vs {

// Writes all of them into the context's cgroup. Fails naming what asked for the knob that the
// kernel refused; with Errc::Unsupported when the host has no such controller. What was written
// before it stays: for a cgroup that goes away on failure.
Status apply_knobs(ContextCgroup& cgroup, std::span<const KnobWrite> writes);

// All of a plan that holds for the context as a whole, before its first process. What the kernel
// cannot do is added to plan.refused.
Status apply_plan(ContextCgroup& cgroup, LimitPlan& plan);

// The same for a guest that runs: all or nothing. Gives the writes that set back what was. A memory
// limit below what is in use is first tried by reclaim; fails with Errc::Busy, and kills nothing,
// when that does not get there.
Result<std::vector<KnobWrite>> change_knobs(ContextCgroup& cgroup,
                                            std::span<const KnobWrite> writes);
// Sets back what change_knobs changed; what fails is warned of.
void restore_knobs(ContextCgroup& cgroup, std::span<const KnobWrite> undo);

// Lowers or raises the limits of these processes; a soft limit of kUnlimited keeps what each
// has, but not above the hard one. Processes that end meanwhile are no error.
//   owner   maker of the guest's user namespace (host id of its root), 0 for none
Status limit_processes(std::span<const int> pids, std::span<const ProcessLimit> limits,
                       std::uint32_t owner);

// The limits that a process has now; empty when it is gone (proc(5), /proc/PID/limits).
std::vector<ProcessLimit> limits_of_process(int pid);

// Writes sysctls of the IPC namespace that a process is in, from a child that joins it.
//   owner   as above
Status apply_ipc(int pid, std::span<const IpcLimit> limits, std::uint32_t owner);

// oom_score_adj of these processes; what they fork inherits it, and a guest cannot lower it.
Status set_oom_score(std::span<const int> pids, int score);

// Stops every process of the guest, or lets them run on (cgroup.freeze, Linux 5.2).
Status set_paused(const ContextCgroup& cgroup, bool paused);

}  // namespace vs
