// SPDX-License-Identifier: GPL-2.0-or-later
// vs-guard: one per guest, the parent of its init, or the watcher of one whose parent died. Keeps
// the console's log, notes readiness, and when init has ended becomes the command again (execve),
// which cleans up or restarts. SIGHUP: continues as the installed program (upgrade).
//   vs-guard 1 VSERVER NAME INIT_PID LOG_FILE READY_FILE      1: version of this protocol
//   vs-guard --knows VERSION                                  exit status 0: understands it
// Descriptors: 3 the console's master, 4 the readiness socket, 5 the console's listening socket,
// 6 a pidfd of init. Each may be absent; without the last one init has ended already.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <initializer_list>

namespace {

enum : int { kConsole = 3, kNotify = 4, kListen = 5, kInit = 6 };
constexpr const char* kProtocol = "1";
constexpr long kLogMax = 512 * 1024;
constexpr int kClients = 4;
enum : int { kFdConsole, kFdNotify, kFdListen, kFdInit, kFdClient };

const char* log_path;
int log_fd = -1;
long log_size;
pollfd fds[kFdClient + kClients];
volatile sig_atomic_t upgrade;

// Above the numbers that mean something: an absent console must stay absent.
void open_log() {
  int const fd = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
  log_fd = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 16);
  if (fd >= 0) close(fd);
  struct stat st {};
  log_size = log_fd >= 0 && fstat(log_fd, &st) == 0 ? static_cast<long>(st.st_size) : 0;
}

// Two files of at most kLogMax: a guest cannot fill the host's disk through its console.
void write_log(const char* text, long size) {
  if (log_size + size > kLogMax) {
    char old[512];
    if (snprintf(old, sizeof old, "%s.1", log_path) < static_cast<int>(sizeof old))
      rename(log_path, old);
    close(log_fd);
    open_log();
  }
  if (log_fd >= 0 && write(log_fd, text, static_cast<size_t>(size)) > 0) log_size += size;
}

void forget(int slot) {
  if (fds[slot].fd >= 0) close(fds[slot].fd);
  fds[slot].fd = -1;
}

void read_console() {
  char text[2048];
  auto const n = read(kConsole, text, sizeof text);
  if (n <= 0) {
    // EIO: no process has the console open just now. Look again in a while, do not spin.
    if (n < 0 && errno == EIO) fds[kFdConsole].fd = -2;
    return;
  }
  write_log(text, static_cast<long>(n));
  for (int i = kFdClient; i < kFdClient + kClients; ++i) {
    // A client that does not read loses lines; it never stops the guest.
    if (fds[i].fd >= 0 &&
        send(fds[i].fd, text, static_cast<size_t>(n), MSG_DONTWAIT | MSG_NOSIGNAL) < 0 &&
        errno != EAGAIN)
      forget(i);
  }
}

void read_client(int slot) {
  char text[512];
  auto const n = recv(fds[slot].fd, text, sizeof text, MSG_DONTWAIT);
  if (n > 0) {
    [[maybe_unused]] auto const sent = write(kConsole, text, static_cast<size_t>(n));
  } else if (n == 0 || errno != EAGAIN) {
    forget(slot);
  }
}

void accept_client() {
  int const fd = accept4(kListen, nullptr, nullptr, SOCK_CLOEXEC);
  if (fd < 0) return;
  for (int i = kFdClient; i < kFdClient + kClients; ++i) {
    if (fds[i].fd >= 0) continue;
    fds[i] = {fd, POLLIN, 0};
    return;
  }
  close(fd);
}

