// SPDX-License-Identifier: GPL-2.0-or-later
// What sockets cost in one place of the network: medians of single operations, in nanoseconds.
//   bench-net serve ADDRESS            echo, sink and discard servers; "up" on stdout
//   bench-net client FROM TO           "case value" lines; FROM may be 0.0.0.0
// Both run on one processor: wake-ups between processors would hide everything else.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { ECHO = 7701, SINK, DISCARD, ROUNDS = 4000, CONNECTIONS = 600, BULK_MIB = 64 };

static void die(const char* what) {
  fprintf(stderr, "bench-net: %s: %s\n", what, strerror(errno));
  exit(1);
}

static struct sockaddr_in name_of(const char* host, int port) {
  struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
  inet_pton(AF_INET, host, &name.sin_addr);
  return name;
}

static int open_at(const char* host, int type, int port) {
  int const fd = socket(AF_INET, type, 0);
  int const on = 1;
  struct sockaddr_in const name = name_of(host, port);
  if (fd < 0) die("socket");
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd, (const struct sockaddr*)&name, sizeof name) != 0) die("bind");
  if (type == SOCK_STREAM && listen(fd, 64) != 0) die("listen");
  return fd;
}

static void serve_streams(int listener, int echo) {
  static char buffer[1 << 17];
  for (;;) {
    int const fd = accept(listener, NULL, NULL);
    int const on = 1;
    ssize_t n;
    if (fd < 0) continue;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    while ((n = recv(fd, buffer, sizeof buffer, 0)) > 0) {
      if (echo && send(fd, buffer, (size_t)n, MSG_NOSIGNAL) < 0) break;
    }
    if (!echo) send(fd, "x", 1, MSG_NOSIGNAL);
    close(fd);
  }
}

static void start(void (*run)(int, int), int fd, int argument) {
  if (fork() != 0) return;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  run(fd, argument);
  exit(0);
}

static void discard(int fd, int argument) {
  char buffer[2048];
  (void)argument;
  for (;;)
    (void)!recv(fd, buffer, sizeof buffer, 0);
}

static int serve(const char* host) {
  start(serve_streams, open_at(host, SOCK_STREAM, ECHO), 1);
  start(serve_streams, open_at(host, SOCK_STREAM, SINK), 0);
  start(discard, open_at(host, SOCK_DGRAM, DISCARD), 0);
  puts("up");
  fflush(stdout);
  pause();
  return 0;
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int by_size(const void* a, const void* b) {
  double const x = *(const double*)a, y = *(const double*)b;
  return x < y ? -1 : x > y;
}

static void report(const char* what, double* values, int count) {
  qsort(values, (size_t)count, sizeof *values, by_size);
  printf("%s %.0f\n", what, values[count / 2]);
}

static int open_from(const char* from, int type) {
  int const fd = socket(AF_INET, type, 0);
  struct sockaddr_in const name = name_of(from, 0);
  if (fd < 0) die("socket");
  if (name.sin_addr.s_addr != 0 && bind(fd, (const struct sockaddr*)&name, sizeof name) != 0)
    die("bind");
  return fd;
}

static int reach(const char* from, const char* to, int type, int port) {
  int const fd = open_from(from, type);
  int const on = 1;
  struct sockaddr_in const name = name_of(to, port);
  if (connect(fd, (const struct sockaddr*)&name, sizeof name) != 0) die("connect");
  if (type == SOCK_STREAM) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

static double values[ROUNDS];

static void ping_pong(int fd) {
  char c = 'x';
  if (send(fd, &c, 1, MSG_NOSIGNAL) != 1 || recv(fd, &c, 1, 0) != 1) die("echo");
}

static void tcp(const char* from, const char* to) {
  static char block[1 << 17];
  int fd = reach(from, to, SOCK_STREAM, ECHO);
  for (int i = 0; i < ROUNDS; ++i) {
    double const began = now();
    ping_pong(fd);
    values[i] = now() - began;
  }
  close(fd);
  report("tcp_rr", values, ROUNDS);
  for (int i = 0; i < CONNECTIONS; ++i) {
    double const began = now();
    fd = reach(from, to, SOCK_STREAM, ECHO);
    ping_pong(fd);
    close(fd);
    values[i] = now() - began;
  }
  report("tcp_connection", values, CONNECTIONS);
  fd = reach(from, to, SOCK_STREAM, SINK);
  double const began = now();
  for (size_t left = (size_t)BULK_MIB << 20; left > 0;) {
    ssize_t const n = send(fd, block, sizeof block < left ? sizeof block : left, MSG_NOSIGNAL);
    if (n <= 0) die("bulk");
    left -= (size_t)n;
  }
  shutdown(fd, SHUT_WR);
  (void)!recv(fd, block, 1, 0);
  printf("tcp_bulk_mib %.0f\n", (now() - began) / BULK_MIB);
  close(fd);
}

static void udp(const char* from, const char* to) {
  struct sockaddr_in const name = name_of(to, DISCARD);
  int fd = reach(from, to, SOCK_DGRAM, DISCARD);
  for (int i = 0; i < ROUNDS; ++i) {
    double const began = now();
    (void)!send(fd, "x", 1, 0);
    values[i] = now() - began;
  }
  close(fd);
  report("udp_send", values, ROUNDS);
  fd = open_from(from, SOCK_DGRAM);
  for (int i = 0; i < ROUNDS; ++i) {
    double const began = now();
    (void)!sendto(fd, "x", 1, 0, (const struct sockaddr*)&name, sizeof name);
    values[i] = now() - began;
  }
  close(fd);
  report("udp_sendto", values, ROUNDS);
}

static void calls(const char* to) {
  struct sockaddr_in const any = name_of("0.0.0.0", 0), there = name_of(to, DISCARD);
  static double names[ROUNDS], connects[ROUNDS];
  for (int i = 0; i < ROUNDS; ++i) {
    struct sockaddr_in own;
    socklen_t size = sizeof own;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    double at = now();
    if (bind(fd, (const struct sockaddr*)&any, sizeof any) != 0) die("bind");
    values[i] = now() - at;
    at = now();
    if (getsockname(fd, (struct sockaddr*)&own, &size) != 0) die("getsockname");
    names[i] = now() - at;
    close(fd);
    fd = socket(AF_INET, SOCK_DGRAM, 0);
    at = now();
    if (connect(fd, (const struct sockaddr*)&there, sizeof there) != 0) die("connect");
    connects[i] = now() - at;
    close(fd);
  }
  report("bind", values, ROUNDS);
  report("connect", connects, ROUNDS);
  report("getsockname", names, ROUNDS);
}

int main(int argc, char** argv) {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET((unsigned)sysconf(_SC_NPROCESSORS_ONLN) - 1, &one);
  sched_setaffinity(0, sizeof one, &one);
  if (argc == 3 && strcmp(argv[1], "serve") == 0) return serve(argv[2]);
  if (argc != 4) return 2;
  tcp(argv[2], argv[3]);
  udp(argv[2], argv[3]);
  calls(argv[3]);
  return 0;
}
