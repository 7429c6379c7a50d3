// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/start.h"

#include <linux/sched.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <optional>

#include "base/log.h"
#include "base/scope_exit.h"
#include "base/step.h"
#include "context/device.h"
#include "context/seccomp.h"
#include "guest/hooks.h"
#include "guest/limits.h"
#include "guest/network.h"
#include "guest/paths.h"
#include "guest/state.h"
#include "guest/stop.h"
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
  std::vector<std::string> init;
  Hooks hooks;
  Fd host_mounts;  // set while this process is in a mount namespace for the hooks
  RunState state;
  std::optional<Stage> stage;
  StageReports reports;
};

enum class Owners : std::uint8_t { Shifted, Unshifted };

// Whose ids the tree has: the guest's own, or plain ones from 0 on.
Result<Owners> tree_owners(const GuestConfig& config, Xid xid) {
  struct stat st {};
  if (::stat(config.vdir.c_str(), &st) != 0)
    return Error::system(errno, "root directory {}", config.vdir);
  if (!S_ISDIR(st.st_mode))
    return Error::make(Errc::Config, "root {} is not a directory", config.vdir);
  if (st.st_uid == xid.base_id()) return Owners::Shifted;
  if (st.st_uid == 0) return Owners::Unshifted;
  return Error::make(Errc::Config, "root {} belongs to uid {}, neither to 0 nor to {} (context {})",
                     config.vdir, st.st_uid, xid.base_id(), xid.value())
      .hint(
          "the tree was made for another context: set 'context' to the one that its owner ids "
          "carry");
}

std::int64_t boottime_now() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return now.tv_sec;
}

}  // namespace

Result<StagePlan> plan_start(const GuestConfig& config, Xid xid,
                             const std::vector<LimitEntry>& limits,
                             const std::vector<std::string>& init) {
  StagePlan plan;
  plan.root = config.vdir;
  plan.hostname = config.nodename;
  plan.domainname = config.domainname;
  plan.argv = init.empty() ? config.init : init;
  plan.envp = config.environment;
  plan.envp.emplace_back("container=vserver");
  auto& header = plan.header;
  header.mode = stage::Mode::Start;
  header.flags = stage::kSysfs;
  if (config.net == NetMode::Private) header.flags |= stage::kNetNs;
  auto const owners = VS_TRY(tree_owners(config, xid));
  if (config.userns) {
    header.flags |= stage::kUserNs;
    header.base_id = xid.base_id();
    if (owners == Owners::Unshifted) header.flags |= stage::kIdmapRoot;
  } else if (owners == Owners::Shifted) {
    return Error::make(Errc::Config, "root {} has shifted owners, but userns is off", config.vdir);
  }
  header.capabilities = config.capabilities;
  header.nice = config.nice;
  header.boottime_offset = -boottime_now();
  for (auto const& limit : limits)
    plan.limits.push_back({static_cast<std::uint32_t>(limit.resource), 0, limit.soft, limit.hard});
  plan.ops = VS_TRY(plan_tree({header.base_id, !config.userns, true, config.fstabs}));
  return plan;
}

