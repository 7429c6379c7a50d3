// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/exec.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <optional>

#include "base/scope_exit.h"
#include "base/text.h"
#include "context/flags.h"
#include "context/seccomp.h"
#include "guest/config.h"
#include "guest/paths.h"
#include "guest/stage_plan.h"
#include "guest/state.h"
#include "limit/apply.h"
#include "sys/file.h"

namespace vs {

namespace {

void copy_window_size(FdRef master) {
  winsize size{};
  if (::ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0) ::ioctl(master.get(), TIOCSWINSZ, &size);
}

// Copies what is ready from one descriptor to the other; false at the end, or at the byte `stop`.
bool pump(int from, int to, int stop = -1) {
  std::array<char, 4096> buffer{};
  auto const n = ::read(from, buffer.data(), buffer.size());
  if (n <= 0) return n < 0 && (errno == EAGAIN || errno == EINTR);
  if (stop >= 0 &&
      std::find(buffer.begin(), buffer.begin() + n, static_cast<char>(stop)) != buffer.begin() + n)
    return false;
  return write_all(FdRef::raw(to), {buffer.data(), static_cast<std::size_t>(n)}, "terminal")
      .has_value();
}

// Joins our terminal to the guest's until the guest's side is closed.
//   stop   a byte from our side that ends it as well; -1: none
void relay(FdRef master, int stop = -1) {
  termios saved{};
  bool const tty = ::tcgetattr(STDIN_FILENO, &saved) == 0;
  ScopeExit const restore{[&]() noexcept {
    if (tty) ::tcsetattr(STDIN_FILENO, TCSADRAIN, &saved);
  }};
  if (tty) {
    termios raw = saved;
    ::cfmakeraw(&raw);
    ::tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
  }
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGWINCH);
  ::sigprocmask(SIG_BLOCK, &signals, nullptr);
  Fd const winch{::signalfd(-1, &signals, SFD_CLOEXEC)};
  copy_window_size(master);
  std::array<pollfd, 3> fds{pollfd{STDIN_FILENO, POLLIN, 0}, pollfd{master.get(), POLLIN, 0},
                            pollfd{winch.get(), POLLIN, 0}};
  for (;;) {
    if (::poll(fds.data(), fds.size(), -1) < 0 && errno != EINTR) return;
    if (fds[2].revents != 0) {
      signalfd_siginfo info{};
      [[maybe_unused]] auto const n = ::read(winch.get(), &info, sizeof info);
      copy_window_size(master);
    }
    if (fds[0].revents != 0 && !pump(STDIN_FILENO, master.get(), stop)) {
      if (stop >= 0) return;
      constexpr char kEndOfFile = 4;
      [[maybe_unused]] auto const n = ::write(master.get(), &kEndOfFile, 1);
      fds[0].fd = -1;
    }
    if (fds[1].revents != 0 && !pump(master.get(), STDOUT_FILENO)) return;
  }
}

Result<StagePlan> plan_exec(const GuestConfig& config, const RunState& state,
                            const ExecRequest& request) {
  bool const terminal = request.terminal == Terminal::Always ||
                        (request.terminal == Terminal::Auto && ::isatty(STDIN_FILENO) == 1 &&
                         ::isatty(STDOUT_FILENO) == 1);
  StagePlan plan;
  plan.cwd = request.cwd;
  plan.argv = request.argv;
  plan.envp = config.environment;
  const char* term = std::getenv("TERM");
  plan.envp.push_back(fmt::format("TERM={}", term != nullptr ? term : "linux"));
  plan.envp.push_back(fmt::format("HOME={}", request.user.home));
  for (const char* key : {"USER", "LOGNAME"})
    plan.envp.push_back(fmt::format("{}={}", key, request.user.name));
  plan.envp.emplace_back("container=vserver");
  plan.envp.insert(plan.envp.end(), request.env.begin(), request.env.end());
  auto& header = plan.header;
  header.mode = stage::Mode::Exec;
  header.flags = (state.userns ? stage::kUserNs : 0U) | (terminal ? stage::kTerminal : 0U);
  header.base_id = state.userns ? state.xid << 16U : 0;
  header.uid = request.user.uid;
  header.gid = request.user.gid;
  header.ns_flags = state.ns_flags;
  header.capabilities = config.capabilities;
  for (auto const& limit : limits_of_process(state.init.pid))
    plan.limits.push_back({static_cast<std::uint32_t>(limit.resource), 0, limit.soft, limit.hard});
  if (config.seccomp) plan.filter = VS_TRY(cached_seccomp(Paths::get().cache, !config.userns));
  return plan;
}

// The program inherits it from us: what init has, so that entering is no way around a bias.
Status take_oom_score(int init) {
  auto const score = VS_TRY(read_file(fmt::format("/proc/{}/oom_score_adj", init)));
  auto const own = VS_TRY(read_file("/proc/self/oom_score_adj"));
  return score == own ? Status{} : write_knob("/proc/self/oom_score_adj", trim(score));
}

}  // namespace

Status relay_console(FdRef socket) {
  constexpr int kCtrlBracket = 0x1d;
  relay(socket, kCtrlBracket);
  return {};
}

Result<int> exec_in_guest(const std::string& name, const ExecRequest& request) {
  VS_TRY(check_standard_descriptors());
  auto const config = VS_TRY(load_config(name));
  auto const state = VS_TRY(RunDir::read_state(name));
  ContextCgroup const cgroup{VS_TRY(CgroupHost::find()), name};
  if (!state || !cgroup.populated())
    return Error::make(Errc::NotRunning, "guest '{}' is not running", name)
        .hint(fmt::format("vserver {} start", name));
  if ((config.context_flags & cflag::kPrivate) != 0)
    return Error::make(Errc::Unsupported, "guest '{}' is private: nobody enters it", name)
        .hint("the flag 'private' in its cflags says so");
  Fd const init = VS_TRY(open_process(state->init), "guest '{}': its init", name);
  Fd const group = VS_TRY(cgroup.open_beside(state->init.pid));
  StageFds fds;
  fds.cgroup = group.get();
  fds.init = init.get();
  fds.v1_procs = VS_TRY(cgroup.open_v1_procs());
  auto const plan = VS_TRY(plan_exec(config, *state, request));
  VS_TRY(take_oom_score(state->init.pid));
  auto stage = VS_TRY(run_stage(plan, fds));
  auto reports = follow_stage(stage.reports, [](int) { return Status{}; });
  if (!reports) {
    auto error = std::move(reports).error().context(fmt::format("guest '{}'", name));
    // The helper ends by itself and reaps its child; killed before, it would leave a zombie.
    VS_TRY(stage.child.wait());
    if (error.code() != Errc::NotFound) return error;
    fmt::print(stderr, "vserver: {}\n", error.message());
    return error.sys() == ENOENT ? 127 : 126;
  }
  if (!reports->descriptors.empty()) relay(reports->descriptors[0]);
  return stage.child.wait();
}

Result<std::vector<std::string>> login_shell(const std::string& name) {
  auto const config = VS_TRY(load_config(name));
  if (!config.shell.empty()) return config.shell;
  Fd const root = VS_TRY(open_path(config.vdir, O_PATH | O_DIRECTORY));
  if (open_at(root, "bin/bash", O_PATH, Resolve::InRoot))
    return std::vector<std::string>{"/bin/bash", "-login"};
  return std::vector<std::string>{"/bin/sh", "-l"};
}

}  // namespace vs
