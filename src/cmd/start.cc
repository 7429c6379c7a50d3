// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/start.h"

#include "base/log.h"
#include "cmd/commands.h"
#include "guest/stop.h"

namespace vs {

namespace {

Status start(const std::string& guest) {
  auto done = start_guest(guest);
  if (!done && done.error().code() == Errc::Busy && is_running(guest)) {
    warn("guest '{}' is already running", guest);
    return {};
  }
  return done;
}

Status stop(const std::string& guest) {
  auto done = stop_guest(guest);
  if (!done && done.error().code() == Errc::NotRunning) {
    warn("guest '{}' is not running", guest);
    return {};
  }
  return done;
}

Status restart(const std::string& guest) {
  VS_TRY(stop(guest));
  return start(guest);
}

Status restart_running(const std::string& guest) {
  if (!is_running(guest)) return {};
  return restart(guest);
}

Result<int> run_init(const Parsed& args) {
  auto const guest = VS_TRY(resolve_guest(args.operands[0]));
  return run_guest(guest, {args.operands.begin() + 1, args.operands.end()});
}

}  // namespace

constexpr Command kStart{
    .name = "start",
    .operands = "GUEST...",
    .summary = "Start guests",
    .min_operands = 1,
    .max_operands = kAnyNumber,
    .run = [](const Parsed& args) { return for_each_guest(args, start); },
    .details = "Returns when the guest's init runs. A guest that runs already is left alone.",
    .program = "vserver",
    .common = kCommonOptions};

constexpr Command kStop{
    .name = "stop",
    .operands = "GUEST...",
    .summary = "Shut guests down: init is asked, then SIGTERM, then SIGKILL",
    .min_operands = 1,
    .max_operands = kAnyNumber,
    .run = [](const Parsed& args) { return for_each_guest(args, stop); },
    .details =
        "Init has as many seconds as the entry apps/vshelper/sync-timeout says (30\n"
        "without it); the other processes have five more. A guest that does not run is\n"
        "left alone.",
    .program = "vserver",
    .common = kCommonOptions};

constexpr Command kRestart{.name = "restart",
                           .operands = "GUEST...",
                           .summary = "Stop and start guests; start those that do not run",
                           .min_operands = 1,
                           .max_operands = kAnyNumber,
                           .run = [](const Parsed& args) { return for_each_guest(args, restart); },
                           .program = "vserver",
                           .common = kCommonOptions};

constexpr Command kCondrestart{
    .name = "condrestart",
    .operands = "GUEST...",
    .summary = "Stop and start guests, but only those that run",
    .min_operands = 1,
    .max_operands = kAnyNumber,
    .run = [](const Parsed& args) { return for_each_guest(args, restart_running); },
    .program = "vserver",
    .common = kCommonOptions};

constexpr Command kRun{
    .name = "run",
    .operands = "GUEST PROGRAM [ARGUMENT]...",
    .summary = "Start a guest with PROGRAM as its init, in the foreground",
    .min_operands = 2,
    .max_operands = kAnyNumber,
    .stop_at_operand = true,
    .run = run_init,
    .details =
        "Ends when PROGRAM ends, with its exit status (128 + N when signal N killed it),\n"
        "and leaves nothing of the run behind.",
    .program = "vserver",
    .common = kCommonOptions};

}  // namespace vs
