// SPDX-License-Identifier: GPL-2.0-or-later
// A program inside a running guest. Three processes:
//   helper   waits for the program, passes signals on; host root, outside of the guest
//   joiner   born in the guest's cgroup, joins all its namespaces and becomes what the program
//            shall be: ids, bounded capabilities, seccomp filter
//   program  the joiner's child (by CLONE_PARENT the helper's): only it is in the guest's pid
//            namespace
// What guest root could take hold of must not own anything that the guest does not:
// - A process can be traced only by who sees its pid. The joiner, which starts with all of the
//   host's power, never has one inside: joining a pid namespace is for children. The program has
//   one from birth, and is born with no more than guest root has, also without a user namespace,
//   where a guest's CAP_SYS_PTRACE would open any process that it sees.
// - vs-stage is not dumpable before it joins anything (main), and its memory belongs to the host's
//   user namespace until exec: no /proc/PID/mem, /fd or /exe of it opens for guest root. joining
//   changes credentials, and each such change resets the mark: it is set again at once.
// - /proc/PID/exe names a sealed copy of vs-stage in memory: there is no file of the host's to
//   overwrite (CVE-2019-5736).
// - All descriptors of the host are closed before the program is born, but the report socket,
//   which ends at exec. Its streams are pipes and terminals made for it (guest/stdio.h), and its
//   session is new: /dev/tty is never the host's terminal.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <termios.h>

#include <initializer_list>

#include "stage/raw.h"
#include "stage/stage.h"

namespace vs::stage {

namespace {

volatile pid_t program_pid;

void forward(int sig) {
  if (program_pid > 0) kill(program_pid, sig == SIGTSTP ? SIGSTOP : sig);
}

// The terminal's slave, owned by the user; the master goes to the command. -1: none is wanted.
int make_terminal(const Header& header) {
  if ((header.flags & kTerminal) == 0) return -1;
  int const slave = open_terminal("terminal", -1);
  if (header.window != 0) {
    winsize const size{static_cast<unsigned short>(header.window >> 16U),
                       static_cast<unsigned short>(header.window & 0xffffU), 0, 0};
    must(ioctl(slave, TIOCSWINSZ, &size), "terminal", "size");
  }
  // The user's own, as login does it; an ill-mannered devpts may refuse.
  if (header.uid != 0) {
    [[maybe_unused]] int const done = fchown(slave, header.uid, static_cast<gid_t>(-1));
  }
  return slave;
}

[[noreturn]] void be_program(Plan& plan, int slave) {
  if ((plan.header->flags & kKeepSession) == 0) must(setsid(), "new session");
  if (slave >= 0) {
    must(ioctl(slave, TIOCSCTTY, 0), "terminal", "controlling terminal");
    for (int fd = 0; fd < 3; ++fd) {
      if ((plan.header->flags & (kTerminal0 << static_cast<unsigned>(fd))) != 0)
        must(dup2(slave, fd), "terminal", "dup2");
    }
    close(slave);
  }
  exec_program(plan);
}

// What init has; less where we have less and cannot raise it. Host root still: a guest's cannot.
void take_limits(const Plan& plan) {
  for (std::uint32_t i = 0; i < plan.header->n_rlimits; ++i) {
    auto const resource = static_cast<int>(plan.rlimits[i].resource);
    rlimit limit{plan.rlimits[i].soft, plan.rlimits[i].hard};
    if (setrlimit(resource, &limit) == 0) continue;
    rlimit now{};
    must(getrlimit(resource, &now), "limit the program");
    if (limit.rlim_max > now.rlim_max) limit.rlim_max = now.rlim_max;
    if (limit.rlim_cur > limit.rlim_max) limit.rlim_cur = limit.rlim_max;
    must(setrlimit(resource, &limit), "limit the program");
  }
}

// Tells the program's pid by the pipe `told`, in the numbers of the helper.
[[noreturn]] void join(Plan& plan, const char* cwd, int told) {
  Header const& header = *plan.header;
  take_limits(plan);
  // All at once: from here on the host is out of reach.
  must(setns(kInitFd, static_cast<int>(header.ns_flags)), "join the guest's namespaces");
  must(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), "hide from tracing");
  close_descriptors(told);
  must(chdir("/"), "enter the root");
  must(static_cast<int>(syscall(SYS_setresgid, 0, 0, 0)), "become guest root");
  must(static_cast<int>(syscall(SYS_setresuid, 0, 0, 0)), "become guest root");
  must(static_cast<int>(syscall(SYS_setgroups, header.n_groups, plan.groups)), "set groups");
  int const slave = make_terminal(header);
  become_guest(plan);
  must(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), "hide from tracing");
  if (chdir(cwd) < 0) {
    if ((header.flags & kMustCwd) != 0) fail("enter the working directory", cwd, errno);
    must(chdir("/"), "enter the root");
  }
  // clone and not clone3: seccomp filters cannot look into the latter's arguments.
  auto const pid =
      static_cast<pid_t>(syscall(SYS_clone, CLONE_PARENT | SIGCHLD, nullptr, nullptr, 0, 0));
  must(pid, "fork into the guest");
  if (pid == 0) {
    close(told);
    be_program(plan, slave);
  }
  // Nobody to tell when this fails: the helper is gone.
  [[maybe_unused]] auto const n = write(told, &pid, sizeof pid);
  _exit(0);
}