void read_notify(const char* ready_path) {
  char text[512];
  auto const n = recv(kNotify, text, sizeof text - 1, MSG_DONTWAIT);
  if (n <= 0) return;
  text[n] = '\0';
  if (strncmp(text, "READY=1", 7) != 0 && strstr(text, "\nREADY=1") == nullptr) return;
  int const fd = open(ready_path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (fd >= 0) close(fd);
}

bool has_fd(int fd) {
  return fcntl(fd, F_GETFD) >= 0;
}

void watch(int slot, int fd) {
  fds[slot] = {has_fd(fd) ? fd : -1, POLLIN, 0};
}

// pidfd_info of linux/pidfd.h, which musl's headers do not know; the kernel fills what it has.
struct PidfdInfo {
  unsigned long long mask;
  unsigned char others[52];  // cgroup id, ids of the process and its owners
  int exit_code;
};
static_assert(sizeof(PidfdInfo) == 64);
constexpr unsigned long long kPidfdInfoExit = 1U << 3U;

// The wait status of a zombie, the last field of its stat; -1 when it is none (any more).
int zombie_status(pid_t pid) {
  char path[32];
  char text[1024];
  snprintf(path, sizeof path, "/proc/%d/stat", static_cast<int>(pid));
  int const fd = open(path, O_RDONLY | O_CLOEXEC);
  auto const n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
  if (fd >= 0) close(fd);
  if (n <= 0) return -1;
  text[n] = '\0';
  const char* const state = strrchr(text, ')');
  const char* const last = strrchr(text, ' ');
  if (state == nullptr || strncmp(state, ") Z", 3) != 0 || last == nullptr) return -1;
  return static_cast<int>(atol(last));
}

// Init's wait status: from wait(2) by its parent; by another as long as it is a zombie, and after
// that from its pidfd (Linux 6.15); -1 when there is no way to know.
int end_status(pid_t init) {
  int status = -1;
  if (waitpid(init, &status, 0) == init) return status;
  for (int i = 0; i < 100; ++i) {
    status = zombie_status(init);
    if (status >= 0) return status;
    PidfdInfo info{};
    info.mask = kPidfdInfoExit;
    if (ioctl(kInit, _IOWR(0xFF, 11, PidfdInfo), &info) != 0) return -1;
    if ((info.mask & kPidfdInfoExit) != 0) return info.exit_code;
    poll(nullptr, 0, 10);
  }
  return -1;
}

// What was said last, for the log: as much as a terminal holds, however fast others go on.
void drain_console() {
  for (int i = 0; i < 64; ++i) {
    pollfd console{kConsole, POLLIN, 0};
    if (poll(&console, 1, 0) != 1 || (console.revents & POLLIN) == 0) return;
    read_console();
  }
}

// Whether the program that is installed now can go on from here. Asked before it takes this
// process over: init would lose its parent to one that only says that it cannot.
bool can_continue_as(const char* program) {
  pid_t const pid = vfork();
  if (pid == 0) {
    execl(program, program, "--knows", kProtocol, nullptr);
    _exit(127);
  }
  int status = 0;
  return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

// Until init has ended, or SIGHUP asks for an upgrade.
void run(const char* ready_path) {
  sigset_t open_mask;
  sigprocmask(SIG_SETMASK, nullptr, &open_mask);
  sigdelset(&open_mask, SIGHUP);

  for (auto& slot : fds)
    slot.fd = -1;
  watch(kFdConsole, kConsole);
  watch(kFdNotify, kNotify);
  watch(kFdListen, kListen);
  watch(kFdInit, kInit);
  while (!upgrade && fds[kFdInit].fd >= 0) {
    bool const idle_console = fds[kFdConsole].fd == -2;
    timespec const again{0, 200'000'000};
    if (ppoll(fds, kFdClient + kClients, idle_console ? &again : nullptr, &open_mask) < 0) continue;
    if (idle_console) fds[kFdConsole].fd = kConsole;
    if ((fds[kFdConsole].revents & (POLLIN | POLLHUP | POLLERR)) != 0 && !idle_console)
      read_console();
    if (fds[kFdNotify].revents != 0) read_notify(ready_path);
    if (fds[kFdListen].revents != 0) accept_client();
    for (int i = kFdClient; i < kFdClient + kClients; ++i) {
      if (fds[i].fd >= 0 && fds[i].revents != 0) read_client(i);
    }
    if (fds[kFdInit].revents != 0) return;
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 3 && strcmp(argv[1], "--knows") == 0) return strcmp(argv[2], kProtocol) == 0 ? 0 : 1;
  if (argc != 7 || strcmp(argv[1], kProtocol) != 0) return 2;
  log_path = argv[5];
  // Ended by SIGKILL only: the guest's log and its clean-up hang on it, the guest itself does not.
  // As a service it is stopped by SIGTERM, which is then the administrator's wish.
  for (int const sig : {SIGINT, SIGTERM, SIGPIPE})
    signal(sig, sig == SIGTERM && getenv("NOTIFY_SOCKET") != nullptr ? SIG_DFL : SIG_IGN);
  sigset_t hangup;
  sigemptyset(&hangup);
  sigaddset(&hangup, SIGHUP);
  sigprocmask(SIG_BLOCK, &hangup, nullptr);
  signal(SIGHUP, [](int) { upgrade = 1; });
  open_log();
  run(argv[6]);
  while (upgrade) {
    upgrade = 0;
    if (can_continue_as(argv[0])) execv(argv[0], argv);
    run(argv[6]);  // not there just now, or another version: go on as the old one
  }
  for (int i = 0; i < 16 && has_fd(kNotify); ++i)
    read_notify(argv[6]);
  drain_console();
  char text[16];
  snprintf(text, sizeof text, "%d", end_status(static_cast<pid_t>(atol(argv[4]))));
  for (int const sig : {SIGHUP, SIGINT, SIGTERM, SIGPIPE})
    signal(sig, SIG_DFL);
  sigprocmask(SIG_UNBLOCK, &hangup, nullptr);
  for (int fd = 3; fd < 16; ++fd)
    close(fd);
  char* const next[] = {argv[2], const_cast<char*>("--ended"), argv[3], text, nullptr};
  execv(argv[2], next);
  return 1;
}
