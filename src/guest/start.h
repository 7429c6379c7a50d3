// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "guest/config.h"
#include "guest/stage_plan.h"

namespace vs {

// The whole plan of a start, computed from the configuration without doing anything.
//   limits  of each process
//   init    the guest's first program; empty: the configured one
Result<StagePlan> plan_start(const GuestConfig& config, Xid xid,
                             const std::vector<LimitEntry>& limits,
                             const std::vector<std::string>& init);

// Starts a guest and returns when its init was exec'd. Its parent is a new vs-guard process.
// A guest that runs is left alone, with Errc::Busy.
Status start_guest(const std::string& name);

// Starts a guest with this program as its init, on the caller's own 0, 1 and 2, waits for its end,
// takes everything away again and gives its exit status (128 + signal when killed).
Result<int> run_guest(const std::string& name, const std::vector<std::string>& argv);

// What vs-guard becomes when init has ended: takes the run away, or starts the guest again when it
// asked for a reboot. `status` is init's wait status, -1 when it is not known.
Status guest_ended(const std::string& name, int status);

}  // namespace vs
