// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "guest/hooks.h"
#include "guest/state.h"

namespace vs {

// True when a process 1 handles this signal or holds it back for later: the kernel drops any other
// that is sent to it (pid_namespaces(7)).
//   status   the text of /proc/PID/status
//   wchan    that of /proc/PID/wchan: what sigwait(3) waits for is not shown as blocked meanwhile
bool listens_for(std::string_view status, std::string_view wchan, int signal);

// Stops a guest: asks its init to shut down as soon as that listens, waits up to the configured
// time, then SIGTERM to all, five seconds, SIGKILL. Ends with nothing of the run left.
// Errc::NotRunning when it does not run.
//   interrupt   process 1 gets SIGINT, whatever the style says
Status stop_guest(const std::string& name, bool interrupt = false);

// Takes away what a run left on the host: processes, cgroups, addresses, run files. The caller
// holds the guest's lock.
//   hooks   its postpost-stop scripts run before the cgroups go; null: none do
Status clear_run(const RunDir& run, Hooks* hooks = nullptr);

}  // namespace vs
