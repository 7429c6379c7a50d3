// SPDX-License-Identifier: GPL-2.0-or-later
// The least that any tool must do to run a program in a running guest.
//   attach [-s FILTER] [-2 DIR] [-p] [-1 DIR]... PID PROGRAM [ARGUMENT...]
#include "ns.h"

int main(int argc, char** argv) {
  struct groups groups = {.v1_file = "tasks"};
  for (int c; (c = getopt(argc, argv, "+ps:2:1:")) != -1;) {
    if (c == 'p')
      groups.v1_file = "cgroup.procs";
    else if (c == 's')
      read_filter(optarg);
    else if (c == '2')
      groups.v2 = optarg;
    else if (c == '1' && groups.n_v1 < MAX_GROUPS)
      groups.v1[groups.n_v1++] = optarg;
    else
      return 125;
  }
  if (argc - optind < 2) return 125;
  int const init = must(syscall(SYS_pidfd_open, atoi(argv[optind]), 0), "pidfd_open");
  struct clone_args args = {.exit_signal = SIGCHLD};
  if (groups.v2) {
    args.flags = CLONE_INTO_CGROUP;
    args.cgroup = (uint64_t)must(open(groups.v2, O_PATH | O_CLOEXEC), groups.v2);
  }
  open_v1(&groups);
  join_v1(&groups);
  must(setns(init, CLONE_NEWPID), "setns");
  int const pid = must(syscall(SYS_clone3, &args, sizeof args), "clone3");
  if (pid == 0) {
    int const flags =
        CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWCGROUP | CLONE_NEWTIME;
    // With or without a user namespace of its own: joining the one we are in is EINVAL.
    if (setns(init, flags | CLONE_NEWUSER) != 0) must(setns(init, flags), "setns");
    load_filter();
    execv(argv[optind + 1], argv + optind + 1);
    _exit(127);
  }
  return exit_status(pid);
}
