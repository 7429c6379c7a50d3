/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a guest feels of its neighbours: for so many seconds, how long a fork with its end takes and
 * how late a sleep of a millisecond wakes up. Prints the medians and the 99th percentiles in
 * microseconds. Usage: neighbour SECONDS */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MOST 100000

static double forks[MOST], sleeps[MOST];

static double now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int order(const void* a, const void* b) {
  double const x = *(const double*)a, y = *(const double*)b;
  return (x > y) - (x < y);
}

static void print(const char* name, double* all, int n) {
  qsort(all, (size_t)n, sizeof *all, order);
  printf("%s %.1f %.1f\n", name, all[n / 2], all[n * 99 / 100]);
}

int main(int argc, char** argv) {
  struct timespec const nap = {0, 1000000};
  double const end = now_us() + 1e6 * (argc > 1 ? atof(argv[1]) : 1);
  int n = 0;
  while (n < MOST && now_us() < end) {
    double const start = now_us();
    int const pid = fork();
    if (pid == 0) _exit(0);
    if (pid < 0 || waitpid(pid, NULL, 0) != pid) return 1;
    double const forked = now_us();
    clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, NULL);
    sleeps[n] = now_us() - forked - 1000;
    forks[n++] = forked - start;
  }
  if (n == 0) return 1;
  print("fork", forks, n);
  print("wake", sleeps, n);
  return 0;
}
