// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "base/result.h"
#include "guest/hooks.h"
#include "guest/state.h"

namespace vs {

// Stops a guest: asks its init to shut down, waits up to the configured time, then SIGTERM to all,
// five seconds, SIGKILL. Ends with nothing of the run left. Errc::NotRunning when it does not run.
Status stop_guest(const std::string& name);

// Takes away what a run left on the host: processes, cgroups, addresses, run files. The caller
// holds the guest's lock.
//   hooks   its postpost-stop scripts run before the cgroups go; null: none do
Status clear_run(const RunDir& run, Hooks* hooks = nullptr);

}  // namespace vs