namespace {

Status claim(Start& s) {
  s.state.xid = VS_TRY(claim_xid(s.config.name, s.config.xid)).value();
  s.state.config = fmt::format("{}/{}", Paths::get().conf, s.config.name);
  s.state.userns = s.config.userns;
  s.state.started = ::time(nullptr);
  s.state.ns_flags =
      CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP | CLONE_NEWTIME;
  if (s.config.userns) s.state.ns_flags |= CLONE_NEWUSER;
  if (s.config.net == NetMode::Private) s.state.ns_flags |= CLONE_NEWNET;
  return s.run.write(s.state);
}

void unclaim(Start& s) noexcept {
  if (s.state.xid != 0) release_xid(s.state.xid);
  if (auto done = s.run.clear(); !done) warn("{}", done.error().message());
}

Status make_cgroup(Start& s) {
  VS_TRY(s.cgroup.create());
  VS_TRY(apply_knobs(s.cgroup, s.limits.writes));
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
  while (::waitpid(-1, nullptr, 0) > 0) {
  }
  auto const empty = s.cgroup.wait_empty(5000);
  if (!empty || !*empty) warn("guest '{}': processes are left in its cgroup", s.config.name);
  // The starter sits in the guard's cgroup; a foreground run in its caller's, where it stays.
  if (!s.foreground) {
    if (auto done = s.cgroup.leave(); !done) debug("{}", done.error().message());
  }
  if (auto done = s.cgroup.remove(); !done)
    warn("guest '{}': {}", s.config.name, done.error().message());
}

Status plan_network(Start& s) {
  s.state.cleanup = VS_TRY(describe_network(s.config, s.state.xid));
  return s.run.write(s.state);
}

void drop_network(Start& s) noexcept {
  undo_network(s.state.cleanup);
}

// What is set on init itself, before its program runs: everything inside inherits it.
Status limit_init(const Start& s, int pid) {
  VS_TRY(apply_ipc(pid, s.limits.ipc));
  if (s.limits.oom_score_adj) VS_TRY(set_oom_score(std::array{pid}, *s.limits.oom_score_adj));
  return {};
}

Status spawn_init(Start& s) {
  auto const xid = VS_TRY(Xid::make(s.state.xid));
  StagePlan plan = VS_TRY(plan_start(s.config, xid, process_limits(s.config, s.limits), s.init));
  if (s.config.seccomp) plan.filter = VS_TRY(cached_seccomp(Paths::get().cache, !s.config.userns));
  if (s.foreground) {
    plan.header.flags |= stage::kKeepStdio;
  } else {
    plan.header.flags |= stage::kConsole | stage::kNotify;
    plan.envp.emplace_back("NOTIFY_SOCKET=/run/host/notify");
    plan.envp.emplace_back("TERM=linux");
  }
  StageFds fds;
  Fd const guest = VS_TRY(s.cgroup.open_guest());
  fds.cgroup = guest.get();
  fds.v1_procs = VS_TRY(s.cgroup.open_v1_procs());
  s.stage.emplace(VS_TRY(run_stage(plan, fds)));
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
  if (s.limits.paused) VS_TRY(set_paused(s.cgroup, true));
  return s.run.write(s.state);
}

constexpr std::array kStartSteps{
    Step<Start>{"claim", claim, unclaim},
    Step<Start>{"initialize", [](Start& s) { return run_hooks(s, "initialize"); }, nullptr},
    Step<Start>{"prepre-start", [](Start& s) { return run_hooks(s, "prepre-start"); }, nullptr},
    Step<Start>{"cgroup", make_cgroup, drop_cgroup},
    Step<Start>{"addresses", plan_network, drop_network},
    Step<Start>{"pre-start", before_start, nullptr},
    Step<Start>{"init", spawn_init, nullptr},
    Step<Start>{"post-start", after_start, nullptr},
};

// Console and readiness sockets of the guard: 3 console, 4 readiness, 5 listening, 6 init.
Result<Fd> listen_console(const std::string& name) {
  Fd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  if (!fd) return Error::system(errno, "console socket");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::string const path = run_path(name, "console");
  if (path.size() >= sizeof address.sun_path)
    return Error::system(ENAMETOOLONG, "console socket {}", path);
  path.copy(static_cast<char*>(address.sun_path), path.size());
  ::unlink(path.c_str());
  mode_t const old = ::umask(0177);
  int const done = ::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
  ::umask(old);
  if (done != 0 || ::listen(fd.get(), 4) != 0)
    return Error::system(errno, "console socket {}", path);
  return fd;
}

// Becomes vs-guard, which stays init's parent. Returns only on failure.
Status become_guard(Start& s) {
  VS_TRY(test_seam("guard"));
  Fd const listener = VS_TRY(listen_console(s.config.name));
  Fd const init = s.state.init.start_time != 0 ? VS_TRY(open_process(s.state.init)) : Fd{};
  std::vector<int> const sources{
      s.reports.descriptors.empty() ? -1 : s.reports.descriptors[0].get(),
      s.reports.descriptors.size() < 2 ? -1 : s.reports.descriptors[1].get(), listener.get(),
      init.get()};
  s.state.guard = VS_TRY(identify(::getpid()));
  VS_TRY(s.run.write(s.state));
  std::vector<Fd> lifted;
  for (int const fd : sources)
    lifted.emplace_back(fd < 0 ? -1 : ::fcntl(fd, F_DUPFD_CLOEXEC, 64));
  for (std::size_t i = 0; i < lifted.size(); ++i) {
    ::close(static_cast<int>(i) + 3);
    if (lifted[i] && ::dup2(lifted[i].get(), static_cast<int>(i) + 3) < 0)
      return Error::system(errno, "dup2");
  }
  std::string const log = fmt::format("{}/log", Paths::get().cache);
  VS_TRY(make_dirs(log, 0700));
  Fd const null = VS_TRY(open_path("/dev/null", O_RDWR));
  for (int fd = 0; fd < 3; ++fd)
    ::dup2(null.get(), fd);
  ::close_range(7, ~0U, CLOSE_RANGE_CLOEXEC);
  std::string const guard = Paths::get().libexec + "/vs-guard";
  ::execl(guard.c_str(), "vs-guard", Paths::get().self.c_str(), s.config.name.c_str(),
          std::to_string(s.state.init.pid).c_str(),
          fmt::format("{}/{}", log, s.config.name).c_str(),
          run_path(s.config.name, "ready").c_str(), nullptr);
  return Error::system(errno, "exec {}", guard);
}

Result<Start> prepare(const std::string& name, bool foreground,
                      const std::vector<std::string>& init) {
  auto config = VS_TRY(load_config(name));
  auto run = VS_TRY(RunDir::lock(name, 30));
  auto host = VS_TRY(CgroupHost::find());
  if (is_running(name)) return Error::make(Errc::Busy, "guest '{}' is already running", name);
  if (VS_TRY(run.read())) {
    warn("guest '{}': clearing what an interrupted run left", name);
    VS_TRY(clear_run(run));
  }
  auto limits = VS_TRY(plan_guest_limits(config, host), "guest '{}'", name);
  for (auto const& text : config.warnings)
    warn("{}", text);
  for (auto const& text : limits.refused)
    warn("guest '{}': limit not kept: {}", name, text);
  for (auto const& entry : config.not_applied)
    warn("guest '{}': not yet applied: {}", name, entry);
  Hooks hooks{config, Hooks::Phase::Start, config.init};
  return Start{std::move(config),
               std::move(run),
               ContextCgroup{std::move(host), name},
               std::move(limits),
               foreground,
               init,
               std::move(hooks),
               {},
               {},
               {},
               {}};
}

// The detached half of a start: the process that will be the guard. Tells the command how it went.
[[noreturn]] void be_starter(Start& s, Fd told) {
  ::setsid();
  Status done = run_steps<Start>(kStartSteps, s);
  if (done) {
    done = [&]() -> Status {
      // Told before the exec: whoever waits must not wait for the guest's whole life.
      if (s.config.nice != 0) ::setpriority(PRIO_PROCESS, 0, 0);
      return become_guard(s);
    }();
    undo_steps<Start>(kStartSteps, s);
  }
  std::string const text = done.error().message() + '\n' + done.error().hint();
  [[maybe_unused]] auto const n = ::write(told.get(), text.data(), text.size());
  ::_exit(static_cast<int>(done.error().code()) + 10);
}

}  // namespace

