// SPDX-License-Identifier: GPL-2.0-or-later
// Runs the compiled filter in a small interpreter of classic BPF, so that every number can be
// asked.
#include "context/seccomp.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstring>

#include <gtest/gtest.h>

namespace vs {
namespace {

#if defined(__x86_64__)

// The filter's verdict, as the kernel would come to it.
std::uint32_t verdict(const std::string& filter, const seccomp_data& data) {
  std::vector<sock_filter> program(filter.size() / sizeof(sock_filter));
  std::memcpy(program.data(), filter.data(), filter.size());
  std::uint32_t a = 0;
  for (std::size_t pc = 0; pc < program.size(); ++pc) {
    auto const& in = program[pc];
    auto const jump = [&](bool taken) { pc += taken ? in.jt : in.jf; };
    switch (in.code) {
      case BPF_LD | BPF_W | BPF_ABS:
        std::memcpy(&a, reinterpret_cast<const char*>(&data) + in.k, sizeof a);
        break;
      case BPF_ALU | BPF_AND | BPF_K: a &= in.k; break;
      case BPF_JMP | BPF_JA: pc += in.k; break;
      case BPF_JMP | BPF_JEQ | BPF_K: jump(a == in.k); break;
      case BPF_JMP | BPF_JGE | BPF_K: jump(a >= in.k); break;
      case BPF_JMP | BPF_JGT | BPF_K: jump(a > in.k); break;
      case BPF_JMP | BPF_JSET | BPF_K: jump((a & in.k) != 0); break;
      case BPF_RET | BPF_K: return in.k;
      default: ADD_FAILURE() << "instruction " << in.code; return 0;
    }
  }
  ADD_FAILURE() << "the program has no end";
  return 0;
}

constexpr std::uint32_t refusal(int err) {
  return SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(err);
}

struct Call {
  std::uint32_t arch;
  int number;
  std::uint64_t arg0, arg1;
};
constexpr std::uint32_t k64 = AUDIT_ARCH_X86_64;
constexpr std::uint32_t k32 = AUDIT_ARCH_I386;

std::uint32_t ask(const std::string& filter, const Call& call) {
  seccomp_data data{};
  data.arch = call.arch;
  data.nr = call.number;
  data.args[0] = call.arg0;
  data.args[1] = call.arg1;
  return verdict(filter, data);
}

// Each flag and capability changes the answer to its call, and only that.
TEST(Seccomp, FlagsAndCapabilitiesChooseRules) {
  constexpr std::uint32_t kAllowed = SECCOMP_RET_ALLOW;
  auto const with = [](std::uint64_t flags, std::uint64_t capabilities) {
    return *compile_seccomp(false, flags, capabilities);
  };
  auto const third = [](const std::string& filter, int number, std::uint64_t value) {
    seccomp_data data{};
    data.arch = k64;
    data.nr = number;
    data.args[2] = value;
    return verdict(filter, data);
  };
  auto const usual = with(0, ccap::kSetUtsname);
  EXPECT_EQ(third(usual, SYS_setpriority, 0xfffffffb), kAllowed);
  EXPECT_EQ(third(usual, SYS_ioprio_set, 1U << 13U), kAllowed);
  EXPECT_EQ(ask(usual, {k64, SYS_syslog, 3, 0}), refusal(EPERM));
  EXPECT_EQ(ask(usual, {k64, SYS_ioctl, 0, TIOCSTI}), refusal(EPERM));
  EXPECT_EQ(ask(usual, {k64, SYS_sethostname, 0, 0}), kAllowed);

  auto const nice = with(cflag::kIgnegNice | cflag::kIgnegIonice, ccap::kSetUtsname);
  EXPECT_EQ(third(nice, SYS_setpriority, 0xfffffffb), refusal(0));
  EXPECT_EQ(third(nice, SYS_setpriority, 5), kAllowed);
  EXPECT_EQ(third(nice, SYS_ioprio_set, 1U << 13U), refusal(0));
  EXPECT_EQ(third(nice, SYS_ioprio_set, 2U << 13U), kAllowed);

  auto const other = with(0, ccap::kSyslog | ccap::kTiocsti);
  EXPECT_EQ(ask(other, {k64, SYS_syslog, 3, 0}), refusal(0));
  EXPECT_EQ(ask(other, {k64, SYS_ioctl, 0, TIOCSTI}), kAllowed);
  EXPECT_EQ(ask(other, {k64, SYS_sethostname, 0, 0}), refusal(EPERM));
  EXPECT_EQ(ask(other, {k64, SYS_setdomainname, 0, 0}), refusal(EPERM));
}

TEST(Seccomp, RefusesByNumberOnBothArchitectures) {
  auto const filter = *compile_seccomp(false);
  EXPECT_EQ(ask(filter, {k64, SYS_getpid, 0, 0}), SECCOMP_RET_ALLOW);
  EXPECT_EQ(ask(filter, {k64, SYS_clone3, 0, 0}), SECCOMP_RET_ALLOW);
  EXPECT_EQ(ask(filter, {k64, SYS_mount, 0, 0}), SECCOMP_RET_ALLOW);
  for (int const number : {SYS_init_module, SYS_kexec_load, SYS_bpf, SYS_open_by_handle_at})
    EXPECT_EQ(ask(filter, {k64, number, 0, 0}), refusal(EPERM)) << number;
  for (int const number : {128, 283, 357, 342})  // the same on i386
    EXPECT_EQ(ask(filter, {k32, number, 0, 0}), refusal(EPERM)) << number;
  EXPECT_EQ(ask(filter, {k64, SYS_io_uring_setup, 0, 0}), refusal(ENOSYS));
  EXPECT_EQ(ask(filter, {AUDIT_ARCH_AARCH64, 1, 0, 0}), refusal(ENOSYS));
  EXPECT_EQ(ask(filter, {k64, SYS_getpid | 0x40000000, 0, 0}), refusal(ENOSYS)) << "x32";
}

TEST(Seccomp, ComparesIntArgumentsAsTheKernelDoes) {
  auto const filter = *compile_seccomp(false);
  constexpr std::uint64_t kHigh = 0x700000000;
  for (std::uint64_t const high : {std::uint64_t{0}, kHigh}) {
    EXPECT_EQ(ask(filter, {k64, SYS_ioctl, 0, TIOCSTI | high}), refusal(EPERM));
    EXPECT_EQ(ask(filter, {k64, SYS_socket, AF_VSOCK | high, 0}), refusal(EAFNOSUPPORT));
    EXPECT_EQ(ask(filter, {k64, SYS_socket, AF_ALG | high, 0}), refusal(EAFNOSUPPORT));
    EXPECT_EQ(ask(filter, {k64, SYS_socket, AF_CAN | high, 0}), refusal(EAFNOSUPPORT));
    EXPECT_EQ(ask(filter, {k64, SYS_socket, AF_KEY | high, 0}), refusal(EAFNOSUPPORT));
  }
  EXPECT_EQ(ask(filter, {k32, 54, 0, TIOCSTI}), refusal(EPERM));
  EXPECT_EQ(ask(filter, {k32, 359, AF_VSOCK, 0}), refusal(EAFNOSUPPORT));
  EXPECT_EQ(ask(filter, {k64, SYS_ioctl, 0, TIOCGWINSZ}), SECCOMP_RET_ALLOW);
  EXPECT_EQ(ask(filter, {k64, SYS_socket, AF_INET, 0}), SECCOMP_RET_ALLOW);
}

TEST(Seccomp, CallsNewerThanTheTableAreUnknown) {
  auto const filter = *compile_seccomp(false);
  for (auto const arch : {k64, k32}) {
    EXPECT_EQ(ask(filter, {arch, 469, 0, 0}), SECCOMP_RET_ALLOW);
    EXPECT_EQ(ask(filter, {arch, 470, 0, 0}), refusal(ENOSYS));
    EXPECT_EQ(ask(filter, {arch, 5000, 0, 0}), refusal(ENOSYS));
  }
  EXPECT_EQ(ask(*compile_seccomp(true), {k64, 467, 0, 0}), refusal(ENOSYS));
}

TEST(Seccomp, ClassicGuestsHaveNoWayToANamespace) {
  auto const filter = *compile_seccomp(true);
  for (int const number : {SYS_mount, SYS_umount2, SYS_setns, SYS_unshare, SYS_pivot_root,
                           SYS_move_mount, SYS_fsopen, SYS_fspick, SYS_fsconfig, SYS_open_tree})
    EXPECT_EQ(ask(filter, {k64, number, 0, 0}), refusal(EPERM)) << number;
  for (int const number : {21, 22, 52, 346, 310})  // mount umount umount2 setns unshare on i386
    EXPECT_EQ(ask(filter, {k32, number, 0, 0}), refusal(EPERM)) << number;
  EXPECT_EQ(ask(filter, {k64, SYS_clone, CLONE_NEWUSER | SIGCHLD, 0}), refusal(EPERM));
  EXPECT_EQ(ask(filter, {k32, 120, CLONE_NEWUSER | SIGCHLD, 0}), refusal(EPERM));
  EXPECT_EQ(ask(filter, {k64, SYS_clone, SIGCHLD, 0}), SECCOMP_RET_ALLOW);
  EXPECT_EQ(ask(filter, {k64, SYS_clone3, 0, 0}), refusal(ENOSYS));
}

#endif

}  // namespace
}  // namespace vs
