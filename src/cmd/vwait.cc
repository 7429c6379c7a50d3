// SPDX-License-Identifier: GPL-2.0-or-later
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <limits>

#include "base/text.h"
#include "cmd/chain.h"
#include "cmd/commands.h"
#include "guest/context.h"
#include "guest/state.h"
#include "sys/cgroup.h"
#include "sys/file.h"

namespace vs {

namespace {

constexpr int kKilled = 1;
constexpr int kTimeout = 2;
constexpr int kError = 127;

constexpr std::array kOptions{
    Option{0, "timeout", "SECONDS", "Wait no longer than that"},
    Option{0, "terminate", "", "At the time-out kill all that is left"},
    Option{0, "status-fd", "FD", "Say there how it came out"},
};
static_assert(is_option_table(kOptions));

// Tells how it came out, in the words of the original.
class StatusFd {
 public:
  static Result<StatusFd> of(const Parsed& args) {
    auto const text = args.get("status-fd");
    if (!text) return StatusFd{-1};
    auto const n = VS_TRY(number_of(*text, "--status-fd"));
    if (n > std::numeric_limits<int>::max() || ::fcntl(static_cast<int>(n), F_GETFD) < 0)
      return Error::make(Errc::Usage, "--status-fd: {} is no open descriptor", *text);
    return StatusFd{static_cast<int>(n)};
  }
  void say(std::string_view line) const {
    if (fd_ < 0) return;
    auto done = write_all(FdRef::raw(fd_), fmt::format("{}\n", line), "status");
    if (!done) report_error(done.error());
  }

 private:
  explicit StatusFd(int fd) : fd_{fd} {}
  int fd_;
};

Result<bool> wait_for_end(ContextCgroup& cgroup, std::optional<std::uint64_t> seconds) {
  constexpr int kHour = 3'600'000;
  if (seconds) {
    auto const ms = std::min<std::uint64_t>(*seconds * 1000, std::numeric_limits<int>::max());
    return cgroup.wait_empty(static_cast<int>(ms));
  }
  while (!VS_TRY(cgroup.wait_empty(kHour))) {
  }
  return true;
}

Result<int> run_vwait(const Parsed& args) {
  auto const status = VS_TRY(StatusFd::of(args));
  std::optional<std::uint64_t> seconds;
  if (auto const text = args.get("timeout")) seconds = VS_TRY(number_of(*text, "--timeout"));
  if (args.has("terminate") && !seconds)
    return Error::make(Errc::Usage, "--terminate needs --timeout");
  auto const xid = VS_TRY(resolve_xid(args.operands[0]));
  if (xid <= kSpectatorXid) return Error::make(Errc::Usage, "context {} does not end", xid);
  auto const name = guest_of(xid);
  auto const fail = [&](int err) {
    status.say(fmt::format("ERROR {}", err));
    return kError;
  };
  if (!name || !is_running(*name)) {
    report_error(Error::system(ESRCH, "context {}", xid));
    return fail(ESRCH);
  }
  ContextCgroup cgroup{VS_TRY(CgroupHost::find()), *name};
  auto ended = wait_for_end(cgroup, seconds);
  if (!ended) {
    report_error(ended.error());
    return fail(ended.error().sys());
  }
  if (*ended) {
    status.say("FINISHED 0");
    return 0;
  }
  if (!args.has("terminate")) {
    status.say("TIMEOUT");
    return kTimeout;
  }
  constexpr int kLong = 30'000;
  if (auto done = cgroup.kill_all(); !done || !VS_TRY(cgroup.wait_empty(kLong))) return fail(EBUSY);
  status.say("KILLED");
  return kKilled;
}

}  // namespace

constexpr Command kVwait{
    .name = "vwait",
    .operands = "XID",
    .summary = "Wait for the end of a context",
    .options = kOptions,
    .min_operands = 1,
    .max_operands = 1,
    .run = run_vwait,
    .details =
        "Exit status, and what is said at the status descriptor: 0 FINISHED; 1 KILLED\n"
        "after the time-out, or a wrong command line; 2 TIMEOUT; 127 ERROR ERRNO: there is\n"
        "no such context."};

}  // namespace vs
