// SPDX-License-Identifier: GPL-2.0-or-later
#include "sys/process.h"

#include <linux/capability.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

#include "base/text.h"
#include "sys/file.h"

namespace vs {

namespace {

Result<Fd> sealable(const char* name) {
  Fd fd{::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING)};
  if (!fd) return Error::system(errno, "memfd {}", name);
  return fd;
}

Result<Fd> seal(Fd fd, const char* name) {
  if (::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0)
    return Error::system(errno, "seal {}", name);
  return fd;
}

}  // namespace

Result<Fd> make_sealed(const char* name, std::string_view bytes) {
  Fd fd = VS_TRY(sealable(name));
  VS_TRY(write_all(fd, bytes, name));
  return seal(std::move(fd), name);
}

Result<Fd> seal_copy(const char* name, FdRef file, std::size_t size) {
  Fd fd = VS_TRY(sealable(name));
  off_t at = 0;
  while (static_cast<std::size_t>(at) < size) {
    auto const n = ::sendfile(fd.get(), file.get(), &at, size - static_cast<std::size_t>(at));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return Error::system(n < 0 ? errno : EIO, "copy {}", name);
  }
  return seal(std::move(fd), name);
}

Child::~Child() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

Result<int> Child::wait() {
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0) {
    if (errno != EINTR) return Error::system(errno, "wait for process {}", pid_);
  }
  pid_ = -1;
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

namespace {

enum class ChildStep : std::int32_t { Signals = 1, Session, Fds, Exec };

struct ChildArgs {  // plain data only
  int exe;
  char* const* argv;
  char* const* envp;
  const std::pair<int, int>* fds;
  std::size_t n_fds;
  bool new_session;
  int error_fd;
};

struct ChildError {
  ChildStep step;
  std::int32_t err;
};

// What runs in the child: a sanitizer would take its frames for the parent's, whose memory it uses.
#define VS_BARE __attribute__((noinline, no_sanitize("address", "undefined")))

[[noreturn]] VS_BARE void child_fail(int fd, ChildStep step) noexcept {
  ChildError const error{step, errno};
  [[maybe_unused]] auto const n = ::write(fd, &error, sizeof error);
  ::_exit(127);
}

// The parent's handlers must not run in the child; what is ignored stays so, as after fork(2).
VS_BARE void forget_handlers() noexcept {
  for (int signal = 1; signal < NSIG; ++signal) {
    struct sigaction now;
    if (::sigaction(signal, nullptr, &now) != 0 || now.sa_handler == SIG_IGN ||
        now.sa_handler == SIG_DFL)
      continue;
    now.sa_handler = SIG_DFL;
    now.sa_flags = 0;
    ::sigaction(signal, &now, nullptr);
  }
}

// Runs in the child, in the parent's memory and with all signals blocked. System calls only: no
// allocation, no locks, no logging, no glibc function that uses a cached thread id.
[[noreturn]] VS_BARE void child_main(const ChildArgs& a) noexcept {
  forget_handlers();
  sigset_t none;
  ::sigemptyset(&none);
  if (::sigprocmask(SIG_SETMASK, &none, nullptr) != 0) child_fail(a.error_fd, ChildStep::Signals);
  if (a.new_session && ::setsid() < 0) child_fail(a.error_fd, ChildStep::Session);
  for (std::size_t i = 0; i < a.n_fds; ++i) {
    if (::dup2(a.fds[i].first, a.fds[i].second) < 0) child_fail(a.error_fd, ChildStep::Fds);
  }
  ::syscall(SYS_execveat, a.exe, "", a.argv, a.envp, AT_EMPTY_PATH);
  child_fail(a.error_fd, ChildStep::Exec);
}

VS_BARE int enter_child(void* args) {
  child_main(*static_cast<const ChildArgs*>(args));
}

struct Born {
  pid_t pid;
  int pidfd;
};

// vfork(2) with a stack of its own: no page is copied, and the parent goes on after the exec.
Result<Born> born_here(ChildArgs& args) {
  alignas(16) std::array<char, 16384> stack;  // not cleared
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, &before);
  Born out{-1, -1};
  out.pid = ::clone(enter_child, stack.data() + stack.size(),
                    CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &args, &out.pidfd);
  int const err = errno;
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  if (out.pid < 0) return Error::system(err, "clone");
  return out;
}

