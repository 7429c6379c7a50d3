// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "sys/fd.h"

namespace vs {

// A memfd with this content that nobody can change any more (memfd_create(2), all seals).
Result<Fd> make_sealed(const char* name, std::string_view bytes);
// The same of the first `size` bytes of a file, which do not pass through this process.
Result<Fd> seal_copy(const char* name, FdRef file, std::size_t size);

// What to start and how.
struct SpawnPlan {
  int exe = -1;  // a descriptor of the program
  std::vector<std::string> argv;
  std::vector<std::string> envp;
  std::vector<std::pair<int, int>> fds;  // {ours, its number there}; 0-2 are kept unless named
  int cgroup = -1;                       // unified hierarchy: born inside (Linux 5.7)
  bool new_session = false;
};

// A child: killed and reaped when dropped, unless it was waited for or detached.
class Child {
 public:
  Child(pid_t pid, Fd pidfd) : pid_{pid}, pidfd_{std::move(pidfd)} {}
  Child(Child&& o) noexcept : pid_{std::exchange(o.pid_, -1)}, pidfd_{std::move(o.pidfd_)} {}
  Child& operator=(Child&&) = delete;
  ~Child();
  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  [[nodiscard]] FdRef pidfd() const noexcept { return FdRef{pidfd_}; }
  // Exit status as a shell sees it: 128 + signal when it was killed.
  Result<int> wait();
  // Lets it live on its own.
  pid_t detach() noexcept { return std::exchange(pid_, -1); }

 private:
  pid_t pid_;
  Fd pidfd_;
};

// Starts the plan's program. Returns after its exec, or with the error that prevented it.
Result<Child> spawn(const SpawnPlan& plan);

// fork(2) whose child is born in a cgroup of the unified hierarchy: a move would cost a grace
// period. Only for single-threaded programs. 0 in the child.
//   cgroup   descriptor of its directory
//   flags    CLONE_NEW* for namespaces of its own
Result<pid_t> fork_into(FdRef cgroup, std::uint64_t flags = 0);

// Starts a host program from PATH with our environment; `fds` as in SpawnPlan.
Result<Child> spawn_program(const std::vector<std::string>& argv,
                            std::vector<std::pair<int, int>> fds);

// Path of a program of the host, searched in PATH. Fails with Errc::NotFound.
Result<std::string> find_program(const std::string& name);

// Runs a host program from PATH to its end and gives its exit status; stdin is /dev/null.
Result<int> run_program(const std::vector<std::string>& argv);

// A process that can be told from a later one with the same pid.
struct ProcessId {
  pid_t pid = 0;
  std::uint64_t start_time = 0;  // clock ticks since boot, /proc/PID/stat field 22
  bool operator==(const ProcessId&) const = default;
};

// Reads who lives at pid now; ESRCH when nobody does (a zombie counts as nobody).
Result<ProcessId> identify(pid_t pid);
// True from when a process has begun to end (PF_EXITING of proc_pid_stat(5)); of nobody, too.
bool is_ending(pid_t pid);
// A pidfd of exactly this process, or ESRCH.
Result<Fd> open_process(const ProcessId& id);
Status signal_process(FdRef pidfd, int signal);

// Whether this process has the capability in its effective set (capget(2)).
bool has_capability(int capability);

}  // namespace vs
