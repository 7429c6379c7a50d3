// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/spaces.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <functional>

#include "base/text.h"
#include "guest/context.h"
#include "guest/context_run.h"
#include "guest/exec.h"
#include "guest/paths.h"
#include "guest/state.h"
#include "sys/file.h"
#include "sys/own_mounts.h"
#include "sys/process.h"

namespace vs {

namespace {

int exit_status(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFSIGNALED(status)) return WEXITSTATUS(status);
  // As the child: by the same signal.
  ::signal(WTERMSIG(status), SIG_DFL);
  ::raise(WTERMSIG(status));
  return 128 + WTERMSIG(status);
}

[[noreturn]] void print_and_exit(const Error& error) {
  fmt::print(stderr, "{}\n", error.message());
  std::fflush(stderr);
  ::_exit(255);
}

// Forks once more when only children are in the new pid namespace.
[[noreturn]] void run_here(std::uint32_t mask, bool new_proc,
                           const std::vector<std::string>& argv) {
  if ((mask & CLONE_NEWPID) != 0) {
    pid_t const pid = ::fork();
    if (pid < 0) print_and_exit(Error::system(errno, "fork"));
    if (pid > 0) ::_exit(exit_status(pid));
  }
  if (new_proc) {
    if (auto done = mount_own_proc(); !done) print_and_exit(done.error());
  }
  print_and_exit(exec_words(argv));
}

// All ids of the caller's own user namespace, as they are.
Status map_all_ids(pid_t pid) {
  for (const char* file : {"uid_map", "gid_map"}) {
    auto const own = VS_TRY(read_file(fmt::format("/proc/self/{}", file)));
    std::string map;
    for (auto const line : split_lines(own)) {
      auto const words = split_words(line);
      if (words.size() == 3) map += fmt::format("{0} {0} {1}\n", words[0], words[2]);
    }
    VS_TRY(write_knob(fmt::format("/proc/{}/{}", pid, file), map));
  }
  return {};
}

struct Gate {
  Fd read, write;
};

Result<Gate> make_gate() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return Error::system(errno, "pipe");
  return Gate{Fd{ends[0]}, Fd{ends[1]}};
}

}  // namespace

Result<int> run_in_new_spaces(std::uint32_t mask, const std::vector<std::string>& argv) {
  Gate made = VS_TRY(make_gate());
  Gate mapped = VS_TRY(make_gate());
  std::fflush(nullptr);
  pid_t const pid = ::fork();
  if (pid < 0) return Error::system(errno, "fork");
  if (pid == 0) {
    mapped.write.reset();
    made.read.reset();
    if (::unshare(static_cast<int>(mask)) != 0)
      print_and_exit(Error::system(errno, "make the namespaces"));
    made.write.reset();
    char byte = 0;
    [[maybe_unused]] auto const n = ::read(mapped.read.get(), &byte, 1);
    bool const mounts = (mask & CLONE_NEWNS) != 0;
    if (mounts) {
      if (auto done = make_mounts_slave(); !done) print_and_exit(done.error());
    }
    run_here(mask, mounts && (mask & CLONE_NEWPID) != 0, argv);
  }
  made.write.reset();
  char byte = 0;
  [[maybe_unused]] auto const n = ::read(made.read.get(), &byte, 1);
  Status done;
  if ((mask & CLONE_NEWUSER) != 0) done = map_all_ids(pid);
  mapped.write.reset();
  int const code = exit_status(pid);
  if (!done && code == 0) return Error{done.error()};
  return code;
}

namespace {

std::string store_path(const std::string& context, unsigned index) {
  return run_path(context, fmt::format("spaces-{}", index));
}

struct Kind {
  std::uint32_t bit;
  const char* file;
};
constexpr std::array kKinds{Kind{CLONE_NEWNS, "mnt"},  Kind{CLONE_NEWUTS, "uts"},
                            Kind{CLONE_NEWIPC, "ipc"}, Kind{CLONE_NEWUSER, "user"},
                            Kind{CLONE_NEWPID, "pid"}, Kind{CLONE_NEWNET, "net"}};

// "mnt:[4026531841]" for each kind in the mask; empty when the process is gone.
std::string spaces_of(std::string_view process, std::uint32_t mask) {
  std::string out;
  for (auto const& kind : kKinds) {
    if ((mask & kind.bit) == 0) continue;
    auto const link = read_link_at(FdRef::cwd(), fmt::format("/proc/{}/ns/{}", process, kind.file));
    if (!link) return {};
    out += *link + '\n';
  }
  return out;
}

struct Stored {
  std::uint32_t mask = 0;
  ProcessId process;
};

// A process of the context that is in the namespaces: they live as long as one is.
Result<Stored> read_store(const std::string& context, unsigned index) {
  auto const none = [&] {
    return Error::system(EINVAL, "'{}' has no namespaces stored as set {}", context, index);
  };
  auto const text = read_file(store_path(context, index));
  if (!text) return none();
  auto const mask = static_cast<std::uint32_t>(parse_decimal(first_line(*text)).value_or(0));
  auto const wanted = text->substr(first_line(*text).size() + 1);
  ContextCgroup const cgroup{VS_TRY(CgroupHost::find()), context};
  for (int const pid : VS_TRY(cgroup.processes())) {
    if (spaces_of(std::to_string(pid), mask) != wanted) continue;
    if (auto const id = identify(pid)) return Stored{mask, *id};
  }
  return none();
}

// Whose namespaces these are, and which of them.
Result<Stored> find_spaces(const std::string& context, unsigned index) {
  auto const state = VS_TRY(RunDir::read_state(context));
  if (!state || !is_running(context))
    return Error::make(Errc::NotRunning, "'{}' is not running", context);
  if (index == 0 && !exists(store_path(context, 0))) return Stored{state->ns_flags, state->init};
  return read_store(context, index);
}

constexpr std::uint32_t kFs = 0x200;  // CLONE_FS: root and working directory

Status enter_mounts(FdRef process, pid_t pid, std::uint32_t mask) {
  Fd const root = VS_TRY(open_path(fmt::format("/proc/{}/root", pid), O_PATH | O_DIRECTORY));
  if (::syscall(SYS_setns, process.get(), static_cast<int>(mask & ~kFs)) != 0)
    return Error::system(errno, "enter the namespaces");
  if ((mask & kFs) == 0) return {};
  if (::fchdir(root.get()) != 0 || ::chroot(".") != 0)
    return Error::system(errno, "enter the root");
  return {};
}

}  // namespace

