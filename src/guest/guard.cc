// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/guard.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <optional>

#include "base/log.h"
#include "base/scope_exit.h"
#include "base/test_seam.h"
#include "guest/hooks.h"
#include "guest/paths.h"
#include "guest/start.h"
#include "guest/stop.h"
#include "guest/sweep.h"
#include "guest/units.h"
#include "sys/file.h"

namespace vs {

Ending ending_of(int wait_status) {
  if (wait_status < 0) return Ending::Unknown;
  // pid_namespaces(7): reboot(2) inside ends init as if by one of these signals.
  if (WIFSIGNALED(wait_status) && WTERMSIG(wait_status) == SIGHUP) return Ending::Reboot;
  if (WIFSIGNALED(wait_status) && WTERMSIG(wait_status) == SIGINT) return Ending::Clean;
  return wait_status == 0 ? Ending::Clean : Ending::Failed;
}

std::string_view describe(Ending ending) {
  switch (ending) {
    case Ending::Clean: return "it ended";
    case Ending::Reboot: return "it asked for a reboot";
    case Ending::Failed: return "its init failed";
    case Ending::Unknown: return "it ended while its guard was away";
  }
  return "";
}

bool starts_again(RestartPolicy policy, Ending ending) {
  switch (policy) {
    case RestartPolicy::No: return false;
    case RestartPolicy::OnReboot: return ending == Ending::Reboot;
    case RestartPolicy::OnFailure: return ending != Ending::Clean;
    case RestartPolicy::Always: return true;
  }
  return false;
}

unsigned back_off_s(unsigned restarts) {
  constexpr unsigned kLongest = 60;
  if (restarts < 2) return 0;
  return restarts > 7 ? kLongest : std::min(kLongest, 1U << (restarts - 2));
}

namespace {

// A guest that ran this long was not in a loop of restarts.
constexpr std::int64_t kSettled = 60;

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

// Under a service manager the descriptors survive the guard: a new one gets them back.
void keep_descriptors(const GuardFds& fds) {
  std::array const named{std::pair{"console", fds.console}, std::pair{"notify", fds.notify},
                         std::pair{"listen", fds.listen}};
  for (auto const& [name, fd] : named) {
    notify_manager(fmt::format("FDSTOREREMOVE=1\nFDNAME={}", name));
    // Without FDPOLL=0 a console that no process has open would be dropped.
    if (fd >= 0) notify_manager(fmt::format("FDSTORE=1\nFDPOLL=0\nFDNAME={}", name), fd);
  }
}

// Puts descriptors where vs-guard looks for them; absent ones are closed there.
Status place_descriptors(const std::array<int, 4>& sources) {
  constexpr int kFirst = 3;
  std::vector<Fd> lifted;
  lifted.reserve(sources.size());
  for (int const fd : sources)
    lifted.emplace_back(fd < 0 ? -1 : ::fcntl(fd, F_DUPFD_CLOEXEC, 64));
  for (std::size_t i = 0; i < lifted.size(); ++i) {
    int const target = static_cast<int>(i) + kFirst;
    ::close(target);
    if (lifted[i] && ::dup2(lifted[i].get(), target) < 0) return Error::system(errno, "dup2");
  }
  return {};
}

// 0 and 1 are nothing; 2 stays the journal under systemd and is the guest's log elsewhere.
Status redirect_output(const std::string& log) {
  Fd const null = VS_TRY(open_path("/dev/null", O_RDWR));
  ::dup2(null.get(), 0);
  ::dup2(null.get(), 1);
  if (units_used()) return {};
  auto const file = open_path(log, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0600);
  ::dup2(file ? file->get() : null.get(), 2);
  return {};
}

// A pidfd of init; none of one that has ended already, whose status the guard then asks for at
// once.
Result<Fd> open_init(const ProcessId& init) {
  if (init.start_time == 0) return Fd{};
  auto fd = open_process(init);
  if (!fd && fd.error().sys() == ESRCH) return Fd{};
  return fd;
}

}  // namespace

Status become_guard(const RunDir& run, RunState& state, const GuardFds& fds) {
  VS_TRY(test_seam("guard"));
  std::string const& name = run.name();
  GuardFds all = fds;
  Fd listener;
  if (all.listen < 0 && all.console >= 0) {
    listener = VS_TRY(listen_console(name));
    all.listen = listener.get();
  }
  Fd const init = VS_TRY(open_init(state.init));
  // From the moment that others find us in the state on they may ask for an upgrade, and vs-guard
  // hears that only some time after the exec.
  sigset_t hangup;
  sigemptyset(&hangup);
  sigaddset(&hangup, SIGHUP);
  ::sigprocmask(SIG_BLOCK, &hangup, nullptr);
  ScopeExit const failed{[&]() noexcept { ::sigprocmask(SIG_UNBLOCK, &hangup, nullptr); }};
  state.guard = VS_TRY(identify(::getpid()));
  VS_TRY(run.write(state));
  std::string const logs = fmt::format("{}/log", Paths::get().cache);
  VS_TRY(make_dirs(logs, 0700));
  std::string const log = fmt::format("{}/{}", logs, name);
  if (units_used()) keep_descriptors(all);
  notify_manager(fmt::format("READY=1\nSTATUS=init of '{}' is process {}", name, state.init.pid));
  VS_TRY(redirect_output(log));
  VS_TRY(place_descriptors({all.console, all.notify, all.listen, init.get()}));
  ::close_range(7, ~0U, CLOSE_RANGE_CLOEXEC);
  std::string const guard = Paths::get().libexec + "/vs-guard";
  ::execl(guard.c_str(), guard.c_str(), "1", Paths::get().self.c_str(), name.c_str(),
          std::to_string(state.init.pid).c_str(), log.c_str(), run_path(name, "ready").c_str(),
          nullptr);
  return Error::system(errno, "exec {}", guard);
}

namespace {

// Waits without the lock, so that stop and start are not kept waiting. The lock again, or nothing
// when another command has taken the guest over.
Result<std::optional<RunDir>> back_off(RunDir run, RunState state, unsigned seconds) {
  std::string const name = run.name();
  state.phase = Phase::Waiting;
  state.init = {};
  state.cleanup.clear();
  state.guard = VS_TRY(identify(::getpid()));
  VS_TRY(run.write(state));
  { RunDir const released = std::move(run); }
  for (unsigned left = seconds; left > 0;)
    left = ::sleep(left);
  RunDir again = VS_TRY(RunDir::lock(name, 3600));
  auto const now = VS_TRY(again.read());
  if (!now || now->guard != state.guard) return std::optional<RunDir>{};
  VS_TRY(again.clear());
  return std::optional<RunDir>{std::move(again)};
}

// The guest is gone already; its scripts take away what they have made around it.
Status clear_with_hooks(const RunDir& run, const RunState& state, const GuestConfig& config) {
  Hooks hooks{config, Hooks::Phase::Stop, {}};
  if (state.phase != Phase::Stopping) VS_TRY(hooks.run("pre-stop"));
  VS_TRY(hooks.run("post-stop"));
  return clear_run(run, &hooks);
}

Status end_run(RunDir run, const RunState& state, Ending ending) {
  std::string const name = run.name();
  auto const config = load_config(name);
  VS_TRY(config ? clear_with_hooks(run, state, *config) : clear_run(run));
  if (!config || state.rescue != 0 || state.phase == Phase::Stopping ||
      !starts_again(config->restart, ending)) {
    { RunDir const released = std::move(run); }
    if (units_used()) stopped_by_units(name, false);
    return {};
  }
  bool const settled = ::time(nullptr) - state.started >= kSettled;
  unsigned const restarts = settled ? 0 : state.restarts + 1;
  if (unsigned const seconds = back_off_s(restarts); seconds != 0) {
    info("guest '{}': {}; starts again in {} s", name, describe(ending), seconds);
    auto again = VS_TRY(back_off(std::move(run), state, seconds));
    if (!again) return {};
    run = std::move(*again);
  }
  if (units_used()) {
    Error const error = start_in_place(std::move(run), restarts);
    stopped_by_units(name, false);
    return error;
  }
  { RunDir const released = std::move(run); }
  return start_guest(name, restarts);
}

// Becomes the guard of a guest that runs without one. Returns only on failure.
Status adopt_guest(const RunDir& run, RunState& state) {
  auto const kept = take_kept_descriptors();
  auto const find = [&](std::string_view name) {
    for (auto const& [label, fd] : kept) {
      if (label == name) return fd.get();
    }
    return -1;
  };
  GuardFds const fds{find("console"), find("notify"), find("listen")};
  if (fds.console < 0) ::unlink(run_path(run.name(), "console").c_str());
  return become_guard(run, state, fds);
}

bool lives(const ProcessId& id) {
  auto const now = identify(id.pid);
  return id.pid != 0 && now && *now == id;
}

// A new process that adopts the guest; done when it has become the guard.
Status start_watcher(const RunDir& run, RunState& state) {
  ContextCgroup cgroup{VS_TRY(CgroupHost::find()), run.name()};
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return Error::system(errno, "pipe");
  Fd const ours{ends[0]};
  Fd theirs{ends[1]};
  Fd const guard = VS_TRY(cgroup.create_guard());
  pid_t const pid = VS_TRY(fork_into(guard));
  if (pid == 0) {
    ::setsid();
    auto const done = adopt_guest(run, state);
    auto const text = done ? std::string{"?"} : done.error().message();
    [[maybe_unused]] auto const n = ::write(theirs.get(), text.data(), text.size());
    ::_exit(1);
  }
  theirs.reset();
  auto const text = VS_TRY(read_all(ours));
  if (text.empty()) return {};
  ::waitpid(pid, nullptr, 0);
  return Error::make(Errc::System, "{}", text);
}

}  // namespace

Status guest_ended(const std::string& name, int status) {
  auto run = VS_TRY(RunDir::lock(name, 3600));
  auto const state = VS_TRY(run.read());
  // Stopped by a command that held the lock, or started anew since.
  if (!state || state->guard.pid != ::getpid()) return {};
  return end_run(std::move(run), *state, ending_of(status));
}

Result<int> guard_guest(const std::string& name) {
  auto run = VS_TRY(RunDir::lock(name, 3600));
  auto state = VS_TRY(run.read());
  bool const asked = take_start_request(name);
  if (is_running(name)) {
    if (!state) {
      return Error::make(Errc::Internal, "guest '{}' runs, but nothing is known of its run", name)
          .hint(fmt::format("vserver {} stop", name));
    }
    return adopt_guest(run, *state).error();
  }
  if (asked) {
    Error const error = start_in_place(std::move(run), 0);
    leave_start_error(name, error);
    // In the journal as well; not as our own failure, which would be tried again.
    warn("guest '{}': {}", name, error.message());
    return kStartFailed;
  }
  notify_manager("READY=1");
  if (state) VS_TRY(end_run(std::move(run), *state, Ending::Unknown));
  return 0;
}

namespace {

// A guard whose program was replaced on disk goes on as the new one, if that understands it. What
// became of it; empty when it is up to date.
Result<std::string> renew_guard(const ProcessId& guard) {
  std::string const installed = Paths::get().libexec + "/vs-guard";
  std::string const link = fmt::format("/proc/{}/exe", guard.pid);
  auto const process = open_process(guard);
  auto const program = read_link_at(FdRef::cwd(), link);
  if (!process || !program || *program != installed + " (deleted)" || !exists(installed)) {
    return std::string{};
  }
  VS_TRY(signal_process(*process, SIGHUP), "renew the guard");
  for (int i = 0; i < 100; ++i) {
    auto const now = read_link_at(FdRef::cwd(), link);
    if (now && *now == installed) {
      return std::string{"its guard goes on as the program that is installed now"};
    }
    ::poll(nullptr, 0, 10);
  }
  return std::string{
      "its guard is of another version than the installed program: it stays as it is"};
}

}  // namespace

Result<std::vector<std::string>> repair_guest(const std::string& name) {
  RunDir run = VS_TRY(RunDir::lock(name, 30));
  std::vector<std::string> done = VS_TRY(sweep_changes(run));
  auto state = VS_TRY(run.read());
  ContextCgroup const cgroup{VS_TRY(CgroupHost::find()), name};
  bool const guarded = state && lives(state->guard);
  if (cgroup.populated()) {
    if (guarded) {
      if (auto text = VS_TRY(renew_guard(state->guard)); !text.empty()) done.push_back(text);
      return done;
    }
    if (!state) {
      return Error::make(Errc::Internal, "guest '{}' runs, but nothing is known of its run", name)
          .hint(fmt::format("'vserver {} stop' ends its processes", name));
    }
    if (units_used()) {
      { RunDir const released = std::move(run); }
      VS_TRY(systemctl({"restart", guard_unit(name)}));
    } else {
      VS_TRY(start_watcher(run, *state), "bring the guard back");
    }
    done.emplace_back("its guard was gone: a new one watches it");
    if (!exists(run_path(name, "console")))
      done.emplace_back("its console is lost until the next start, readiness is not noted");
    return done;
  }
  // A guard that lives is about to end the run, or waits to start it again.
  if (guarded || (!state && !cgroup.left_over())) return done;
  VS_TRY(clear_run(run));
  done.emplace_back("cleared what a run left that ended unseen");
  return done;
}

Result<std::vector<std::string>> known_runs() {
  auto names = guests_with_cgroup(VS_TRY(CgroupHost::find()));
  if (auto const dir = open_path(Paths::get().run + "/guests", O_RDONLY | O_DIRECTORY)) {
    for (auto& name : VS_TRY(list_dir(*dir)))
      names.push_back(std::move(name));
  }
  // Contexts without a guest have no guard, and end with their last process.
  std::erase_if(names, [](const std::string& name) { return is_context_name(name); });
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

}  // namespace vs
