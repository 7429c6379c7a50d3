// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/vfs.h>

#include "stage/raw.h"
#include "stage/stage.h"

namespace vs::stage {

namespace {

constexpr unsigned long kDevptsMagic = 0x1cd1;
constexpr int kLastCapability = 63;

void drop_bounding(std::uint64_t keep) {
  for (int cap = 0; cap <= kLastCapability; ++cap) {
    if ((keep >> static_cast<unsigned>(cap) & 1U) != 0) continue;
    if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0) continue;
    if (errno == EINVAL) return;  // beyond the kernel's last capability
    fail("bound the capabilities", "", errno);
  }
}

// What the command's caller left inheritable would pass the bounding set at exec of a root program
// (capabilities(7)); a new user namespace starts with nothing, the host's does not.
void bound_own_sets(std::uint64_t keep) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[2] = {};
  must(static_cast<int>(syscall(SYS_capget, &header, sets)), "bound the capabilities", "capget");
  for (unsigned i = 0; i < 2; ++i) {
    auto const part = static_cast<std::uint32_t>(keep >> (32 * i));
    sets[i].permitted &= part;
    sets[i].effective &= part;
    sets[i].inheritable = 0;
  }
  must(static_cast<int>(syscall(SYS_capset, &header, sets)), "bound the capabilities", "capset");
}

void load_filter(const Plan& plan) {
  if (plan.header->n_filter == 0) return;
  sock_fprog const program{static_cast<unsigned short>(plan.header->n_filter),
                           static_cast<sock_filter*>(const_cast<void*>(plan.filter))};
  must(static_cast<int>(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program)),
       "load the seccomp filter");
}

// Arguments or environment of a program, pointing into the plan.
char** string_array(Plan& plan, std::uint32_t count) {
  void* room = mmap(nullptr, (count + std::size_t{1}) * sizeof(char*), PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (room == MAP_FAILED) fail("exec", "too many arguments", errno);
  auto** out = static_cast<char**>(room);
  for (std::uint32_t i = 0; i < count; ++i)
    out[i] = plan.strings.next();
  return out;
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
  if ((plan.header->flags & kUserNs) == 0) bound_own_sets(plan.header->capabilities);
}

void exec_program(Plan& plan) {
  char** const argv = string_array(plan, plan.header->n_argv);
  char** const envp = string_array(plan, plan.header->n_envp);
  // The reports stay until exec has worked; nothing else is left by now.
  must(fcntl(kReportFd, F_SETFD, FD_CLOEXEC), "close descriptors");
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
    char path[32 + NAME_MAX];
    if (snprintf(path, sizeof path, "%s/%s", dir, argv[0]) >= static_cast<int>(sizeof path))
      fail("exec", argv[0], ENAMETOOLONG);
    execve(path, argv, envp);
    if (errno != ENOENT && errno != ENOTDIR) err = errno;
  }
  fail("exec", argv[0], err);
}

}  // namespace vs::stage