Status store_spaces(std::uint32_t mask, unsigned index) {
  auto const own = VS_TRY(own_context());
  if (!is_context_name(own))
    return Error::make(Errc::Usage, "the caller is in no context that could keep namespaces");
  Fd const dir = VS_TRY(open_path(run_path(own, "."), O_RDONLY | O_DIRECTORY));
  return replace_file_at(dir, fmt::format("spaces-{}", index),
                         fmt::format("{}\n{}", mask, spaces_of("self", mask)));
}

Result<int> run_in_spaces(const std::string& context, std::uint32_t mask, unsigned index,
                          const std::vector<std::string>& argv) {
  auto const stored = VS_TRY(find_spaces(context, index));
  if (mask == 0) mask = stored.mask;
  constexpr std::uint32_t kFiles = CLONE_NEWNS | CLONE_NEWUSER | kFs;
  if (!is_context_name(context) && (mask & kFiles) != 0) {
    ExecRequest request;
    request.argv = argv;
    // Without a pid among the guest's, nothing of the guest's /proc would be about the program.
    request.spaces = mask | CLONE_NEWNS | CLONE_NEWPID;
    return exec_in_guest(context, request);
  }
  if (auto const missing = mask & ~(stored.mask | kFs); missing != 0)
    return Error::system(EINVAL, "'{}' has no namespaces {:#x} of its own", context, missing);
  auto const state = VS_TRY(RunDir::read_state(context));
  bool const classic = state && !state->userns && !is_context_name(context);
  if (classic && (mask & CLONE_NEWPID) != 0) {
    return Error::make(Errc::Unsupported,
                       "guest '{}' has no user namespace: its root could trace the program",
                       context)
        .hint("'vserver GUEST exec' runs programs with the guest's rights");
  }
  Fd const process = VS_TRY(open_process(stored.process), "the process that has the namespaces");
  std::fflush(nullptr);
  pid_t const pid = ::fork();
  if (pid < 0) return Error::system(errno, "fork");
  if (pid == 0) {
    if (auto done = enter_mounts(process, stored.process.pid, mask); !done)
      print_and_exit(done.error());
    run_here(mask, false, argv);
  }
  return exit_status(pid);
}

namespace {

// Calls work() in the UTS namespace of a context, in a child whose output comes back.
Result<std::string> in_uts(const std::string& context, const std::function<int()>& work) {
  auto const state = VS_TRY(RunDir::read_state(context));
  if (!state || !is_running(context))
    return Error::make(Errc::NotRunning, "'{}' is not running", context);
  // The host's number of process 1 says nothing inside.
  bool const own = VS_TRY(own_context()) == context;
  if (!own) VS_TRY(open_process(state->init), "its process 1");
  Fd const ns = VS_TRY(open_path(
      own ? "/proc/self/ns/uts" : fmt::format("/proc/{}/ns/uts", state->init.pid), O_RDONLY));
  Gate gate = VS_TRY(make_gate());
  std::fflush(nullptr);
  pid_t const pid = ::fork();
  if (pid < 0) return Error::system(errno, "fork");
  if (pid == 0) {
    ::dup2(gate.write.get(), STDOUT_FILENO);
    if (::setns(ns.get(), CLONE_NEWUTS) != 0) ::_exit(errno);
    int const err = work();
    std::fflush(stdout);
    ::_exit(err);
  }
  gate.write.reset();
  auto out = VS_TRY(read_all(gate.read));
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  int const err = WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
  if (err != 0) return Error::system(err, "names of '{}'", context);
  return out;
}

}  // namespace

Result<std::vector<std::string>> names_in(const std::string& context) {
  auto const text = VS_TRY(in_uts(context, [] {
    utsname names{};
    if (::uname(&names) != 0) return errno;
    for (const char* name : {names.sysname, names.nodename, names.release, names.version,
                             names.machine, names.domainname})
      fmt::print("{}\n", name);
    return 0;
  }));
  std::vector<std::string> out;
  for (auto const line : split_lines(text))
    out.emplace_back(line);
  return out;
}

Status set_name_in(const std::string& context, bool domain, const std::string& text) {
  VS_TRY(in_uts(context, [&] {
    int const done = domain ? ::setdomainname(text.data(), text.size())
                            : ::sethostname(text.data(), text.size());
    return done == 0 ? 0 : errno;
  }));
  return {};
}

}  // namespace vs
