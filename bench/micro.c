// SPDX-License-Identifier: GPL-2.0-or-later
// What a program pays for being inside: nanoseconds for one of each. Run it on the host and in a
// guest, pinned to one CPU, and compare.
//   micro            prints "NAME NANOSECONDS" a line
//   micro exit       does nothing: what fork+exec below executes
//   micro idle       waits for a signal to end: the init of an idle guest
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char* self;

static double now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void do_getppid(int n) {
  for (int i = 0; i < n; ++i)
    syscall(SYS_getppid);
}

static void do_open(int n) {
  for (int i = 0; i < n; ++i)
    close(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static void do_fork_exec(int n) {
  for (int i = 0; i < n; ++i) {
    pid_t const pid = fork();
    if (pid == 0) {
      execl(self, self, "exit", (char*)NULL);
      _exit(127);
    }
    waitpid(pid, NULL, 0);
  }
}

static void do_fault(int n) {
  size_t const page = (size_t)sysconf(_SC_PAGESIZE);
  char* const map =
      mmap(NULL, (size_t)n * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (map == MAP_FAILED) return;
  madvise(map, (size_t)n * page, MADV_NOHUGEPAGE);
  for (int i = 0; i < n; ++i)
    map[(size_t)i * page] = 1;
  munmap(map, (size_t)n * page);
}

static void do_pipe(int n) {
  int there[2], back[2];
  char byte = 0;
  if (pipe(there) != 0 || pipe(back) != 0) return;
  pid_t const pid = fork();
  if (pid == 0) {
    close(there[1]);
    while (read(there[0], &byte, 1) == 1 && write(back[1], &byte, 1) == 1) {
    }
    _exit(0);
  }
  for (int i = 0; i < n; ++i)
    if (write(there[1], &byte, 1) != 1 || read(back[0], &byte, 1) != 1) break;
  for (int i = 0; i < 2; ++i)
    close(there[i]), close(back[i]);
  waitpid(pid, NULL, 0);
}

static const struct {
  const char* name;
  void (*run)(int);
  int n;
} kCases[] = {{"getppid", do_getppid, 400000},
              {"open+close", do_open, 40000},
              {"fork+exec", do_fork_exec, 60},
              {"page-fault", do_fault, 8000},
              {"pipe-round-trip", do_pipe, 8000}};

int main(int argc, char** argv) {
  if (argc > 1 && strcmp(argv[1], "exit") == 0) return 0;
  if (argc > 1 && strcmp(argv[1], "idle") == 0) {
    sigset_t ends;
    int got;
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    return sigwait(&ends, &got);
  }
  self = "/proc/self/exe";
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(1, &one);
  sched_setaffinity(0, sizeof one, &one);  // fails on a single CPU, where it is not needed
  for (size_t i = 0; i < sizeof kCases / sizeof *kCases; ++i) {
    kCases[i].run(kCases[i].n / 10);
    double const start = now_ns();
    kCases[i].run(kCases[i].n);
    printf("%s %.1f\n", kCases[i].name, (now_ns() - start) / kCases[i].n);
  }
  return 0;
}
