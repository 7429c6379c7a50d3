/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Takes as much of one thing as it gets, says how many, and holds it until it is killed.
 * Usage: hog files|ptys|inotify|sockets|forks|semaphores|signals|queues|segments|pages|spaces | hog
 * memory MIB | hog burn PROCESSES SECONDS | hog write FILE MIB. Or tries one thing, exit status 0
 * when it may: hog nice|ionice|tiocsti|ping | hog filecap|trusted FILE | hog semaphore-set N */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static int take_file(void) {
  return open("/dev/null", O_RDONLY);
}
static int take_pty(void) {
  return open("/dev/pts/ptmx", O_RDWR | O_NOCTTY);
}
static int take_inotify(void) {
  return inotify_init1(0);
}
static int take_socket(void) {
  return socket(AF_INET, SOCK_DGRAM, 0);
}
static int take_semaphore(void) {
  return semget(IPC_PRIVATE, 1, 0600);
}
static int take_signal(void) {
  sigset_t set;
  union sigval value = {0};
  sigemptyset(&set);
  sigaddset(&set, SIGRTMIN);
  sigprocmask(SIG_BLOCK, &set, NULL);
  return sigqueue(getpid(), SIGRTMIN, value);
}
static int take_queue(void) {
  static int n;
  char name[32];
  struct mq_attr size = {.mq_maxmsg = 10, .mq_msgsize = 1024};
  snprintf(name, sizeof name, "/hog-%d-%d", getpid(), n++);
  return mq_open(name, O_CREAT | O_RDWR, 0600, &size);
}
static int take_segment(void) { /* 1 MiB */
  return shmget(IPC_PRIVATE, 1 << 20, 0600);
}
static int take_page(void) {
  void* page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return page == MAP_FAILED ? -1 : mlock(page, 4096);
}
static int take_space(void) { /* 1 MiB of address space that nobody touches */
  return mmap(NULL, 1 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0;
}
static int take_process(void) {
  int pid = fork();
  if (pid == 0)
    for (;;)
      pause();
  return pid;
}

static const struct {
  const char* name;
  int (*take)(void);
} things[] = {
    {"files", take_file},     {"ptys", take_pty},      {"inotify", take_inotify},
    {"sockets", take_socket}, {"forks", take_process}, {"semaphores", take_semaphore},
    {"signals", take_signal}, {"queues", take_queue},  {"segments", take_segment},
    {"pages", take_page},     {"spaces", take_space},
};

static _Noreturn void hold(const char* what, long n, int err) {
  printf("%s %ld %s\n", what, n, strerrorname_np(err));
  fflush(stdout);
  close(1);
  close(2);
  for (;;)
    pause();
}

static int burn(int processes, double seconds) {
  struct timespec start, now;
  for (int i = 1; i < processes; i++)
    if (fork() == 0) break;
  clock_gettime(CLOCK_MONOTONIC, &start);
  do {
    for (volatile int i = 0; i < 100000; i++)
      ;
    clock_gettime(CLOCK_MONOTONIC, &now);
  } while ((double)(now.tv_sec - start.tv_sec) + (double)(now.tv_nsec - start.tv_nsec) / 1e9 <
           seconds);
  while (wait(NULL) > 0)
    ;
  return 0;
}

static int take_memory(long mib) {
  for (long i = 0; i < mib; i++) {
    char* p = malloc(1 << 20);
    if (!p) hold("memory", i, errno);
    memset(p, 1, 1 << 20);
  }
  printf("memory %ld none\n", mib);
  return 0;
}

static int write_file(const char* path, long mib) {
  static char block[1 << 20];
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  for (long i = 0; i < mib; i++)
    if (write(fd, block, sizeof block) != (ssize_t)sizeof block) return 1;
  return fsync(fd) != 0;
}

static void leave(int signal) {
  (void)signal;
  _exit(0);
}

/* Called runit it is an init that ends at SIGCONT, and heeds no other signal. */
static _Noreturn void be_runit(void) {
  signal(SIGCONT, leave);
  for (;;)
    pause();
}

int main(int argc, char** argv) {
  const char* what = argc > 1 ? argv[1] : "";
  struct rlimit files;

  if (!strcmp(argv[0], "/sbin/runit")) be_runit();
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max; /* a hog is not modest */
  setrlimit(RLIMIT_NOFILE, &files);
  if (argc == 4 && !strcmp(what, "burn")) return burn(atoi(argv[2]), atof(argv[3]));
  if (argc == 3 && !strcmp(what, "memory")) return take_memory(atol(argv[2]));
  if (argc == 4 && !strcmp(what, "write")) return write_file(argv[2], atol(argv[3]));
  if (!strcmp(what, "nice")) return setpriority(PRIO_PROCESS, 0, -5) != 0;
  if (argc == 3 && !strcmp(what, "semaphore-set"))
    return semget(IPC_PRIVATE, atoi(argv[2]), 0600) < 0;
  if (!strcmp(what, "ping")) return socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP) < 0;
  if (!strcmp(what, "ionice")) /* the realtime class */
    return syscall(SYS_ioprio_set, 1, 0, 1 << 13) != 0;
  if (argc == 3 && !strcmp(what, "filecap")) { /* CAP_NET_BIND_SERVICE, effective */
    unsigned capability[5] = {0x02000001, 1 << 10};
    return setxattr(argv[2], "security.capability", capability, sizeof capability, 0) != 0;
  }
  if (argc == 3 && !strcmp(what, "trusted"))
    return setxattr(argv[2], "trusted.test", "x", 1, 0) != 0;
  if (!strcmp(what, "tiocsti")) {
    errno = 0;
    ioctl(0, TIOCSTI, "x");
    return errno == EPERM;
  }
  for (size_t i = 0; i < sizeof things / sizeof things[0]; i++) {
    if (strcmp(what, things[i].name)) continue;
    for (long n = 0;; n++)
      if (things[i].take() < 0) hold(what, n, errno);
  }
  return 2;
}
