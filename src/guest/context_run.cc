// SPDX-License-Identifier: GPL-2.0-or-later
// How a program gets into a context without a guest.
#include "guest/context_run.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

#include "base/log.h"
#include "context/device.h"
#include "context/flags.h"
#include "context/seccomp.h"
#include "guest/config.h"
#include "guest/context.h"
#include "guest/paths.h"
#include "guest/stage_plan.h"
#include "guest/state.h"
#include "limit/apply.h"
#include "rootfs/tree_plan.h"
#include "sys/file.h"
#include "sys/own_mounts.h"
#include "sys/privilege.h"

namespace vs {

Error exec_words(const std::vector<std::string>& argv) {
  std::vector<char*> words;
  words.reserve(argv.size() + 1);
  for (auto const& word : argv)
    words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  std::fflush(nullptr);
  ::execvp(words[0], words.data());
  return Error::system(errno, "exec {}", argv[0]).with_code(Errc::NotFound);
}

namespace {

bool in_setup(const GuestConfig& config) {
  return (config.context_flags & cflag::kStateSetup) != 0;
}

// Without CAP_SYS_ADMIN its root shall not get by files of the kernel what it cannot get by calls.
bool is_restricted(const GuestConfig& config) {
  return !in_setup(config) && (config.capabilities >> CAP_SYS_ADMIN & 1U) == 0;
}

Status restrict_files() {
  for (auto const& path : hidden_paths())
    VS_TRY(hide_path(path));
  for (auto const& path : read_only_paths())
    VS_TRY(make_read_only(path));
  return make_read_only("/sys");
}

// The system call filter of the context; empty when it has none.
Result<std::string> filter_of(const GuestConfig& config) {
  if (!is_restricted(config) || !config.seccomp) return std::string{};
  return cached_seccomp(Paths::get().cache, true, config.context_flags,
                        config.context_capabilities);
}

// The last steps of a program on its way into a context that it is in already.
Error become_program(const GuestConfig& config, const std::string& filter,
                     const ContextProgram& program) {
  auto const give_up = [&]() -> Status {
    if (in_setup(config)) return {};
    if (!filter.empty()) VS_TRY(load_filter(filter));
    return bound_capabilities(config.capabilities);
  };
  if (auto done = give_up(); !done) return std::move(done).error();
  if (program.uid) {
    if (auto done = become_user({*program.uid, *program.uid, {}}); !done)
      return std::move(done).error();
  }
  for (int signal = 1; signal < NSIG; ++signal)
    ::signal(signal, SIG_DFL);
  return exec_words(program.argv);
}

// What the command and process 1 of a new context say to each other.
struct Pipes {
  Fd go_read, go_write;        // one byte: go on
  Fd wrong_read, wrong_write;  // the error that kept the program from running; closed by exec
  Fd ended_read, ended_write;  // wait status of the program
};

Result<std::pair<Fd, Fd>> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return Error::system(errno, "pipe");
  return std::pair{Fd{ends[0]}, Fd{ends[1]}};
}

struct Ended {
  int status = 0;
  bool last = false;  // nobody else is in the context
};

pid_t forward_to = 0;
void forward(int signal) {
  if (forward_to > 0) ::kill(forward_to, signal);
}

void forward_signals(pid_t to) {
  forward_to = to;
  for (int const signal : {SIGTERM, SIGHUP, SIGUSR1, SIGUSR2})
    ::signal(signal, forward);
  // The terminal tells all of its session.
  ::signal(SIGINT, SIG_IGN);
  ::signal(SIGQUIT, SIG_IGN);
}

[[noreturn]] void tell_wrong(FdRef pipe, const Error& error) {
  auto const text = error.message() + '\n' + error.hint();
  [[maybe_unused]] auto const n = ::write(pipe.get(), text.data(), text.size());
  ::_exit(error.code() == Errc::NotFound ? 127 : 126);
}

// Process 1 of a context whose program is not its init: buries what ends, and ends with the last.
[[noreturn]] void reap(pid_t program, const Pipes& pipes) {
  forward_signals(program);
  // Nothing of the command's may hang on this process: no stream, no lock.
  constexpr int kEnded = 3;
  ::dup2(pipes.ended_write.get(), kEnded);
  ::close_range(0, kEnded - 1, 0);
  ::close_range(kEnded + 1, ~0U, 0);
  for (;;) {
    int status = 0;
    pid_t const gone = ::waitpid(-1, &status, 0);
    if (gone < 0 && errno == EINTR) continue;
    if (gone < 0) ::_exit(0);
    if (gone != program) continue;
    forward_to = 0;
    siginfo_t left{};
    Ended const ended{status, ::waitid(P_ALL, 0, &left, WEXITED | WNOHANG | WNOWAIT) < 0};
    [[maybe_unused]] auto const n = ::write(kEnded, &ended, sizeof ended);
    ::close(kEnded);
  }
}

Status enter_background() {
  if (::setsid() < 0) return Error::system(errno, "new session");
  Fd const null = VS_TRY(open_path("/dev/null", O_RDONLY));
  if (::dup2(null.get(), STDIN_FILENO) < 0) return Error::system(errno, "dup2");
  return {};
}

// Mounts, names and limits of a new context, by its first process.
Status furnish(const GuestConfig& config, const RunState& state, const ContextProgram& program,
               std::vector<Fd>& v1) {
  for (auto const& tasks : v1)
    VS_TRY(write_all(tasks, "0", "join the cgroups"));
  v1.clear();
  if (program.background) VS_TRY(enter_background());
  VS_TRY(make_mounts_slave());
  if (program.chroot) VS_TRY(pivot_here());
  VS_TRY(mount_own_proc());
  if (is_restricted(config)) VS_TRY(restrict_files());
  if ((state.ns_flags & CLONE_NEWUTS) == 0) return {};
  if (config.nodename != config.name &&
      ::sethostname(config.nodename.data(), config.nodename.size()) != 0)
    return Error::system(errno, "set the host name");
  if (!config.domainname.empty() &&
      ::setdomainname(config.domainname.data(), config.domainname.size()) != 0)
    return Error::system(errno, "set the domain name");
  return {};
}

// Read before the root can change: the filter of the program, and that of process 1.
struct Filters {
  std::string program;
  std::string reaper;
};

[[noreturn]] void be_first(const GuestConfig& config, const RunState& state,
                           const ContextProgram& program, const Filters& filters,
                           std::vector<Fd>& v1, Pipes& pipes) {
  pipes.go_write.reset();
  pipes.wrong_read.reset();
  pipes.ended_read.reset();
  char byte = 0;
  if (::read(pipes.go_read.get(), &byte, 1) != 1) ::_exit(126);
  if (auto done = furnish(config, state, program, v1); !done)
    tell_wrong(pipes.wrong_write, done.error());
  if (program.own_init)
    tell_wrong(pipes.wrong_write, become_program(config, filters.program, program));
  pid_t const pid = ::fork();
  if (pid < 0) tell_wrong(pipes.wrong_write, Error::system(errno, "fork"));
  if (pid == 0) {
    pipes.ended_write.reset();
    tell_wrong(pipes.wrong_write, become_program(config, filters.program, program));
  }
  // The context's root may trace what it sees: it shall gain nothing by process 1.
  if (!load_filter(filters.reaper) || !bound_capabilities(1ULL << CAP_KILL)) ::_exit(126);
  reap(pid, pipes);
}

int status_of(int status) {
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int wait_for(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

// Exit status of the first program; process 1 may live on with others.
int follow(pid_t init, const ContextProgram& program, Pipes& pipes) {
  forward_signals(init);
  if (program.own_init) return status_of(wait_for(init));
  Ended ended;
  ssize_t n = 0;
  do {
    n = ::read(pipes.ended_read.get(), &ended, sizeof ended);
  } while (n < 0 && errno == EINTR);
  if (n != sizeof ended) return status_of(wait_for(init));
  if (ended.last) wait_for(init);
  return status_of(ended.status);
}

Result<int> run_first(RunDir& run, RunState state, const GuestConfig& config, ContextCgroup& cgroup,
                      const ContextProgram& program) {
  if (is_restricted(config)) VS_TRY(restrict_devices(cgroup));
  // Namespaces that were kept have ended with the last process.
  for (const char* set : {"spaces-0", "spaces-1"})
    ::unlink(run_path(run.name(), set).c_str());
  Pipes pipes;
  std::tie(pipes.go_read, pipes.go_write) = VS_TRY(make_pipe());
  std::tie(pipes.wrong_read, pipes.wrong_write) = VS_TRY(make_pipe());
  std::tie(pipes.ended_read, pipes.ended_write) = VS_TRY(make_pipe());
  auto v1 = VS_TRY(cgroup.open_v1_procs());
  Fd const group = VS_TRY(cgroup.open_guest());
  Filters const filters{VS_TRY(filter_of(config)),
                        VS_TRY(cached_seccomp(Paths::get().cache, true))};
  std::fflush(nullptr);
  pid_t const init = VS_TRY(fork_into(group, state.ns_flags));
  if (init == 0) be_first(config, state, program, filters, v1, pipes);
  pipes.go_read.reset();
  pipes.wrong_write.reset();
  pipes.ended_write.reset();
  auto const known = [&]() -> Status {
    state.init = VS_TRY(identify(init));
    return run.write(state);
  }();
  if (!known) {
    pipes.go_write.reset();
    wait_for(init);
    return Error{known.error()};
  }
  [[maybe_unused]] auto const n = ::write(pipes.go_write.get(), "g", 1);
  auto const wrong = VS_TRY(read_all(pipes.wrong_read));
  if (!wrong.empty()) {
    int const code = status_of(wait_for(init));
    auto const end = wrong.find('\n');
    auto error =
        Error::make(code == 127 ? Errc::NotFound : Errc::System, "{}", wrong.substr(0, end));
    if (end + 1 < wrong.size()) return std::move(error).hint(wrong.substr(end + 1));
    return error;
  }
  if (program.background) return 0;
  // The lock is not for as long as the program runs.
  { RunDir const released = std::move(run); }
  return follow(init, program, pipes);
}

StagePlan plan_join(const GuestConfig& config, const RunState& state,
                    const ContextProgram& program) {
  StagePlan plan;
  plan.argv = program.argv;
  for (char** e = environ; *e != nullptr; ++e)
    plan.envp.emplace_back(*e);
  std::array<char, 4096> cwd{};
  if (!program.chroot && ::getcwd(cwd.data(), cwd.size()) != nullptr) plan.cwd = cwd.data();
  auto& header = plan.header;
  header.mode = stage::Mode::Exec;
  header.flags = program.background ? stage::kBackground : stage::kKeepSession;
  header.uid = header.gid = program.uid.value_or(0);
  header.ns_flags = state.ns_flags;
  header.capabilities = in_setup(config) ? all_capabilities() : config.capabilities;
  for (auto const& limit : limits_of_process(state.init.pid))
    plan.limits.push_back({static_cast<std::uint32_t>(limit.resource), 0, limit.soft, limit.hard});
  return plan;
}

// By vs-stage, as programs get into guests: a context's root may trace what it sees.
Result<int> join(const RunState& state, const GuestConfig& config, const ContextCgroup& cgroup,
                 const ContextProgram& program) {
  if (program.own_init) {
    return Error::make(Errc::Unsupported, "context {} has an init: process 1 is born with it",
                       state.xid);
  }
  Fd const init = VS_TRY(open_process(state.init), "its process 1");
  Fd const group = VS_TRY(cgroup.open_beside(state.init.pid));
  auto plan = plan_join(config, state, program);
  plan.filter = VS_TRY(filter_of(config));
  Fd null;
  if (program.background) {
    null = VS_TRY(open_path("/dev/null", O_RDONLY));
    plan.stdio[0] = null.get();
  }
  StageFds fds;
  fds.cgroup = group.get();
  fds.init = init.get();
  fds.v1_procs = VS_TRY(cgroup.open_v1_procs());
  auto stage = VS_TRY(run_stage(plan, fds));
  auto reports = follow_stage(stage.reports, [](int) { return Status{}; });
  if (!reports) {
    auto error = std::move(reports).error();
    VS_TRY(stage.child.wait());
    return error;
  }
  forward_signals(stage.child.pid());
  return stage.child.wait();
}

}  // namespace

Result<int> run_in_context(std::uint32_t xid, const ContextProgram& program) {
  auto const name = context_name(xid);
  auto run = VS_TRY(RunDir::lock(name, 30));
  auto const state = VS_TRY(run.read());
  ContextCgroup cgroup{VS_TRY(CgroupHost::find()), name};
  if (!state || !cgroup.exists()) return Error::make(Errc::NotFound, "there is no context {}", xid);
  auto const config = VS_TRY(load_config(name));
  bool const was_used = state->init.pid != 0;
  if (was_used && has_ended(name)) {
    { RunDir const released = std::move(run); }
    collect_context(name);
    return Error::make(Errc::NotFound, "there is no context {}", xid);
  }
  bool const private_now =
      (config.context_flags & cflag::kPrivate) != 0 && !in_setup(config) && cgroup.populated();
  if (private_now)
    return Error::make(Errc::Unsupported, "context {} is private: nobody enters it", xid);
  if (cgroup.populated()) {
    { RunDir const released = std::move(run); }
    auto code = join(*state, config, cgroup, program);
    if (!program.background) collect_context(name);
    return code;
  }
  auto code = run_first(run, *state, config, cgroup, program);
  { RunDir const released = std::move(run); }
  if (!code || !program.background) collect_context(name);
  return code;
}

Error finish_setup(const ContextProgram& program) {
  std::string filter;
  auto const prepare = [&]() -> Result<GuestConfig> {
    auto const name = VS_TRY(own_context());
    if (!is_context_name(name))
      return Error::make(Errc::Usage, "the caller is in no context that could be set up");
    if (program.own_init && ::getpid() != 1) {
      return Error::make(Errc::Unsupported,
                         "a process gets the number 1 when it is born, not later")
          .hint("give --initpid to the 'vcontext --create' in front");
    }
    auto config = VS_TRY(load_config(name));
    config.context_flags &= ~cflag::kStateSetup;
    VS_TRY(write_entry(name, "cflags", fmt::format("~all,{:#x}", config.context_flags)));
    filter = VS_TRY(filter_of(config));
    if (is_restricted(config)) {
      ContextCgroup cgroup{VS_TRY(CgroupHost::find()), name};
      VS_TRY(restrict_devices(cgroup));
    }
    if (program.chroot) VS_TRY(pivot_here());
    if (program.chroot) VS_TRY(mount_own_proc());
    if (is_restricted(config)) VS_TRY(restrict_files());
    return config;
  };
  auto config = prepare();
  if (!config) return std::move(config).error();
  return become_program(*config, filter, program);
}

}  // namespace vs
