// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/vfs.h>

#include "stage/raw.h"
#include "stage/stage.h"

namespace vs::stage {

namespace {

constexpr unsigned long kDevptsMagic = 0x1cd1;
constexpr int kLastCapability = 63;
constexpr std::size_t kMaxStrings = 512;

void drop_bounding(std::uint64_t keep) {
  for (int cap = 0; cap <= kLastCapability; ++cap) {
    if ((keep >> static_cast<unsigned>(cap) & 1U) != 0) continue;
    if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0) continue;
    if (errno == EINVAL) return;  // beyond the kernel's last capability
    fail("bound the capabilities", "", errno);
  }
}

void load_filter(const Plan& plan) {
  if (plan.header->n_filter == 0) return;
  sock_fprog const program{static_cast<unsigned short>(plan.header->n_filter),
                           static_cast<sock_filter*>(const_cast<void*>(plan.filter))};
  must(static_cast<int>(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program)),
       "load the seccomp filter");
}

}  // namespace

int open_terminal(const char* step, int extra) {
  int const dir = must(open("/dev/pts", O_PATH | O_DIRECTORY | O_CLOEXEC), step, "/dev/pts");
  struct statfs fs {};
  must(fstatfs(dir, &fs), step, "/dev/pts");
  if (static_cast<unsigned long>(fs.f_type) != kDevptsMagic)
    fail(step, "/dev/pts is not a devpts", ENOTTY);
  int const master = must(openat(dir, "ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC), step, "ptmx");
  int unlock = 0;
  must(ioctl(master, TIOCSPTLCK, &unlock), step, "unlock");
  // By descriptor, so that no name inside the guest is trusted (TIOCGPTPEER, Linux 4.13).
  int const slave = must(ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC), step, "slave");
  int const fds[2] = {master, extra};
  report(Report::Kind::Descriptors, 0, step, "", fds, extra >= 0 ? 2 : 1);
  close(master);
  if (extra >= 0) close(extra);
  return slave;
}

void become_guest(const Plan& plan) {
  drop_bounding(plan.header->capabilities);
  if (plan.header->uid != 0 || plan.header->gid != 0) {
    must(static_cast<int>(
             syscall(SYS_setresgid, plan.header->gid, plan.header->gid, plan.header->gid)),
         "set gid");
  }
  load_filter(plan);
  if (plan.header->uid != 0)
    must(static_cast<int>(
             syscall(SYS_setresuid, plan.header->uid, plan.header->uid, plan.header->uid)),
         "set uid");
}

void exec_program(Plan& plan) {
  static char* argv[kMaxStrings];
  static char* envp[kMaxStrings];
  if (plan.header->n_argv == 0 || plan.header->n_argv >= kMaxStrings ||
      plan.header->n_envp >= kMaxStrings)
    fail("exec", "too many arguments", E2BIG);
  for (std::uint32_t i = 0; i < plan.header->n_argv; ++i)
    argv[i] = const_cast<char*>(plan.strings.next());
  for (std::uint32_t i = 0; i < plan.header->n_envp; ++i)
    envp[i] = const_cast<char*>(plan.strings.next());
  // Everything but 0, 1, 2 goes away at exec; the report socket stays until then.
  must(static_cast<int>(syscall(SYS_close_range, 3U, ~0U, 4U /* CLOSE_RANGE_CLOEXEC */)),
       "close descriptors");
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  for (int sig = 1; sig < 65; ++sig)
    signal(sig, SIG_DFL);
  if (strchr(argv[0], '/') != nullptr) {
    execve(argv[0], argv, envp);
    fail("exec", argv[0], errno);
  }
  static const char* const kPath[] = {"/usr/local/sbin", "/usr/local/bin", "/usr/sbin",
                                      "/usr/bin",        "/sbin",          "/bin"};
  int err = ENOENT;
  for (const char* dir : kPath) {
    char path[512];
    if (snprintf(path, sizeof path, "%s/%s", dir, argv[0]) >= static_cast<int>(sizeof path))
      continue;
    execve(path, argv, envp);
    if (errno != ENOENT && errno != ENOTDIR) err = errno;
  }
  fail("exec", argv[0], err);
}

}  // namespace vs::stage
