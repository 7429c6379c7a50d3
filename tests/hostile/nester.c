// SPDX-License-Identifier: GPL-2.0-or-later
// What a guest's root makes of the cgroups that are its own.
//   nester deep N     N of them in each other, all with long names; process 1 moves into the last
//   nester wide N     N beside each other
//   nester threads    a process whose threads are in threaded cgroups
// Prints how many it has made.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int put(const char* file, const char* text) {
  int const fd = open(file, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  ssize_t const n = write(fd, text, strlen(text));
  int const err = errno;
  close(fd);
  errno = err;
  return n < 0 ? -1 : 0;
}

static int deep(int n) {
  char name[241];
  memset(name, 'x', sizeof name - 1);
  name[sizeof name - 1] = '\0';
  int made = 0;
  while (made < n && mkdir(name, 0755) == 0 && chdir(name) == 0)
    ++made;
  printf("%d %s\n", made, made < n ? strerror(errno) : "");
  return put("cgroup.procs", "1") == 0 && put("cgroup.procs", "0") == 0 ? 0 : 1;
}

static int wide(int n) {
  int made = 0;
  for (; made < n; ++made) {
    char name[32];
    snprintf(name, sizeof name, "w%d", made);
    if (mkdir(name, 0755) != 0) break;
  }
  printf("%d %s\n", made, made < n ? strerror(errno) : "");
  return 0;
}

static int threads(void) {
  if (mkdir("t", 0755) != 0 || put("t/cgroup.type", "threaded") != 0) return 1;
  if (put("t/cgroup.threads", "0") != 0) return 1;
  printf("1\n");
  fflush(stdout);
  close(0), close(1), close(2);
  if (fork() == 0) sleep(1000);
  return 0;
}

int main(int argc, char** argv) {
  if (argc < 2 || chdir("/sys/fs/cgroup") != 0) return 2;
  int const n = argc > 2 ? atoi(argv[2]) : 1;
  if (strcmp(argv[1], "deep") == 0) return deep(n);
  if (strcmp(argv[1], "wide") == 0) return wide(n);
  return strcmp(argv[1], "threads") == 0 ? threads() : 2;
}