Status start_guest(const std::string& name) {
  Start s = VS_TRY(prepare(name, false, {}));
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
  // End of file: the starter became the guard, and the guest runs.
  auto const text = VS_TRY(read_all(ours));
  if (text.empty()) {
    int status = 0;
    if (::waitpid(pid, &status, WNOHANG) == pid && WIFSIGNALED(status))
      return Error::make(Errc::Internal, "start guest '{}': killed by signal {}", name,
                         WTERMSIG(status))
          .hint(fmt::format("'vserver {} start' or 'stop' clears what is left", name));
    return {};
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  auto const newline = text.rfind('\n');
  auto const code = static_cast<Errc>(WIFEXITED(status) ? WEXITSTATUS(status) - 10 : 0);
  auto error = Error::make(code, "start guest '{}': {}", name, text.substr(0, newline));
  if (newline + 1 < text.size()) return std::move(error).hint(text.substr(newline + 1));
  return error;
}

Result<int> run_guest(const std::string& name, const std::vector<std::string>& argv) {
  Start s = VS_TRY(prepare(name, true, argv));
  VS_TRY(run_steps<Start>(kStartSteps, s), "run guest '{}'", name);
  int status = 0;
  while (::waitpid(s.state.init.pid, &status, 0) < 0 && errno == EINTR) {
  }
  undo_steps<Start>(kStartSteps, s);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

Status guest_ended(const std::string& name, int status) {
  auto run = RunDir::lock(name, 3600);
  if (!run) return std::move(run).error();
  auto const state = VS_TRY(run->read());
  // Stopped by a command that held the lock, or started anew since.
  if (!state || state->guard.pid != ::getpid()) return {};
  bool const reboot = status >= 0 && WIFSIGNALED(status) && WTERMSIG(status) == SIGHUP;
  auto const config = load_config(name);
  if (!config) {
    VS_TRY(clear_run(*run));
    return std::move(config).error();
  }
  // The guest is gone already; its scripts take away what they have made around it.
  Hooks hooks{*config, Hooks::Phase::Stop, {}};
  VS_TRY(hooks.run("pre-stop"));
  VS_TRY(hooks.run("post-stop"));
  VS_TRY(clear_run(*run, &hooks));
  if (!reboot) return {};
  { RunDir const released = std::move(*run); }
  return start_guest(name);
}

}  // namespace vs
