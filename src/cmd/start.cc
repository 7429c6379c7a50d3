// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/start.h"

#include "base/log.h"
#include "cmd/commands.h"
#include "guest/stop.h"

namespace vs {

namespace {

constexpr std::array kStartOptions{
    Option{0, "rescue", "",
           "Run COMMAND instead of what the init style says; /bin/sleep 900 without"},
    Option{0, "rescue-init", "", "With --rescue: COMMAND is process 1"},
    Option{0, "rescue-cmd", "PROGRAM", "Deprecated: COMMAND of one word"},
};
constexpr std::array kStopOptions{
    Option{0, "rescue-init", "", "Interrupt process 1 (SIGINT), whatever the init style says"},
};
static_assert(is_option_table(kStartOptions) && is_option_table(kStopOptions));

Status reached(const std::string& guest, Status done) {
  if (!done && done.error().code() == Errc::Busy && is_running(guest)) {
    warn("guest '{}' is already running", guest);
    return {};
  }
  return done;
}

Status start(const std::string& guest) {
  return reached(guest, start_guest(guest));
}

Result<int> run_start(const Parsed& args) {
  bool const rescue = args.has("rescue") || args.has("rescue-cmd");
  if (args.has("rescue-init") && !rescue)
    return Error::make(Errc::Usage, "--rescue-init goes with --rescue");
  if (!rescue) return for_each_guest(args, start);
  auto const guest = VS_TRY(resolve_guest(args.operands[0]));
  Rescue request{args.has("rescue-init"), {args.operands.begin() + 1, args.operands.end()}};
  if (auto const program = args.get("rescue-cmd"); program && request.command.empty())
    request.command.emplace_back(*program);
  if (request.command.empty()) request.command = {"/bin/sleep", "900"};
  VS_TRY(reached(guest, start_rescue(guest, request)));
  return 0;
}

Status stop(const std::string& guest, bool interrupt = false) {
  auto done = stop_guest(guest, interrupt);
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
    .operands = "GUEST...|--rescue GUEST [--] [COMMAND [ARGUMENT]...]",
    .summary = "Start guests",
    .options = kStartOptions,
    .min_operands = 1,
    .max_operands = kAnyNumber,
    .run = run_start,
    .details =
        "Returns when the guest's init runs. A guest that runs already is left alone.\n\n"
        "With --rescue neither cmd.* nor run levels of the configuration count, the\n"
        "guest is not started again when it has ended, and the start does not wait for\n"
        "COMMAND's end. Write -- in front of a COMMAND with options.",
    .program = "vserver",
    .common = kCommonOptions};

constexpr Command kStop{
    .name = "stop",
    .operands = "GUEST...",
    .summary = "Shut guests down: init is asked, then SIGTERM, then SIGKILL",
    .options = kStopOptions,
    .min_operands = 1,
    .max_operands = kAnyNumber,
    .run =
        [](const Parsed& args) {
          bool const interrupt = args.has("rescue-init");
          return for_each_guest(args,
                                [=](const std::string& guest) { return stop(guest, interrupt); });
        },
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
