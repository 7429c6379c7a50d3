// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/stop.h"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include "base/log.h"
#include "base/text.h"
#include "guest/config.h"
#include "guest/network.h"
#include "guest/paths.h"
#include "guest/units.h"
#include "limit/apply.h"
#include "sys/file.h"
#include "sys/process.h"

namespace vs {

namespace {

struct InitKind {
  std::string_view program;  // base name of init's executable
  int (*signal)();
};

// How each init is told to shut the machine down. Anything else gets SIGINT, as the original's
// stop sends it: sysvinit's ctrl-alt-del.
constexpr std::array kInits{
    InitKind{"systemd", [] { return SIGRTMIN + 4; }},
    InitKind{"busybox", [] { return SIGUSR2; }},
    InitKind{"runit-init", [] { return SIGCONT; }},
};

int shutdown_signal(int init_pid) {
  auto const exe = read_link_at(FdRef::cwd(), fmt::format("/proc/{}/exe", init_pid));
  if (!exe) return SIGINT;
  auto const name = exe->substr(exe->rfind('/') + 1);
  for (auto const& kind : kInits) {
    if (name == kind.program) return kind.signal();
  }
  return SIGINT;
}

void signal_all(const ContextCgroup& cgroup, int signal) {
  auto const processes = cgroup.processes();
  if (!processes) return;
  for (int const pid : *processes) {
    if (pid > 0) ::kill(pid, signal);
  }
}

Status wind_down(ContextCgroup& cgroup, const RunState& state, int timeout_s) {
  // A paused guest could not follow.
  if (auto done = set_paused(cgroup, false); !done) debug("{}", done.error().message());
  if (auto const init = open_process(state.init)) {
    if (auto sent = signal_process(*init, shutdown_signal(state.init.pid));
        !sent && sent.error().sys() != ESRCH)
      return sent;
    pollfd wait{init->get(), POLLIN, 0};
    ::poll(&wait, 1, timeout_s * 1000);
  }
  if (VS_TRY(cgroup.wait_empty(200))) return {};
  signal_all(cgroup, SIGTERM);
  if (VS_TRY(cgroup.wait_empty(5000))) return {};
  VS_TRY(cgroup.kill_all());
  if (VS_TRY(cgroup.wait_empty(10000))) return {};
  auto const left = VS_TRY(cgroup.processes());
  return Error::make(Errc::Busy, "{} processes do not die (first: pid {}): they wait in the kernel",
                     left.size(), left.empty() ? 0 : left[0])
      .hint("storage that does not answer keeps processes in D state; look at /proc/PID/stack");
}

// The guard has seen init end and waits for our lock; it has nothing more to do. As a service it
// finds the run gone and ends: systemd would start again what was killed.
Status dismiss_guard(const RunState& state) {
  auto const guard = open_process(state.guard);
  if (!guard) return {};
  if (auto done = signal_process(*guard, units_used() ? SIGCONT : SIGKILL); !done)
    debug("guard: {}", done.error().message());
  if (units_used()) return {};
  pollfd wait{guard->get(), POLLIN, 0};
  ::poll(&wait, 1, 5000);
  return {};
}

}  // namespace

Status clear_run(const RunDir& run, Hooks* hooks) {
  auto const state = VS_TRY(run.read());
  ContextCgroup cgroup{VS_TRY(CgroupHost::find()), run.name()};
  if (cgroup.exists()) {
    VS_TRY(cgroup.kill_all());
    if (!VS_TRY(cgroup.wait_empty(10000)))
      return Error::make(Errc::Busy, "guest '{}' has processes left", run.name());
  }
  if (state && state->guard.pid != 0 && state->guard.pid != ::getpid())
    VS_TRY(dismiss_guard(*state));
  if (state && state->guard.pid == ::getpid() && !units_used()) {
    // We are the guard: leave the cgroup that is about to go.
    if (auto done = cgroup.leave(); !done) debug("{}", done.error().message());
  }
  if (state) undo_network(state->cleanup);
  if (hooks != nullptr) {
    VS_TRY(hooks->run("postpost-stop"));
    hooks->end();
  }
  VS_TRY(cgroup.remove(), "guest '{}'", run.name());
  if (state) release_xid(run.name(), state->xid);
  return run.clear();
}

namespace {

Status stop_run(const std::string& name, const GuestConfig& config) {
  auto const run = VS_TRY(RunDir::lock(name, 300));
  auto const state = VS_TRY(run.read());
  ContextCgroup cgroup{VS_TRY(CgroupHost::find()), name};
  if (!state && !cgroup.left_over())
    return Error::make(Errc::NotRunning, "guest '{}' is not running", name);
  Hooks hooks{config, Hooks::Phase::Stop, {}};
  VS_TRY(hooks.run("pre-stop"));
  if (state) VS_TRY(wind_down(cgroup, *state, config.stop_timeout_s), "stop guest '{}'", name);
  VS_TRY(hooks.run("post-stop"));
  return clear_run(run, &hooks);
}

}  // namespace

Status stop_guest(const std::string& name) {
  auto const config = VS_TRY(load_config(name));
  auto done = stop_run(name, config);
  bool const ended = done || done.error().code() == Errc::NotRunning;
  if (ended && units_used() && !inside_unit()) stopped_by_units(name, true);
  return done;
}

}  // namespace vs
