// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/stop.h"

#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <optional>

#include "base/log.h"
#include "base/step.h"
#include "base/text.h"
#include "guest/config.h"
#include "guest/exec.h"
#include "guest/network.h"
#include "guest/paths.h"
#include "guest/run_files.h"
#include "guest/units.h"
#include "limit/apply.h"
#include "sys/file.h"
#include "sys/process.h"

namespace vs {

bool listens_for(std::string_view status, std::string_view wchan, int signal) {
  if (wchan.find("sigtimedwait") != std::string_view::npos) return true;
  for (std::string_view const key : {"\nSigBlk:\t", "\nSigCgt:\t"}) {
    auto const at = status.find(key);
    if (at == std::string_view::npos) continue;
    auto const text = status.substr(at + key.size(), 16);
    std::uint64_t mask = 0;
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), mask, 16);
    if (error == std::errc{} && ((mask >> static_cast<unsigned>(signal - 1)) & 1U) != 0)
      return true;
  }
  return false;
}

namespace {

struct InitKind {
  std::string_view program;  // base name of init's executable
  int (*signal)();           // null: it is told by its command, inside
  std::array<const char*, 2> command;
};

// How each init is told to shut the machine down. Anything else gets SIGINT, as the original's
// stop sends it: sysvinit's ctrl-alt-del.
constexpr std::array kInits{
    InitKind{"systemd", [] { return SIGRTMIN + 4; }, {}},
    InitKind{"busybox", [] { return SIGUSR2; }, {}},
    // Its signal counts only with a file that init(8) makes, wherever the distribution wants it.
    InitKind{"runit", nullptr, {"/sbin/init", "0"}},
};

const InitKind* kind_of_init(int init_pid) {
  auto const exe = read_link_at(FdRef::cwd(), fmt::format("/proc/{}/exe", init_pid));
  if (!exe) return nullptr;
  auto const name = exe->substr(exe->rfind('/') + 1);
  auto const kind = std::find_if(kInits.begin(), kInits.end(),
                                 [&](const InitKind& one) { return one.program == name; });
  return kind == kInits.end() ? nullptr : kind;
}

int shutdown_signal(int init_pid) {
  auto const* kind = kind_of_init(init_pid);
  return kind != nullptr && kind->signal != nullptr ? kind->signal() : SIGINT;
}

std::int64_t monotonic_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

// Tells init once, as soon as it listens: an init that was just started does not yet, and a second
// signal means "at once" to many a program. False when it did not listen in time.
//   number   signal to send; 0: by the kind of init
Result<bool> shut_down(const ProcessId& id, std::int64_t timeout_ms, int number = 0) {
  auto const init = open_process(id);
  // One that is ending has no program any more and hears nothing.
  if (!init || !read_link_at(FdRef::cwd(), fmt::format("/proc/{}/exe", id.pid))) return true;
  for (auto const end = monotonic_ms() + timeout_ms;;) {
    int const signal = number != 0 ? number : shutdown_signal(id.pid);
    auto const status = read_file(fmt::format("/proc/{}/status", id.pid));
    auto const wchan = read_file(fmt::format("/proc/{}/wchan", id.pid));
    if (status && listens_for(*status, wchan ? *wchan : std::string{}, signal)) {
      auto const sent = signal_process(*init, signal);
      if (!sent && sent.error().sys() != ESRCH) return sent.error();
      return true;
    }
    if (monotonic_ms() >= end) return false;
    pollfd ended{init->get(), POLLIN, 0};
    if (::poll(&ended, 1, 20) > 0) return true;
  }
}

void signal_all(const ContextCgroup& cgroup, int signal) {
  auto const processes = cgroup.processes();
  if (!processes) return;
  for (int const pid : *processes) {
    if (pid > 0) ::kill(pid, signal);
  }
}

// "4711 'cp' state D in percpu_rwsem_wait"; empty when it has just gone.
std::string describe_process(int pid) {
  auto const stat = read_file(fmt::format("/proc/{}/stat", pid));
  auto const where = read_file(fmt::format("/proc/{}/wchan", pid));
  if (!stat) return {};
  auto const open = stat->find('(');
  auto const close = stat->rfind(')');
  if (open == std::string::npos || close == std::string::npos || close + 2 >= stat->size())
    return {};
  return fmt::format(
      "{} '{}' state {} in {}", pid, printable(stat->substr(open + 1, close - open - 1)),
      stat->substr(close + 2, 1), where && where->size() > 1 ? printable(*where) : "?");
}

// Names what holds the guest: the first few processes, their state and where in the kernel they
// wait.
Error processes_left(const ContextCgroup& cgroup) {
  constexpr std::size_t kNamed = 8;
  std::vector<std::string> left;
  if (auto const pids = cgroup.processes()) {
    for (int const pid : *pids) {
      if (auto text = describe_process(pid); !text.empty()) left.push_back(std::move(text));
    }
  }
  auto list = join(
      {left.begin(), left.begin() + static_cast<std::ptrdiff_t>(std::min(left.size(), kNamed))},
      ", ");
  if (left.size() > kNamed) list += fmt::format(" and {} more", left.size() - kNamed);
  return Error::make(Errc::Busy, "{} {}: {}", left.size(),
                     left.size() == 1 ? "process does not die" : "processes do not die", list)
      .hint(
          "D is a wait in the kernel, for storage or a file server that does not answer; they go "
          "when it does, and 'stop' or 'repair' then clears the rest");
}

// Runs the stop command inside and waits for its end, but not longer than that.
Status run_stop_command(const std::string& name, const InitPlan& plan, int timeout_s) {
  pid_t const pid = ::fork();
  if (pid < 0) return Error::system(errno, "fork");
  if (pid == 0) {
    ExecRequest request;
    request.argv = plan.stop;
    request.env = plan.stop_environment;
    request.terminal = Terminal::Never;
    request.no_input = true;
    auto const code = exec_in_guest(name, request);
    if (!code) warn("{}", code.error().message());
    ::_exit(code ? *code : 1);
  }
  Fd pidfd{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))};
  Child child{pid, std::move(pidfd)};
  pollfd wait{child.pidfd().get(), POLLIN, 0};
  // Dropped, and so killed, when the time is over.
  if (::poll(&wait, 1, timeout_s * 1000) <= 0) return {};
  if (int const code = VS_TRY(child.wait()); code != 0)
    warn("guest '{}': its stop command ended with status {}", name, code);
  return {};
}

