// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <csignal>

#include "base/log.h"
#include "base/text.h"
#include "cmd/chain.h"
#include "cmd/commands.h"
#include "guest/status.h"
#include "sys/process.h"

namespace vs {

namespace {

constexpr std::array kOptions{
    Option{'c', "xid", "GUEST", "The context: a guest's name or id, or :NAME"},
    Option{'s', "signal", "SIGNAL", "The signal, a number or a name such as HUP; TERM without it"},
};
static_assert(is_option_table(kOptions));

// The names that the original knows, at their numbers.
constexpr std::array<std::string_view, 29> kNames{
    "UNUSED", "HUP",  "INT",  "QUIT", "ILL",  "TRAP", "ABRT",   "UNUSED", "FPE",  "KILL",
    "USR1",   "SEGV", "USR2", "PIPE", "ALRM", "TERM", "STKFLT", "CHLD",   "CONT", "STOP",
    "TSTP",   "TTIN", "TTOU", "IO",   "XCPU", "XFSZ", "VTALRM", "PROF",   "WINCH"};

Result<int> parse_signal(std::string_view text) {
  if (auto const number = parse_decimal(text)) {
    if (*number <= static_cast<std::uint64_t>(SIGRTMAX)) return static_cast<int>(*number);
    return Error::make(Errc::Usage, "'{}' is not a signal", text);
  }
  std::string_view name = text;
  if (name.starts_with("SIG")) name.remove_prefix(3);
  auto const* found = std::find(kNames.begin(), kNames.end(), name);
  if (found != kNames.end() && name != "UNUSED") return static_cast<int>(found - kNames.begin());
  return Error::make(Errc::Usage, "'{}' is not a signal", text);
}

// Signals one process of the host's numbers, if it is in the guest; in any guest without a name.
Status signal_pid(std::uint64_t pid, const std::optional<std::string>& guest, int signal) {
  auto const id = VS_TRY(identify(static_cast<pid_t>(pid)));
  Fd const process = VS_TRY(open_process(id));
  // Looked up behind the open: the pidfd holds this one, whatever gets its number.
  ContextMap contexts;
  auto const& context = contexts.find(id.pid);
  if (guest && context.name != *guest)
    return Error::make(Errc::NotFound, "process {} is not in guest '{}'", pid, *guest);
  return signal_process(process, signal);
}

Status signal_guest(const std::string& guest, int signal) {
  ContextCgroup const cgroup{VS_TRY(CgroupHost::find()), guest};
  auto const pids = VS_TRY(cgroup.processes());
  if (pids.empty()) return Error::make(Errc::NotRunning, "guest '{}' is not running", guest);
  for (int const pid : pids) {
    // One that has ended in between needs no signal; 0: beyond our pid namespace.
    auto done = pid == 0 ? Status{} : signal_pid(static_cast<std::uint64_t>(pid), guest, signal);
    if (!done && done.error().sys() != ESRCH && done.error().code() != Errc::NotFound) return done;
  }
  return {};
}

Status signal_init(const std::string& guest, int signal) {
  auto const state = VS_TRY(RunDir::read_state(guest));
  if (!state) return Error::make(Errc::NotRunning, "guest '{}' is not running", guest);
  Fd const init = VS_TRY(open_process(state->init), "guest '{}': its init", guest);
  return signal_process(init, signal);
}

Result<int> run_vkill(const Parsed& args) {
  int const signal = VS_TRY(parse_signal(args.get("signal").value_or("TERM")));
  std::optional<std::string> guest;
  if (auto const xid = args.get("xid")) {
    guest = VS_TRY(resolve_context(*xid));
  }
  if (args.operands.empty()) {
    if (!guest) {
      return Error::make(Errc::Usage, "neither a context nor a process is given")
          .hint("see 'vkill --help'");
    }
    VS_TRY(signal_guest(*guest, signal));
    return 0;
  }
  int code = 0;
  for (auto const& word : args.operands) {
    auto const pid = parse_decimal(word);
    Status done = Error::make(Errc::Usage, "'{}' is not a process id", printable(word));
    if (pid && guest && *pid <= 1) {
      done = *pid == 0 ? signal_guest(*guest, signal) : signal_init(*guest, signal);
    } else if (pid && *pid > 1 && *pid <= 4194304) {
      done = signal_pid(*pid, guest, signal);
    }
    if (!done) code = report_error(done.error());
  }
  return code;
}

}  // namespace

constexpr Command kVkill{
    .name = "vkill",
    .operands = "[PID]...",
    .summary = "Send signals to processes of guests",
    .options = kOptions,
    .max_operands = kAnyNumber,
    .run = run_vkill,
    .details =
        "Process ids are the host's, as vps shows them. Without one, and with 0, all\n"
        "processes of the context get the signal; 1 is its init. Exit status 0 when\n"
        "every signal was delivered, else 1."};

}  // namespace vs
