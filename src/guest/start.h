// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "guest/config.h"
#include "guest/stage_plan.h"
#include "guest/state.h"

namespace vs {

// The whole plan of a start, computed from the configuration without doing anything.
//   limits  of each process
//   init    the guest's first program; empty: the configured one
Result<StagePlan> plan_start(const GuestConfig& config, Xid xid,
                             const std::vector<LimitEntry>& limits,
                             const std::vector<std::string>& init);

// Starts a guest and returns when its init was exec'd; its parent is vs-guard, a new process. A
// guest that runs is left alone, with Errc::Busy.
//   restarts   how many times in a row its end made us start it again
Status start_guest(const std::string& name, unsigned restarts = 0);

// A start for repairs: `command` instead of what the style runs, without cmd.* and run levels.
struct Rescue {
  bool own_init = false;  // the command is process 1; else ours is, and runs it
  std::vector<std::string> command;
};
// Returns when the command runs; does not wait for its end. Fails as start_guest does, and with
// Errc::Usage when a word of the command has a newline.
Status start_rescue(const std::string& name, const Rescue& rescue);

// The same, but the calling process becomes the guard. Returns only when that failed.
Error start_in_place(RunDir run, unsigned restarts);

// Starts a guest with this program as its init, on the caller's own 0, 1 and 2, waits for its end,
// takes everything away again and gives its exit status (128 + signal when killed).
Result<int> run_guest(const std::string& name, const std::vector<std::string>& argv);

}  // namespace vs