// clone(2) cannot do this.
Result<Born> born_in_cgroup(const ChildArgs& args, int cgroup) {
  Born out{-1, -1};
  clone_args request{};
  request.flags = CLONE_PIDFD | CLONE_CLEAR_SIGHAND | CLONE_INTO_CGROUP;
  request.pidfd = reinterpret_cast<std::uint64_t>(&out.pidfd);
  request.exit_signal = SIGCHLD;
  request.cgroup = static_cast<std::uint64_t>(cgroup);
  out.pid = static_cast<pid_t>(::syscall(SYS_clone3, &request, sizeof request));
  if (out.pid == 0) child_main(args);
  if (out.pid < 0) return Error::system(errno, "clone");
  return out;
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> out;
  out.reserve(texts.size() + 1);
  for (auto const& text : texts)
    out.push_back(const_cast<char*>(text.c_str()));
  out.push_back(nullptr);
  return out;
}

// A copy of every source above all targets, so that a dup2 can hit neither a source nor the error
// pipe. Copies are close-on-exec; what dup2 makes of them is not.
Result<std::vector<Fd>> lift(const SpawnPlan& plan, std::vector<std::pair<int, int>>& fds) {
  int floor = 64;
  for (auto const& [from, to] : plan.fds)
    floor = std::max(floor, to + 1);
  std::vector<Fd> copies;
  for (auto const& [from, to] : plan.fds) {
    Fd copy{::fcntl(from, F_DUPFD_CLOEXEC, floor)};
    if (!copy) return Error::system(errno, "duplicate descriptor {}", from);
    fds.emplace_back(copy.get(), to);
    copies.push_back(std::move(copy));
  }
  return copies;
}

Status read_error(FdRef pipe) {
  ChildError error{};
  for (;;) {
    auto const n = ::read(pipe.get(), &error, sizeof error);
    if (n < 0 && errno == EINTR) continue;
    if (n == 0) return {};  // exec closed the pipe
    if (n != sizeof error) return Error::make(Errc::Internal, "the child's report is broken");
    break;
  }
  constexpr std::array kSteps{"", "unblock signals", "new session", "pass descriptors", "exec"};
  return Error::system(error.err, "{}", kSteps.at(static_cast<std::size_t>(error.step)));
}

}  // namespace

Result<Child> spawn(const SpawnPlan& plan) {
  std::array<int, 2> pipe_ends{};
  if (::pipe2(pipe_ends.data(), O_CLOEXEC) != 0) return Error::system(errno, "pipe");
  Fd const read_end{pipe_ends[0]};
  Fd write_end{pipe_ends[1]};
  std::vector<std::pair<int, int>> fds;
  auto const copies = VS_TRY(lift(plan, fds));
  Fd error_fd{::fcntl(write_end.get(), F_DUPFD_CLOEXEC, 200)};
  Fd const exe{::fcntl(plan.exe, F_DUPFD_CLOEXEC, 200)};
  if (!error_fd || !exe) return Error::system(errno, "duplicate descriptor");
  auto const argv = pointers(plan.argv);
  auto const envp = pointers(plan.envp);
  ChildArgs args{exe.get(),  argv.data(),      envp.data(),   fds.data(),
                 fds.size(), plan.new_session, error_fd.get()};
  auto const born = VS_TRY(plan.cgroup < 0 ? born_here(args) : born_in_cgroup(args, plan.cgroup));
  Child child{born.pid, Fd{born.pidfd}};
  write_end.reset();
  error_fd.reset();
  VS_TRY(read_error(read_end));
  return child;
}

