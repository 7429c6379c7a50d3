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
  const char* v1_file;         // its file that is written: "tasks" or "cgroup.procs"
  int v1_procs[MAX_GROUPS];
  int n_v1;
};

static inline int must(long result, const char* what) {
  if (result >= 0) return (int)result;
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  _exit(125);
}

// One thread that moves itself by "tasks" waits for nothing; "cgroup.procs" waits for an RCU grace
// period. Opened on the host's side: who opened it, not who writes, is asked for permission.
static inline void open_v1(struct groups* groups) {
  for (int i = 0; i < groups->n_v1; ++i) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", groups->v1[i], groups->v1_file);
    groups->v1_procs[i] = must(open(path, O_WRONLY | O_CLOEXEC), path);
  }
}

static inline void join_v1(const struct groups* groups) {
  for (int i = 0; i < groups->n_v1; ++i)
    must(write(groups->v1_procs[i], "0", 1), groups->v1[i]);
}

// A compiled filter as the kernel takes it, read from a file while the host's tree is there.
static struct sock_filter filter_code[4096];
static struct sock_fprog filter_program = {0, filter_code};

static inline void read_filter(const char* path) {
  int const fd = must(open(path, O_RDONLY | O_CLOEXEC), path);
  filter_program.len = (unsigned short)(must(read(fd, filter_code, sizeof filter_code), path) / 8);
  close(fd);
}

static inline void load_filter(void) {
  if (filter_program.len != 0)
    must(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter_program), "seccomp");
}

static inline int exit_status(int pid) {
  int status = 0;
  while (waitpid(pid, &status, __WALL) < 0)
    if (errno != EINTR) must(-1, "wait");
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

#endif
