// SPDX-License-Identifier: GPL-2.0-or-later
// What a hostile program does inside a guest with what `exec` gave it.
//   intruder streams           tries to get at the host by its descriptors and terminal
//   intruder spy SECONDS       looks at every process that appears, until then
// Exit status 0: nothing was found. What was found is written to stdout.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int found;
static long seen;  // looks at a process that was not the guest's program yet

static void complain(const char* what, int fd) {
  printf("FOUND %s (descriptor %d)\n", what, fd);
  found = 1;
}

// Opens the descriptor anew with rights that it was not given.
static void reopen(int fd, int had) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  int const again = open(path, O_RDWR | O_NONBLOCK | O_NOCTTY);
  struct stat st;
  // A pipe made for the program belongs to it, at both ends; one of the host's must not open.
  if (again >= 0 && fstat(fd, &st) == 0 && st.st_uid != 0 && had != O_RDWR)
    complain("a stream of the host opens for writing", fd);
  if (again >= 0) close(again);
}

static void inspect(int fd) {
  struct stat st;
  if (fstat(fd, &st) != 0) return;
  char path[64];
  char target[256] = "";
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  if (readlink(path, target, sizeof target - 1) < 0) target[0] = '\0';
  int const own_tty = S_ISCHR(st.st_mode) && strncmp(target, "/dev/pts/", 9) == 0;
  if (fd > 2) complain(target, fd);
  if (!S_ISFIFO(st.st_mode) && !own_tty) complain(target, fd);
  if (openat(fd, "..", O_RDONLY | O_DIRECTORY) >= 0 || fchdir(fd) == 0) complain("a directory", fd);
  if (lseek(fd, 0, SEEK_SET) >= 0 && !own_tty) complain("a file that can be seeked", fd);
  if (ftruncate(fd, 0) == 0) complain("a file that can be truncated", fd);
  if (fchmod(fd, 0666) == 0 && st.st_uid != 0) complain("a mode that can be changed", fd);
  reopen(fd, fcntl(fd, F_GETFL) & O_ACCMODE);
}

static int streams(void) {
  for (int fd = 0; fd < 256; ++fd)
    inspect(fd);
  int const tty = open("/dev/tty", O_RDWR);
  char name[256] = "";
  if (tty >= 0) {
    // A terminal is allowed if it is the guest's: then it has a name in the guest's /dev/pts.
    if (ttyname_r(tty, name, sizeof name) != 0 && ttyname_r(0, name, sizeof name) != 0)
      complain("a controlling terminal that is not the guest's", tty);
    char const byte = '\n';
    if (isatty(0) == 0 && ioctl(tty, TIOCSTI, &byte) == 0) complain("a terminal to type into", tty);
  }
  return found;
}

// True while the process is vs-stage: it has not become the guest's program yet. In memory only,
// it has the name of its memory, or before Linux 6.14 the number of the descriptor.
static int is_joining(const char* pid) {
  char path[300];
  char comm[64] = "";
  snprintf(path, sizeof path, "/proc/%s/comm", pid);
  int const fd = open(path, O_RDONLY);
  if (fd < 0) return 0;
  ssize_t const n = read(fd, comm, sizeof comm - 1);
  close(fd);
  return n > 1 && (strncmp(comm, "memfd:vs", 8) == 0 || strspn(comm, "0123456789\n") == (size_t)n);
}

// Prints what was got of a process, if it was got while it was joining.
static void report(const char* pid, const char* what, const char* detail) {
  if (!is_joining(pid)) return;
  printf("FOUND /proc/%s/%s %s\n", pid, what, detail);
  found = 1;
}

static void look_at_descriptors(const char* pid) {
  char path[300];
  snprintf(path, sizeof path, "/proc/%s/fd", pid);
  DIR* const fds = opendir(path);
  if (fds == NULL) return;
  struct dirent* entry;
  while ((entry = readdir(fds)) != NULL) {
    snprintf(path, sizeof path, "/proc/%s/fd/%s", pid, entry->d_name);
    char where[256] = "";
    if (readlink(path, where, sizeof where - 1) > 0 && strncmp(where, "pipe:", 5) != 0 &&
        strncmp(where, "/dev/", 5) != 0 && strncmp(where, "socket:", 7) != 0)
      report(pid, "fd/", where);
  }
  closedir(fds);
}

static void look_at(const char* pid) {
  if (!is_joining(pid)) return;
  ++seen;
  char path[300];
  char target[256] = "";
  snprintf(path, sizeof path, "/proc/%s/exe", pid);
  if (readlink(path, target, sizeof target - 1) > 0) report(pid, "exe", target);
  int const exe = open(path, O_RDWR);
  if (exe >= 0 && write(exe, "x", 1) == 1) report(pid, "exe", "written");
  if (exe >= 0) close(exe);
  snprintf(path, sizeof path, "/proc/%s/mem", pid);
  int const mem = open(path, O_RDWR);
  if (mem >= 0) {
    report(pid, "mem", "opens");
    close(mem);
  }
  look_at_descriptors(pid);
}

static int spy(long seconds) {
  time_t const end = time(NULL) + seconds;
  long looks = 0;
  while (time(NULL) < end) {
    DIR* const proc = opendir("/proc");
    struct dirent* entry;
    while (proc != NULL && (entry = readdir(proc)) != NULL) {
      long const pid = strtol(entry->d_name, NULL, 10);
      if (pid <= 1 || pid == getpid()) continue;
      look_at(entry->d_name);
      // Trace it at once; what is its exe then?
      if (ptrace(PTRACE_SEIZE, pid, 0, 0) == 0) {
        look_at(entry->d_name);
        ptrace(PTRACE_INTERRUPT, pid, 0, 0);
        waitpid((pid_t)pid, NULL, __WALL);
        ptrace(PTRACE_DETACH, pid, 0, 0);
      }
      ++looks;
    }
    if (proc != NULL) closedir(proc);
  }
  printf("%ld looks, %ld in time\n", looks, seen);
  return found;
}

int main(int argc, char** argv) {
  int bad = 2;
  if (argc == 2 && strcmp(argv[1], "streams") == 0) bad = streams();
  if (argc == 3 && strcmp(argv[1], "spy") == 0) bad = spy(atol(argv[2]));
  fflush(stdout);
  return bad;
}
