// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "guest/config.h"
#include "guest/state.h"

namespace vs {

// How a guest's init came to its end.
enum class Ending : std::uint8_t {
  Clean,    // exit status 0, power-off or halt
  Reboot,   // reboot(2) from inside
  Failed,   // another status, or killed
  Unknown,  // nobody saw it: the guard was away
};

// From a wait status; -1 when it is not known.
Ending ending_of(int wait_status);
std::string_view describe(Ending ending);
// Whether a guest with this policy is started again.
bool starts_again(RestartPolicy policy, Ending ending);
// Seconds to wait before start number `restarts` in a row: 0, 1, 2, 4, ... 60.
unsigned back_off_s(unsigned restarts);

// What the guard gets besides init; -1 where there is none.
struct GuardFds {
  int console = -1;  // master of the guest's console
  int notify = -1;   // readiness socket
  int listen = -1;   // where console clients connect; made when there is a console but no socket
};

// Becomes vs-guard: parent of init, or its watcher. Returns only on failure.
Status become_guard(const RunDir& run, RunState& state, const GuardFds& fds);

// The status that tells systemd not to try again (sysexits.h: EX_UNAVAILABLE).
constexpr int kStartFailed = 69;

// What vs-guard becomes when init has ended: takes the run away, starts the guest again when its
// policy says so. `status` is init's wait status, -1 when it is not known.
Status guest_ended(const std::string& name, int status);

// What the guard's unit runs: starts the guest when that was asked for; becomes the guard again
// of one that runs; takes away what a run left that ended unseen. Returns when there is nothing
// to guard: exit status 0, or kStartFailed after a start that failed.
Result<int> guard_guest(const std::string& name);

// Puts right what is wrong with a guest's run: brings its guard back, clears what a dead run left.
// Says what was done; empty when nothing was wrong.
Result<std::vector<std::string>> repair_guest(const std::string& name);
// Names of all guests that something is known of at run time.
Result<std::vector<std::string>> known_runs();

}  // namespace vs
