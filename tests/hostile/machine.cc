// SPDX-License-Identifier: GPL-2.0-or-later
// Files of /proc and /sys that speak of the machine or steer it. They are opened, never written.
#include "attack.h"

namespace attack {
namespace {

// /dev/null over a file can be opened, and is no way in.
int open_real(const char* path, int mode) {
  int const fd = open(path, mode | O_NONBLOCK);
  if (fd < 0) return errno;
  struct stat st {};
  fstat(fd, &st);
  if (!S_ISREG(st.st_mode)) return ENOENT;
  char some[64];
  if (mode == O_RDONLY && read(fd, some, sizeof some) < 1) return errno != 0 ? errno : ENODATA;
  return 0;
}
template <std::size_t N>
struct Path {
  char text[N];
  constexpr Path(const char (&from)[N]) {
    for (std::size_t i = 0; i < N; ++i)
      text[i] = from[i];
  }
};
template <Path P>
int write_it() {
  return open_real(P.text, O_WRONLY);
}
template <Path P>
int read_it() {
  return open_real(P.text, O_RDONLY);
}
template <Path P>
int write_inside() {
  if (!is_control) {
    if (int const err = nest(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS); err != 0)
      return err;
  }
  return open_real(P.text, O_WRONLY);
}

#define WRITE(path)                                                                 \
  Row {                                                                             \
    "write " path, write_it<path>, Control::Host, {EACCES, EROFS, ENOENT, EPERM}, { \
      ENOENT, EPERM                                                                 \
    }                                                                               \
  }
#define READ(path)                                                         \
  Row {                                                                    \
    "read " path, read_it<path>, Control::Host, {EACCES, ENOENT, EPERM}, { \
      ENOENT, EPERM                                                        \
    }                                                                      \
  }

constexpr std::array kRows{
    WRITE("/proc/sys/kernel/core_pattern"),
    WRITE("/proc/sys/kernel/modprobe"),
    WRITE("/proc/sys/kernel/hotplug"),
    WRITE("/proc/sys/kernel/sysrq"),
    WRITE("/proc/sys/kernel/panic"),
    WRITE("/proc/sys/kernel/randomize_va_space"),
    WRITE("/proc/sys/vm/drop_caches"),
    WRITE("/proc/sys/vm/overcommit_memory"),
    WRITE("/proc/sys/fs/protected_symlinks"),
    WRITE("/proc/sys/fs/binfmt_misc/register"),
    WRITE("/proc/sysrq-trigger"),
    WRITE("/proc/mtrr"),
    WRITE("/sys/kernel/uevent_helper"),
    WRITE("/sys/power/state"),
    WRITE("/sys/kernel/profiling"),
    WRITE("/sys/module/kernel/parameters/panic"),
    Row{"write core_pattern from namespaces inside",
        write_inside<"/proc/sys/kernel/core_pattern">,
        Control::Host,
        {EACCES, EROFS, EPERM}},
    Row{"write modprobe from namespaces inside",
        write_inside<"/proc/sys/kernel/modprobe">,
        Control::Host,
        {EACCES, EROFS, EPERM, ENOENT},
        {ENOENT}},
    READ("/proc/kcore"),
    READ("/proc/kallsyms"),
    READ("/proc/keys"),
    READ("/proc/timer_list"),
    READ("/proc/iomem"),
    READ("/proc/interrupts"),
    READ("/proc/cmdline"),
    READ("/proc/kpageflags"),
    READ("/proc/slabinfo"),
    READ("/proc/vmallocinfo"),
    READ("/proc/pagetypeinfo"),
    READ("/sys/firmware/acpi/tables/DSDT"),
    READ("/sys/kernel/debug/sched/debug"),
};

}  // namespace
}  // namespace attack

int main(int argc, char** argv) {
  return attack::main_of(attack::kRows, argc, argv);
}