// Asks the guest to end, in the words of its style, and gives it the configured time.
Status ask_to_end(ContextCgroup& cgroup, const RunState& state, const GuestConfig& config,
                  bool interrupt) {
  auto const start = monotonic_ms();
  // What a rescue start runs knows nothing of the style.
  interrupt = interrupt || state.rescue == 2;
  if (state.rescue == 1 && !interrupt) return {};  // nobody who could be asked
  auto plan = interrupt ? Result<InitPlan>{InitPlan{}} : plan_init(config);
  if (auto const* kind = kind_of_init(state.init.pid);
      !interrupt && kind != nullptr && kind->signal == nullptr && plan && plan->stop.empty())
    plan->stop.assign(kind->command.begin(), kind->command.end());
  if (plan && !plan->stop.empty()) {
    VS_TRY(run_stop_command(config.name, *plan, config.stop_timeout_s));
  } else if (plan && !plan->own_init) {
    return {};  // nobody who could be asked
  } else if (interrupt) {
    // A command of the caller's may well not listen.
    if (!VS_TRY(shut_down(state.init, 1000, SIGINT))) return {};
  } else if (!VS_TRY(shut_down(state.init, config.stop_timeout_s * std::int64_t{1000}))) {
    warn("guest '{}': its init listens for no signal to shut down", config.name);
  }
  auto const left = config.stop_timeout_s * std::int64_t{1000} - (monotonic_ms() - start);
  if (left <= 0) return {};
  // What a start command has left behind is not told to go by a stop command that has ended.
  VS_TRY(cgroup.wait_empty(
      static_cast<int>(plan && !plan->own_init ? std::min<std::int64_t>(left, 1000) : left)));
  return {};
}

