// SPDX-License-Identifier: GPL-2.0-or-later
// The kernel's newer calls, for a static program whose C library may not know them.
#pragma once

#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif
#ifndef CLONE_NEWCGROUP
#define CLONE_NEWCGROUP 0x02000000
#endif
#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ULL
#endif
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
#ifndef AT_EMPTY_PATH
#define AT_EMPTY_PATH 0x1000
#endif

namespace vs::stage {

// struct clone_args of clone3(2), first 88 bytes (Linux 5.7).
struct CloneArgs {
  std::uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid,
      set_tid_size, cgroup;
};

inline int fsopen(const char* fs) {
  return static_cast<int>(::syscall(SYS_fsopen, fs, 1));
}
inline int fsconfig(int fd, unsigned cmd, const char* key, const void* value, int aux = 0) {
  return static_cast<int>(::syscall(SYS_fsconfig, fd, cmd, key, value, aux));
}
inline int fsmount(int fd, unsigned attr) {
  return static_cast<int>(::syscall(SYS_fsmount, fd, 1, attr));
}
inline int open_tree(int dir, const char* path, unsigned flags) {
  return static_cast<int>(::syscall(SYS_open_tree, dir, path, flags));
}
inline int move_mount(int from, int to) {
  return static_cast<int>(::syscall(SYS_move_mount, from, "", to, "",
                                    MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH));
}
inline int set_mount_attr(int fd, unsigned at_flags, std::uint64_t set, std::uint64_t clear = 0,
                          int userns = 0, std::uint64_t propagation = 0) {
  mount_attr attr{};
  attr.attr_set = set;
  attr.attr_clr = clear;
  attr.propagation = propagation;
  attr.userns_fd = static_cast<std::uint64_t>(userns);
  return static_cast<int>(
      ::syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH | at_flags, &attr, sizeof attr));
}
inline int pivot_root(const char* new_root, const char* old) {
  return static_cast<int>(::syscall(SYS_pivot_root, new_root, old));
}
// Resolves path with root as "/": nothing in a hostile tree leads out of it.
inline int open_in(int root, const char* path, int flags, std::uint64_t resolve = 0) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC);
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | resolve;
  return static_cast<int>(::syscall(SYS_openat2, root, path, &how, sizeof how));
}
inline int close_range(unsigned first, unsigned last, unsigned flags = 0) {
  return static_cast<int>(::syscall(SYS_close_range, first, last, flags));
}

}  // namespace vs::stage