Result<std::string> find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) return name;
  const char* path = std::getenv("PATH");
  for (auto const dir : split(path != nullptr ? path : "/usr/sbin:/usr/bin:/sbin:/bin", ':')) {
    auto candidate = fmt::format("{}/{}", dir, name);
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return Error::make(Errc::NotFound, "program '{}' is not installed", name);
}

Result<Child> spawn_program(const std::vector<std::string>& argv,
                            std::vector<std::pair<int, int>> fds) {
  auto const path = VS_TRY(find_program(argv.at(0)));
  // A script is run by a shell that opens it by name: its descriptor must not be close-on-exec, and
  // /bin/sh -c 'exec "$0" "$@"' gives just that without a parser of "#!" lines here.
  Fd const shell = VS_TRY(open_path("/bin/sh", O_PATH));
  SpawnPlan plan;
  plan.exe = shell.get();
  plan.argv = {"sh", "-c", R"(exec "$0" "$@")", path};
  plan.argv.insert(plan.argv.end(), argv.begin() + 1, argv.end());
  for (char** e = environ; *e != nullptr; ++e)
    plan.envp.emplace_back(*e);
  plan.fds = std::move(fds);
  return VS_TRY(spawn(plan), "run {}", argv[0]);
}

Result<int> run_program(const std::vector<std::string>& argv) {
  Fd const null = VS_TRY(open_path("/dev/null", O_RDWR));
  Child child = VS_TRY(spawn_program(argv, {{null.get(), 0}}));
  return child.wait();
}

Result<pid_t> fork_into(FdRef cgroup, std::uint64_t flags) {
  clone_args request{};
  request.flags = CLONE_INTO_CGROUP | flags;
  request.exit_signal = SIGCHLD;
  request.cgroup = static_cast<std::uint64_t>(cgroup.get());
  auto const pid = static_cast<pid_t>(::syscall(SYS_clone3, &request, sizeof request));
  if (pid < 0) return Error::system(errno, "clone");
  return pid;
}

namespace {

// The fields of a process from its state on; none when there is no such process.
std::vector<std::string> stat_fields(pid_t pid) {
  auto const text = read_file(fmt::format("/proc/{}/stat", pid));
  // The name may hold blanks and parentheses: fields start after the last ')'.
  auto const close = text ? text->rfind(')') : std::string::npos;
  if (close == std::string::npos) return {};
  auto const words = split_words(std::string_view{*text}.substr(close + 1));
  return {words.begin(), words.end()};
}

}  // namespace

Result<ProcessId> identify(pid_t pid) {
  auto const fields = stat_fields(pid);
  if (fields.size() < 20 || fields[0] == "Z" || fields[0] == "X")
    return Error::system(ESRCH, "process {}", pid);
  return ProcessId{pid, parse_decimal(fields[19]).value_or(0)};
}

bool is_ending(pid_t pid) {
  constexpr std::uint64_t kExiting = 4;  // PF_EXITING
  auto const fields = stat_fields(pid);
  return fields.size() < 7 || (parse_decimal(fields[6]).value_or(0) & kExiting) != 0;
}

Result<Fd> open_process(const ProcessId& id) {
  Fd fd{static_cast<int>(::syscall(SYS_pidfd_open, id.pid, 0))};
  if (!fd) return Error::system(errno, "process {}", id.pid);
  // Checked after the open: what the pidfd names now cannot change any more.
  if (VS_TRY(identify(id.pid)) != id) return Error::system(ESRCH, "process {}", id.pid);
  return fd;
}

Status signal_process(FdRef pidfd, int signal) {
  if (::syscall(SYS_pidfd_send_signal, pidfd.get(), signal, nullptr, 0) != 0)
    return Error::system(errno, "signal {}", signal);
  return {};
}

bool has_capability(int capability) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets{};
  if (::syscall(SYS_capget, &header, sets.data()) != 0) return false;
  auto const n = static_cast<std::size_t>(capability);
  return (sets.at(n / 32).effective >> (n % 32) & 1U) != 0;
}

}  // namespace vs