Status wind_down(ContextCgroup& cgroup, const RunState& state, const GuestConfig& config,
                 bool interrupt) {
  // A paused guest could not follow.
  if (auto done = set_paused(cgroup, false); !done) debug("{}", done.error().message());
  VS_TRY(ask_to_end(cgroup, state, config, interrupt));
  if (VS_TRY(cgroup.wait_empty(200))) return {};
  for (auto const& step : config.kill_sequence) {
    if (step.signal == SIGKILL) {
      VS_TRY(cgroup.kill_all());
    } else {
      signal_all(cgroup, step.signal);
    }
    if (VS_TRY(cgroup.wait_empty(step.wait_s * 1000))) return {};
  }
  // A sequence that ends with a wait for SIGKILL says itself how long that may take.
  if (!config.kill_sequence.empty() && config.kill_sequence.back().signal == SIGKILL &&
      config.kill_sequence.back().wait_s > 0) {
    return processes_left(cgroup);
  }
  VS_TRY(cgroup.kill_all());
  if (VS_TRY(cgroup.wait_empty(10000))) return {};
  return processes_left(cgroup);
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

namespace {

// What the steps of a clear-up share. Each may find that it was done before: a command that was
// killed in between is finished by the next one.
struct Clear {
  const RunDir& run;
  Hooks* hooks;
  std::optional<RunState> state;
  ContextCgroup cgroup;
};

Status end_processes(Clear& c) {
  if (!c.cgroup.exists()) return {};
  // A killed process that is frozen dies when it is thawed; before Linux 5.14 not earlier.
  if (auto done = set_paused(c.cgroup, false); !done) debug("{}", done.error().message());
  VS_TRY(c.cgroup.kill_all());
  if (VS_TRY(c.cgroup.wait_empty(10000))) return {};
  return processes_left(c.cgroup);
}

Status end_guard(Clear& c) {
  if (!c.state) return {};
  if (c.state->guard.pid != 0 && c.state->guard.pid != ::getpid()) return dismiss_guard(*c.state);
  if (units_used() || c.state->guard.pid == 0) return {};
  // We are the guard: leave the cgroup that is about to go.
  if (auto done = c.cgroup.leave(); !done) debug("{}", done.error().message());
  return {};
}

Status end_network(Clear& c) {
  if (c.state) undo_network(c.state->cleanup);
  if (c.hooks == nullptr) return {};
  VS_TRY(c.hooks->run("postpost-stop"));
  c.hooks->end();
  return {};
}

constexpr std::array kClearSteps{
    Step<Clear>{"clear-processes", end_processes, nullptr},
    Step<Clear>{"clear-guard", end_guard, nullptr},
    Step<Clear>{"clear-network", end_network, nullptr},
    Step<Clear>{"clear-cgroup", [](Clear& c) { return c.cgroup.remove(); }, nullptr},
    Step<Clear>{"clear-xid",
                [](Clear& c) {
                  if (c.state) release_xid(c.run.name(), c.state->xid);
                  return Status{};
                },
                nullptr},
    Step<Clear>{"clear-run-files", [](Clear& c) { return remove_run_files(c.run.name(), c.state); },
                nullptr},
    Step<Clear>{"clear-run", [](Clear& c) { return c.run.clear(); }, nullptr},
};

}  // namespace

Status clear_run(const RunDir& run, Hooks* hooks) {
  Clear c{run, hooks, VS_TRY(run.read()), {VS_TRY(CgroupHost::find()), run.name()}};
  VS_TRY(run_steps<Clear>(kClearSteps, c), "guest '{}'", run.name());
  return {};
}

namespace {

// From here on nobody starts the guest again, whatever becomes of this command.
Status begin(const RunDir& run, RunState& state, Hooks& hooks) {
  if (state.phase == Phase::Stopping) return {};
  VS_TRY(hooks.run("pre-stop"));
  state.phase = Phase::Stopping;
  auto noted = run.write(state);
  // A full run directory is no reason to go on running.
  if (!noted && noted.error().sys() != ENOSPC && noted.error().sys() != EDQUOT) return noted;
  return {};
}

Status stop_run(const std::string& name, const GuestConfig& config, bool interrupt) {
  auto const run = VS_TRY(RunDir::lock(name, 300));
  auto state = VS_TRY(run.read());
  ContextCgroup cgroup{VS_TRY(CgroupHost::find()), name};
  if (!state && !cgroup.left_over())
    return Error::make(Errc::NotRunning, "guest '{}' is not running", name);
  Hooks hooks{config, Hooks::Phase::Stop, {}};
  if (state) VS_TRY(begin(run, *state, hooks), "stop guest '{}'", name);
  VS_TRY(test_seam("shutdown"));
  if (state) VS_TRY(wind_down(cgroup, *state, config, interrupt), "stop guest '{}'", name);
  VS_TRY(hooks.run("post-stop"));
  return clear_run(run, &hooks);
}

}  // namespace

Status stop_guest(const std::string& name, bool interrupt) {
  auto const config = VS_TRY(load_config(name));
  auto done = stop_run(name, config, interrupt);
  bool const ended = done || done.error().code() == Errc::NotRunning;
  if (ended && units_used() && !inside_unit()) stopped_by_units(name, true);
  return done;
}

}  // namespace vs
