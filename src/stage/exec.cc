// SPDX-License-Identifier: GPL-2.0-or-later
// A program inside a running guest: fork into its cgroup and pid namespace, then join the others.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <initializer_list>

#include "stage/raw.h"
#include "stage/stage.h"

namespace vs::stage {

namespace {

volatile pid_t child_pid;

void forward(int sig) {
  if (child_pid > 0) kill(child_pid, sig);
}

// Terminal and working directory.
void enter_terminal(Plan& plan, const char* cwd) {
  if ((plan.header->flags & kTerminal) != 0) {
    must(setsid(), "new session");
    int const slave = open_terminal("terminal", -1);
    must(ioctl(slave, TIOCSCTTY, 0), "terminal", "controlling terminal");
    for (int fd = 0; fd < 3; ++fd)
      must(dup2(slave, fd), "terminal", "dup2");
    close(slave);
  }
  if (chdir(cwd) < 0 && chdir("/") < 0) fail("enter the working directory", cwd, errno);
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

[[noreturn]] void be_program(Plan& plan, const char* cwd) {
  Header const& header = *plan.header;
  take_limits(plan);
  // All at once: from here on the host is out of reach.
  must(setns(kInitFd, static_cast<int>(header.ns_flags & ~std::uint32_t{CLONE_NEWPID})),
       "join the guest's namespaces");
  must(chdir("/"), "enter the root");
  close_descriptors(-1);
  must(static_cast<int>(syscall(SYS_setresgid, 0, 0, 0)), "become guest root");
  must(static_cast<int>(syscall(SYS_setresuid, 0, 0, 0)), "become guest root");
  must(static_cast<int>(syscall(SYS_setgroups, 0, nullptr)), "drop groups");
  must(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), "hide from tracing");
  enter_terminal(plan, cwd);
  become_guest(plan);
  exec_program(plan);
}

// The child is born outside of the guest's user namespace: whatever the guest's root may do inside,
// it cannot trace the child or look through it until that has joined the namespace as well.
int fork_into_userns(Plan& plan, const char* cwd) {
  // The pid namespace is joined by the child's birth. The others come after it: from inside the
  // guest's cgroup namespace no process outside of it could be put into its cgroup any more.
  must(setns(kInitFd, CLONE_NEWPID), "join the guest's pid namespace");
  CloneArgs args{};
  args.exit_signal = SIGCHLD;
  if (fcntl(kCgroupFd, F_GETFD) >= 0) {
    args.flags |= CLONE_INTO_CGROUP;
    args.cgroup = kCgroupFd;
  }
  auto const pid = static_cast<int>(syscall(SYS_clone3, &args, sizeof args));
  must(pid, "fork into the guest");
  if (pid == 0) be_program(plan, cwd);
  return pid;
}

// The guest's root is uid 0 of the host and may trace all that its pid namespace shows. So
// everything is given up before the child appears there: it is born with nothing to steal.
int fork_into_classic(Plan& plan, const char* cwd) {
  if (fcntl(kCgroupFd, F_GETFD) >= 0) {
    int const procs = must(openat(kCgroupFd, "cgroup.procs", O_WRONLY | O_CLOEXEC),
                           "join the cgroup", "cgroup.procs");
    if (write(procs, "0", 1) != 1) fail("join the cgroup", "cgroup.procs", errno);
    close(procs);
  }
  must(setns(kInitFd, static_cast<int>(plan.header->ns_flags)), "join the guest's namespaces");
  must(chdir("/"), "enter the root");
  close_descriptors(-1);
  must(static_cast<int>(syscall(SYS_setgroups, 0, nullptr)), "drop groups");
  become_guest(plan);
  int const pid = must(fork(), "fork into the guest");
  if (pid == 0) {
    enter_terminal(plan, cwd);
    exec_program(plan);
  }
  return pid;
}

}  // namespace

void exec_in_guest(Plan& plan) {
  Header const& header = *plan.header;
  plan.strings.next();  // root: the guest's own
  plan.strings.next();
  plan.strings.next();
  const char* cwd = plan.strings.next();
  for (std::uint32_t i = 0; i < header.n_v1; ++i) {
    int const fd = kFirstV1Fd + static_cast<int>(i);
    if (write(fd, "0", 1) != 1) fail("join the cgroups", "cgroup.procs", errno);
  }
  for (int const sig : {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2})
    signal(sig, forward);
  int const pid =
      (header.flags & kUserNs) != 0 ? fork_into_userns(plan, cwd) : fork_into_classic(plan, cwd);
  child_pid = pid;
  report(Report::Kind::Init, pid, "program", "");
  close_range(3, ~0U);
  // The command waits for us, not for the program: it must not hold the guest's pipes open.
  close(0);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFSIGNALED(status)) _exit(128 + WTERMSIG(status));
  _exit(WEXITSTATUS(status));
}

}  // namespace vs::stage
