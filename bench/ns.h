// SPDX-License-Identifier: GPL-2.0-or-later
// What the floor programs share: messages, cgroups, filters.
#ifndef VS_BENCH_NS_H
#define VS_BENCH_NS_H

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_GROUPS 16

struct groups {
  const char* v2;              // a directory on the unified hierarchy: clone into it
  const char* v1[MAX_GROUPS];  // directories on v1 hierarchies: joined in one go
  int v1_procs[MAX_GROUPS];
  int n_v1;
};

static inline int must(long result, const char* what) {
  if (result >= 0) return (int)result;
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  _exit(125);
}

// Opened on the host's side: who opened it, not who writes, is asked for permission.
static inline void open_v1(struct groups* groups) {
  for (int i = 0; i < groups->n_v1; ++i) {
    char path[512];
    snprintf(path, sizeof path, "%s/cgroup.procs", groups->v1[i]);
    groups->v1_procs[i] = must(open(path, O_WRONLY | O_CLOEXEC), path);
  }
}

static inline void join_v1(const struct groups* groups) {
  for (int i = 0; i < groups->n_v1; ++i)
    must(write(groups->v1_procs[i], "0", 1), groups->v1[i]);
}

// A compiled filter, as the kernel takes it, from a file.
static inline void load_filter(const char* path) {
  static struct sock_filter code[4096];
  int const fd = must(open(path, O_RDONLY | O_CLOEXEC), path);
  long const n = must(read(fd, code, sizeof code), path);
  close(fd);
  struct sock_fprog const program = {(unsigned short)(n / 8), code};
  must(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program), "seccomp");
}

static inline int exit_status(int pid) {
  int status = 0;
  while (waitpid(pid, &status, __WALL) < 0)
    if (errno != EINTR) must(-1, "wait");
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

#endif
