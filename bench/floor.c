// SPDX-License-Identifier: GPL-2.0-or-later
// The least that any tool must do to run a program in namespaces of its own, with no tool around
// it: what "vserver NAME run PROGRAM" and its peers are measured against.
//   floor [-b] [-d] [-n] [-u BASE] [-s FILTER] [-2 DIR] [-p] [-1 DIR]... ROOT PROGRAM [ARGUMENT...]
//   -b  bare: fork, chroot, exec and no namespaces     -n  a network namespace, loopback up
//   -d  do not wait: say its pid and leave it running
//   -u  a user namespace: ids from BASE on             -s  load this seccomp filter
//   -2  make this cgroup2 directory and clone into it  -1  make this v1 directory and join it
//   -p  join v1 by cgroup.procs, as most tools do, not by tasks
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>

#include "ns.h"

struct options {
  struct groups groups;
  long base;
  int bare, detach, net;
};

static void write_map(int pid, const char* file, long base) {
  char path[64], text[64];
  snprintf(path, sizeof path, "/proc/%d/%s", pid, file);
  int const fd = must(open(path, O_WRONLY | O_CLOEXEC), path);
  int const n = snprintf(text, sizeof text, "0 %ld 65536\n", base);
  must(write(fd, text, (size_t)n), path);
  close(fd);
}

static void loopback_up(void) {
  struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
  int const fd = must(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket");
  must(ioctl(fd, SIOCSIFFLAGS, &request), "lo");
  close(fd);
}

static void enter_root(const char* root) {
  must(mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL), "slave");
  must(mount(root, root, NULL, MS_BIND | MS_REC, NULL), root);
  must(chdir(root), root);
  must(mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL), "proc");
  must(syscall(SYS_pivot_root, ".", "."), "pivot_root");
  must(umount2(".", MNT_DETACH), "detach");
  must(chdir("/"), "/");
}

static void child(const struct options* o, int gate, const char* root, char** argv) {
  join_v1(&o->groups);
  // Only now: the cgroups joined are the roots of its cgroup namespace.
  if (!o->bare) must(unshare(CLONE_NEWCGROUP), "cgroup namespace");
  if (o->bare) {
    must(chroot(root), root);
    must(chdir("/"), "/");
  } else {
    char byte;
    if (o->base >= 0) {
      must(read(gate, &byte, 1), "gate");
      must(syscall(SYS_setresgid, 0, 0, 0), "setresgid");
      must(syscall(SYS_setresuid, 0, 0, 0), "setresuid");
    }
    enter_root(root);
    if (o->net) loopback_up();
  }
  load_filter();
  execv(argv[0], argv);
  must(-1, argv[0]);
}

int main(int argc, char** argv) {
  struct options o = {.base = -1, .groups.v1_file = "tasks"};
  for (int c; (c = getopt(argc, argv, "+bdnpu:s:2:1:")) != -1;) {
    if (c == 'b')
      o.bare = 1;
    else if (c == 'd')
      o.detach = 1;
    else if (c == 'n')
      o.net = 1;
    else if (c == 'p')
      o.groups.v1_file = "cgroup.procs";
    else if (c == 'u')
      o.base = atol(optarg);
    else if (c == 's')
      read_filter(optarg);
    else if (c == '2')
      o.groups.v2 = optarg;
    else if (c == '1' && o.groups.n_v1 < MAX_GROUPS)
      o.groups.v1[o.groups.n_v1++] = optarg;
    else
      return 125;
  }
  if (argc - optind < 2) return 125;
  struct clone_args args = {.exit_signal = SIGCHLD};
  if (!o.bare) args.flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC;
  if (o.net) args.flags |= CLONE_NEWNET;
  if (o.base >= 0) args.flags |= CLONE_NEWUSER;
  for (int i = 0; i < o.groups.n_v1; ++i)
    must(mkdir(o.groups.v1[i], 0755), o.groups.v1[i]);
  if (o.groups.v2) {
    must(mkdir(o.groups.v2, 0755), o.groups.v2);
    args.flags |= CLONE_INTO_CGROUP;
    args.cgroup = (uint64_t)must(open(o.groups.v2, O_PATH | O_CLOEXEC), o.groups.v2);
  }
  open_v1(&o.groups);
  int gate[2];
  must(pipe2(gate, O_CLOEXEC), "pipe");
  int const pid = must(syscall(SYS_clone3, &args, sizeof args), "clone3");
  if (pid == 0) child(&o, gate[0], argv[optind], argv + optind + 1);
  if (o.base >= 0) {
    write_map(pid, "gid_map", o.base);
    write_map(pid, "uid_map", o.base);
    must(write(gate[1], "g", 1), "gate");
  }
  if (o.detach) return printf("%d\n", pid) < 0;
  int const status = exit_status(pid);
  if (o.groups.v2) must(rmdir(o.groups.v2), o.groups.v2);
  for (int i = 0; i < o.groups.n_v1; ++i)
    must(rmdir(o.groups.v1[i]), o.groups.v1[i]);
  return status;
}