pid_t wait_for(pid_t pid, int& status) {
  pid_t done = -1;
  do
    done = waitpid(pid, &status, 0);
  while (done < 0 && errno == EINTR);
  return done;
}

}  // namespace

void exec_in_guest(Plan& plan) {
  Header const& header = *plan.header;
  plan.strings.next();  // root: the guest's own
  plan.strings.next();
  plan.strings.next();
  const char* cwd = plan.strings.next();
  // The command is gone, as a connection may be: the program hears of it.
  if ((header.flags & kBackground) == 0) prctl(PR_SET_PDEATHSIG, SIGHUP);
  for (std::uint32_t i = 0; i < header.n_v1; ++i) {
    int const fd = kFirstV1Fd + static_cast<int>(i);
    if (write(fd, "0", 1) != 1) fail("join the cgroups", "cgroup.procs", errno);
  }
  CloneArgs args{};
  args.exit_signal = SIGCHLD;
  // Before the cgroup namespace is joined: from inside it no process outside of it could be put
  // into the guest's cgroup any more.
  if (fcntl(kCgroupFd, F_GETFD) >= 0) {
    args.flags |= CLONE_INTO_CGROUP;
    args.cgroup = kCgroupFd;
  }
  int told[2];
  must(pipe2(told, O_CLOEXEC), "pipe");
  for (int const sig : {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGTSTP, SIGCONT})
    signal(sig, forward);
  // The terminal tells all of its session.
  if ((header.flags & kKeepSession) != 0) {
    signal(SIGINT, SIG_IGN);
    signal(SIGQUIT, SIG_IGN);
    signal(SIGTSTP, SIG_DFL);
  }
  auto const joiner = static_cast<int>(syscall(SYS_clone3, &args, sizeof args));
  must(joiner, "fork into the guest's cgroup");
  if (joiner == 0) {
    close(told[0]);
    join(plan, cwd, told[1]);
  }
  close(told[1]);
  pid_t pid = 0;
  auto n = read(told[0], &pid, sizeof pid);
  while (n < 0 && errno == EINTR)
    n = read(told[0], &pid, sizeof pid);
  int status = 0;
  wait_for(joiner, status);
  if (n != sizeof pid) {
    // Killed, with all of a guest that ends just now, it has not told why.
    if (WIFSIGNALED(status)) fail("enter the guest", "killed on the way", ECANCELED);
    _exit(127);
  }
  program_pid = pid;
  report(Report::Kind::Init, pid, "program", "");
  // The command waits for us, not for the program: none of its streams may hang on us.
  close_range(0, ~0U);
  if ((header.flags & kBackground) != 0) _exit(0);
  wait_for(pid, status);
  if (WIFSIGNALED(status)) _exit(128 + WTERMSIG(status));
  _exit(WEXITSTATUS(status));
}

}  // namespace vs::stage
