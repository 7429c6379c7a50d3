// SPDX-License-Identifier: GPL-2.0-or-later
// Calls that the filter refuses, by number: natively, by the 32-bit gate and as x32. A call works
// when the kernel looks at its arguments, which are all wrong in a harmless way.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

#include "attack.h"

namespace attack {
namespace {

int reached(long value) {
  int const err = value < 0 ? errno : 0;
  return err == EPERM || err == ENOSYS ? err : 0;
}

template <long Number, long... Args>
int call() {
  return reached(syscall(Number, Args...));
}

#if defined(__x86_64__)
// 32-bit gate: number and arguments as i386 has them.
template <int Number, int A = 0, int B = 0, int C = 0>
int call_i386() {
  int value = Number;
  asm volatile("int $0x80"
               : "+a"(value)
               : "b"(A), "c"(B), "d"(C)
               : "memory", "r8", "r9", "r10", "r11");
  if (value >= 0) return 0;
  return value == -EPERM || value == -ENOSYS ? -value : 0;
}
template <long Number, long... Args>
int call_x32() {
  return reached(syscall(Number | 0x40000000L, Args...));
}
#endif

int new_user_namespace() {
  return result(unshare(CLONE_NEWUSER));
}
int clone_user_namespace() {
  long const pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, nullptr, nullptr, nullptr, nullptr);
  if (pid == 0) _exit(0);
  return result(pid);
}
int clone3_user_namespace() {
  std::uint64_t args[8] = {CLONE_NEWUSER, 0, 0, 0, SIGCHLD, 0, 0, 0};
  long const pid = syscall(SYS_clone3, args, sizeof args);
  if (pid == 0) _exit(0);
  return result(pid);
}
// A filter that allows everything does not undo the one below it.
int filter_over_filter() {
  sock_filter allow[] = {{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};
  sock_fprog const program{1, allow};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0) return errno;
  return call<SYS_keyctl, 0, -3, 0>();
}

constexpr int kNothing = -1;

#define NATIVE(name, ...)                                    \
  Row {                                                      \
#name, call < SYS_##name, __VA_ARGS__>, Control::Host, { \
      EPERM                                                  \
    }                                                        \
  }

constexpr std::array kRows {
  NATIVE(init_module, 0, 0, 0), NATIVE(finit_module, kNothing, 0, 0), NATIVE(delete_module, 0, 0),
      NATIVE(kexec_load, 0, 9999, 0, 0), NATIVE(swapon, 0, 0), NATIVE(swapoff, 0),
      NATIVE(settimeofday, 8, 0), NATIVE(clock_settime, 0, 0), NATIVE(acct, 8),
      NATIVE(perf_event_open, 0, 0, kNothing, kNothing, 0), NATIVE(bpf, 9999, 0, 0),
      NATIVE(add_key, 0, 0, 0, 0, 0), NATIVE(keyctl, 0, -3, 0), NATIVE(request_key, 0, 0, 0, 0),
      NATIVE(open_by_handle_at, kNothing, 0, 0), NATIVE(syslog, 10, 0, 0),
      NATIVE(quotactl, 0, 0, 0, 0),
      Row{"userfaultfd", call<SYS_userfaultfd, 0>, Control::Host, {ENOSYS}},
      Row{"io_uring_setup", call<SYS_io_uring_setup, 0, 0>, Control::Host, {ENOSYS}},
      Row{"io_uring_enter",
          call<SYS_io_uring_enter, kNothing, 0, 0, 0, 0, 0>,
          Control::Host,
          {ENOSYS}},
      Row{"io_uring_register",
          call<SYS_io_uring_register, kNothing, 99, 0, 0>,
          Control::Host,
          {ENOSYS}},
#if defined(__x86_64__)
      NATIVE(iopl, 4), NATIVE(ioperm, 0x10000000, 1, 1),
      Row{"init_module, 32-bit", call_i386<128>, Control::Host, {EPERM}},
      Row{"delete_module, 32-bit", call_i386<129>, Control::Host, {EPERM}},
      Row{"clock_settime, 32-bit", call_i386<264>, Control::Host, {EPERM}},
      Row{"clock_settime64, 32-bit", call_i386<404>, Control::Host, {EPERM}},
      Row{"bpf, 32-bit", call_i386<357, 9999>, Control::Host, {EPERM}},
      Row{"keyctl, 32-bit", call_i386<288, 0, -3>, Control::Host, {EPERM}},
      Row{"syslog, 32-bit", call_i386<103, 10>, Control::Host, {EPERM}},
      Row{"open_by_handle_at, 32-bit", call_i386<342, -1>, Control::Host, {EPERM}},
      Row{"userfaultfd, 32-bit", call_i386<374>, Control::Host, {ENOSYS}},
      Row{"io_uring_setup, 32-bit", call_i386<425>, Control::Host, {ENOSYS}},
      Row{"keyctl, x32", call_x32<SYS_keyctl, 0, -3, 0>, Control::Host, {ENOSYS, EPERM}},
      Row{"getpid, x32", call_x32<SYS_getpid>, Control::Host, {ENOSYS}},
#endif
      Row{"keyctl behind a filter of its own", filter_over_filter, Control::Host, {EPERM}},
};

// A guest without a user namespace has no way to one either: a new one would begin with every
// capability.
constexpr std::array kClassicRows{
    Row{"unshare a user namespace", new_user_namespace, Control::Host, {EPERM}},
    Row{"clone into one", clone_user_namespace, Control::Host, {EPERM}},
    Row{"clone3 into one", clone3_user_namespace, Control::Host, {ENOSYS}},
};

}  // namespace
}  // namespace attack

int main(int argc, char** argv) {
  int const done = attack::main_of(attack::kRows, argc, argv);
  if (argc < 2 || strcmp(argv[1], "guest") == 0) return done;
  int const classic = attack::main_of(attack::kClassicRows, argc, argv);
  return done != 0 ? done : classic;
}
