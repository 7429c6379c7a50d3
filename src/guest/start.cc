// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/start.h"

#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <optional>

#include "base/log.h"
#include "base/step.h"
#include "base/text.h"
#include "config/keys.h"
#include "context/device.h"
#include "context/seccomp.h"
#include "guest/bucket_loop.h"
#include "guest/empty_net.h"
#include "guest/guard.h"
#include "guest/hooks.h"
#include "guest/limits.h"
#include "guest/network.h"
#include "guest/paths.h"
#include "guest/run_files.h"
#include "guest/state.h"
#include "guest/stdio.h"
#include "guest/stop.h"
#include "guest/units.h"
#include "limit/apply.h"
#include "sys/file.h"

namespace vs {

namespace {

// Everything that the steps of one start share.
struct Start {
  GuestConfig config;
  RunDir run;
  ContextCgroup cgroup;
  LimitPlan limits;
  bool foreground = false;
  bool own_init = true;  // the start command is process 1
  std::vector<std::string> init;
  Hooks hooks;
  Fd host_mounts;  // set while this process is in a mount namespace for the hooks
  RunState state;
  std::optional<ScopeHolder> holder;
  std::optional<Stdio> stdio;  // of a foreground run
  std::optional<Stage> stage;
  StageReports reports;
};

Status claim(Start& s) {
  s.state.xid = VS_TRY(claim_xid(s.config.name, s.config.xid)).value();
  s.state.config = fmt::format("{}/{}", Paths::get().conf, s.config.name);
  s.state.userns = s.config.userns;
  s.state.started = ::time(nullptr);
  s.state.ns_flags = guest_namespaces();
  if (s.config.userns) s.state.ns_flags |= CLONE_NEWUSER;
  if (s.config.net == NetMode::Private) s.state.ns_flags |= CLONE_NEWNET;
  return s.run.write(s.state);
}

void unclaim(Start& s) noexcept {
  if (s.state.xid != 0) release_xid(s.config.name, s.state.xid);
  if (auto done = s.run.clear(); !done) warn("{}", done.error().message());
}

Status make_cgroup(Start& s) {
  if (units_used()) {
    s.holder.emplace(VS_TRY(make_guest_scope(s.config.name)));
    s.cgroup.enter_scope();
  }
  VS_TRY(s.cgroup.create());
  if (s.holder) VS_TRY(s.cgroup.adopt(s.holder->child.pid()));
  VS_TRY(s.cgroup.enable());
  auto const known = s.limits.refused.size();
  VS_TRY(apply_plan(s.cgroup, s.limits));
  for (std::size_t i = known; i < s.limits.refused.size(); ++i)
    warn("guest '{}': limit not kept: {}", s.config.name, s.limits.refused[i]);
  return {};
}

Status confine(Start& s) {
  VS_TRY(restrict_devices(s.cgroup));
  if (s.config.userns) VS_TRY(s.cgroup.delegate(s.state.xid << 16U));
  return {};
}

// A run in the foreground is no start: it has no hooks.
Status run_hooks(Start& s, std::string_view point) {
  if (s.foreground || !s.hooks.any()) return {};
  if (!s.host_mounts) s.host_mounts = VS_TRY(private_mounts());
  return s.hooks.run(point);
}

Status before_start(Start& s) {
  if (!s.foreground) VS_TRY(prepare_root(s.config));
  VS_TRY(run_hooks(s, "pre-start"));
  if (s.init.empty()) s.init = s.hooks.command();
  return {};
}

Status after_start(Start& s) {
  VS_TRY(run_hooks(s, "post-start"));
  s.hooks.end();
  if (s.host_mounts && ::setns(s.host_mounts.get(), CLONE_NEWNS) != 0)
    return Error::system(errno, "leave the hooks' mount namespace");
  s.host_mounts.reset();
  return {};
}

void drop_cgroup(Start& s) noexcept {
  s.hooks.end();
  if (auto done = s.cgroup.kill_all(); !done) warn("{}", done.error().message());
  // Its own processes are our children: reap, so that the cgroup gets empty.
  s.stage.reset();
  s.holder.reset();
  // Not for ever: one that waits for a dead disk does not die.
  for (int i = 0; i < 500 && ::waitpid(-1, nullptr, WNOHANG) >= 0; ++i)
    ::poll(nullptr, 0, 10);
  auto const empty = s.cgroup.wait_empty(1000);
  if (!empty || !*empty) warn("guest '{}': processes are left in its cgroup", s.config.name);
  // The starter sits in the guard's cgroup; a foreground run in its caller's, where it stays.
  if (!s.foreground && !units_used()) {
    if (auto done = s.cgroup.leave(); !done) debug("{}", done.error().message());
  }
  if (auto done = s.cgroup.remove(); !done)
    warn("guest '{}': {}", s.config.name, done.error().message());
}

Status plan_network(Start& s) {
  s.state.cleanup = VS_TRY(describe_network(s.config, s.state.xid));
  return s.state.cleanup.empty() ? Status{} : s.run.write(s.state);
}

void drop_run_files(Start& s) noexcept {
  if (auto done = remove_run_files(s.config.name, s.state); !done)
    warn("guest '{}': {}", s.config.name, done.error().message());
}

void drop_network(Start& s) noexcept {
  undo_network(s.state.cleanup);
}

// What is set on init itself, before its program runs: everything inside inherits it.
Status limit_init(const Start& s, int pid) {
  VS_TRY(apply_ipc(pid, s.limits.ipc, s.config.userns ? s.state.xid << 16U : 0));
  if (s.limits.oom_score_adj) VS_TRY(set_oom_score(std::array{pid}, *s.limits.oom_score_adj));
  return {};
}

Status spawn_stage(Start& s) {
  auto const xid = VS_TRY(Xid::make(s.state.xid));
  StagePlan plan = VS_TRY(plan_start(s.config, xid, process_limits(s.config, s.limits), s.init));
  // The guest's root may write its IPC namespace's sysctls. The whole directory: a file in it that
  // is mounted over from here is not the one that the guest's namespace sees.
  if (!s.limits.ipc.empty()) plan.ops.push_back({"r", "/proc/sys/kernel", "", ""});
  if (s.config.seccomp) {
    plan.filter = VS_TRY(cached_seccomp(Paths::get().cache, !s.config.userns,
                                        s.config.context_flags, s.config.context_capabilities));
  }
  StageFds fds;
  if (s.foreground) {
    std::uint32_t const owner = s.config.userns ? xid.base_id() : 0;
    plan.header.flags |= stage::kKeepStdio;
    s.stdio.emplace(VS_TRY(Stdio::open(Terminal::Auto, false, owner, owner)));
    plan.stdio = s.stdio->inner();
    if (s.stdio->terminal_mask() != 0) plan.header.flags |= stage::kConsole;
    const char* term = std::getenv("TERM");
    plan.envp.push_back(fmt::format("TERM={}", term != nullptr ? term : "linux"));
  } else {
    plan.header.flags |= stage::kConsole | stage::kNotify;
    // The guest without an init is ready when its start command has ended, whoever else says so.
    if (s.own_init) plan.envp.emplace_back("NOTIFY_SOCKET=/run/host/notify");
    if (!s.own_init) plan.header.flags |= stage::kReaper;
    plan.envp.emplace_back("TERM=linux");
  }
  Fd const guest = VS_TRY(s.cgroup.open_guest());
  fds.cgroup = guest.get();
  fds.v1_procs = VS_TRY(s.cgroup.open_v1_procs());
  Fd const no_network = s.config.net == NetMode::Private ? Fd{} : empty_network();
  fds.net_ns = no_network.get();
  s.stage.emplace(VS_TRY(run_stage(plan, fds)));
  return {};
}

Status release_init(Start& s) {
  s.reports = VS_TRY(follow_stage(s.stage->reports, [&](int pid) -> Status {
    VS_TRY(test_seam("network"));
    VS_TRY(limit_init(s, pid));
    return apply_network(s.config, s.state.xid, pid);
  }));
  if (VS_TRY(s.stage->child.wait()) != 0)
    return Error::make(Errc::Internal, "vs-stage failed without a report");
  // An init that is gone already has no start time any more; its pid says enough.
  auto const id = identify(s.reports.pid);
  s.state.init = id ? *id : ProcessId{s.reports.pid, 0};
  s.state.phase = Phase::Running;
  s.holder.reset();
  if (s.limits.paused) VS_TRY(set_paused(s.cgroup, true));
  VS_TRY(s.run.write(s.state));
  return s.limits.loop ? follow_bucket(s.config.name, s.limits.loop) : Status{};
}

constexpr std::array kStartSteps{
    Step<Start>{"claim", claim, unclaim},
    Step<Start>{"initialize", [](Start& s) { return run_hooks(s, "initialize"); }, nullptr},
    Step<Start>{"prepre-start", [](Start& s) { return run_hooks(s, "prepre-start"); }, nullptr},
    Step<Start>{"cgroup", make_cgroup, drop_cgroup},
    Step<Start>{"addresses", plan_network, drop_network},
    Step<Start>{"pre-start", before_start, nullptr},
    Step<Start>{"stage", spawn_stage, nullptr},
    // While vs-stage builds the tree; nothing of the guest runs before the release.
    Step<Start>{"confine", confine, nullptr},
    Step<Start>{"run-files", [](Start& s) { return write_run_files(s.config.name, s.state); },
                drop_run_files},
    Step<Start>{"init", release_init, nullptr},
    Step<Start>{"post-start", after_start, nullptr},
};

std::string rescue_path(const std::string& name) {
  return fmt::format("{}/rescue/{}", Paths::get().run, name);
}

// What start_rescue has left for this start, once.
void take_rescue(GuestConfig& config, RunState& state) {
  auto const text = read_file(rescue_path(config.name));
  if (!text || ::unlink(rescue_path(config.name).c_str()) != 0) return;
  auto const lines = split_lines(*text);
  if (lines.size() < 2) return;
  config.style = &rescue_style(lines[0] == "init");
  config.init.assign(lines.begin() + 1, lines.end());
  state.rescue = config.style->own_init ? 2 : 1;
}

// Whether the guest runs. Its lock is ours: a start that did not come to its init is nobody's any
// more, also while its processes are still dying.
bool has_started(const std::optional<RunState>& state, const std::string& name) {
  if (state && state->phase == Phase::Starting) return false;
  return is_running(name);
}

// The caller holds the guest's lock; what an earlier run left is cleared.
Result<Start> prepare(RunDir run, bool foreground, const std::vector<std::string>& init) {
  std::string const name = run.name();
  auto config = VS_TRY(load_config(name));
  auto host = VS_TRY(CgroupHost::find());
  auto const state_before = VS_TRY(run.read());
  if (has_started(state_before, name)) return running_already(name);
  if (state_before || ContextCgroup{host, name}.left_over()) {
    warn("guest '{}': clearing what an interrupted run left", name);
    VS_TRY(clear_run(run));
  }
  auto limits = VS_TRY(plan_guest_limits(config, host), "guest '{}'", name);
  for (auto const* texts : {&config.warnings, &config.outdated}) {
    for (auto const& text : *texts)
      warn("{}", text);
  }
  for (auto const& text : limits.refused)
    warn("guest '{}': limit not kept: {}", name, text);
  for (auto const& entry : config.not_applied) {
    auto const feature = feature_of(entry);
    warn("guest '{}': not yet applied: {}{}", name, entry,
         feature.empty() ? std::string{} : fmt::format(" ({})", feature));
  }
  ContextCgroup cgroup{std::move(host), name};
  RunState state;
  if (!foreground) take_rescue(config, state);
  auto init_plan = foreground ? InitPlan{} : VS_TRY(plan_init(config), "guest '{}'", name);
  config.environment.insert(config.environment.end(), init_plan.start_environment.begin(),
                            init_plan.start_environment.end());
  Hooks hooks{config, Hooks::Phase::Start, std::move(init_plan.start)};
  return Start{std::move(config),
               std::move(run),
               std::move(cgroup),
               std::move(limits),
               foreground,
               init_plan.own_init,
               init,
               std::move(hooks),
               {},
               std::move(state),
               {},
               {},
               {},
               {}};
}

// All steps of a start, then this process is the guest's guard. Returns only on failure, with
// nothing left.
Error start_here(Start& s) {
  Status done = run_steps<Start>(kStartSteps, s);
  if (done) {
    if (s.config.nice != 0) ::setpriority(PRIO_PROCESS, 0, 0);
    auto const fd = [&](std::size_t i) {
      return i < s.reports.descriptors.size() ? s.reports.descriptors[i].get() : -1;
    };
    done = become_guard(s.run, s.state, {fd(0), fd(1)});
    undo_steps<Start>(kStartSteps, s);
  }
  return std::move(done).error();
}

// The detached half of a start. Tells the command how it went: nothing when it became the guard.
[[noreturn]] void be_starter(Start& s, Fd told) {
  ::setsid();
  Error const error = start_here(s);
  // Also when no step got as far as the cgroups: we were born in one.
  if (auto done = s.cgroup.leave(); !done) debug("{}", done.error().message());
  if (auto done = s.cgroup.remove(); !done) warn("{}", done.error().message());
  std::string const text = error.message() + '\n' + error.hint();
  [[maybe_unused]] auto const n = ::write(told.get(), text.data(), text.size());
  ::_exit(static_cast<int>(error.code()) + 10);
}

// How the starter fared, read from its pipe: end of file means that it became the guard.
Status follow_starter(const std::string& name, pid_t pid, FdRef reports) {
  auto const text = VS_TRY(read_all(reports));
  int status = 0;
  if (text.empty()) {
    // Of a process that dies the pipe's end is seen first.
    int const how = is_ending(pid) ? 0 : WNOHANG;
    if (::waitpid(pid, &status, how) == pid && WIFSIGNALED(status)) {
      return Error::make(Errc::Internal, "start guest '{}': killed by signal {}", name,
                         WTERMSIG(status))
          .hint(fmt::format("'vserver {} start' or 'stop' clears what is left", name));
    }
    return {};
  }
  ::waitpid(pid, &status, 0);
  auto const newline = text.rfind('\n');
  auto const code = static_cast<Errc>(WIFEXITED(status) ? WEXITSTATUS(status) - 10 : 0);
  auto error = Error::make(code, "start guest '{}': {}", name, text.substr(0, newline));
  if (newline + 1 < text.size()) return std::move(error).hint(text.substr(newline + 1));
  return error;
}

// A guest without an init has started when its start command has ended well; one with an init as
// soon as that runs, whatever it does then.
Status wait_for_command(const GuestConfig& config) {
  if (config.style->own_init) {
    if (!is_running(config.name)) {
      warn("guest '{0}': its init has ended already; 'vserver {0} logs' shows what it said",
           config.name);
    }
    return {};
  }
  if (config.style->name == "rescue") return {};
  while (!exists(run_path(config.name, "ready"))) {
    if (!is_running(config.name)) {
      return Error::make(Errc::System,
                         "start guest '{}': its start command failed, or left nothing running",
                         config.name)
          .hint(fmt::format("'vserver {} logs' shows what it said; style '{}' needs a service that "
                            "goes on",
                            config.name, config.style->name));
    }
    timespec const nap{0, 20'000'000};
    ::nanosleep(&nap, nullptr);
  }
  return {};
}

// Two commands at once: the second waits, and then finds the guest running.
Status start_units(const std::string& name) {
  auto const config = VS_TRY(load_config(name));
  std::optional<RunDir> turn;
  if (!inside_unit()) turn.emplace(VS_TRY(RunDir::lock(name, 300, ".start-")));
  if (is_running(name)) return running_already(name);
  bool const rescue = exists(rescue_path(name));
  VS_TRY(start_by_units(name));
  return rescue ? Status{} : wait_for_command(config);
}

}  // namespace

Error start_in_place(RunDir run, unsigned restarts) {
  auto s = prepare(std::move(run), false, {});
  if (!s) return std::move(s).error();
  s->state.restarts = restarts;
  return start_here(*s);
}

Status start_rescue(const std::string& name, const Rescue& rescue) {
  VS_TRY(check_name(name));
  std::string text = rescue.own_init ? "init\n" : "command\n";
  for (auto const& word : rescue.command) {
    if (word.find('\n') != std::string::npos)
      return Error::make(Errc::Usage, "a word of the rescue command has a newline");
    text += word + '\n';
  }
  std::string const dir = Paths::get().run + "/rescue";
  VS_TRY(make_dirs(dir, 0700));
  Fd const fd = VS_TRY(open_path(dir, O_RDONLY | O_DIRECTORY));
  VS_TRY(replace_file_at(fd, name, text));
  auto done = start_guest(name);
  // Still there after a start that failed early: no other start may find it.
  ::unlink(rescue_path(name).c_str());
  return done;
}

Status start_guest(const std::string& name, unsigned restarts) {
  if (units_used()) return start_units(name);
  Start s = VS_TRY(prepare(VS_TRY(RunDir::lock(name, 30)), false, {}));
  s.state.restarts = restarts;
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return Error::system(errno, "pipe");
  Fd const ours{ends[0]};
  Fd theirs{ends[1]};
  pid_t pid = 0;
  {
    Fd const guard = VS_TRY(s.cgroup.create_guard(), "guest '{}'", name);
    pid = VS_TRY(fork_into(guard), "guest '{}'", name);
  }
  if (pid == 0) be_starter(s, std::move(theirs));
  theirs.reset();
  VS_TRY(follow_starter(name, pid, ours));
  auto done = wait_for_command(s.config);
  // Before its guard does, which would think about a restart.
  if (!done) VS_TRY(clear_run(s.run));
  return done;
}

namespace {

// Joins a foreground run's init to our streams until its end. Signals go to init, which as such
// may ignore them: the second one ends the guest.
Status relay_run(Start& s) {
  // A child of ours: nobody else can have its pid before we have waited for it.
  Fd const init{static_cast<int>(::syscall(SYS_pidfd_open, s.state.init.pid, 0))};
  if (!init) return Error::system(errno, "process {}", s.state.init.pid);
  FdRef const pidfd{init};
  Fd master;
  if (!s.reports.descriptors.empty()) master = std::move(s.reports.descriptors[0]);
  int signals = 0;
  auto const signal = VS_TRY(s.stdio->relay(std::move(master), pidfd, [&](int number) {
    bool const asks_to_end = number == SIGINT || number == SIGTERM || number == SIGQUIT;
    auto const done =
        asks_to_end && signals++ > 0 ? s.cgroup.kill_all() : signal_process(pidfd, number);
    if (!done) debug("{}", done.error().message());
  }));
  if (signal != 0) return s.cgroup.kill_all();
  return {};
}

}  // namespace

Result<int> run_guest(const std::string& name, const std::vector<std::string>& argv) {
  Start s = VS_TRY(prepare(VS_TRY(RunDir::lock(name, 30)), true, argv));
  VS_TRY(run_steps<Start>(kStartSteps, s), "run guest '{}'", name);
  int status = 0;
  auto done = relay_run(s);
  while (::waitpid(s.state.init.pid, &status, 0) < 0 && errno == EINTR) {
  }
  undo_steps<Start>(kStartSteps, s);
  VS_TRY(std::move(done), "run guest '{}'", name);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace vs
