// SPDX-License-Identifier: GPL-2.0-or-later
#include "sys/own_mounts.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace vs {

namespace {

// <sys/mount.h> and <linux/mount.h> cannot be had together with every C library.
constexpr unsigned long kBind = 4096;
constexpr unsigned long kRecursive = 16384;
constexpr unsigned long kSlave = 1UL << 19U;
constexpr unsigned long kNoSuid = 2;
constexpr unsigned long kNoDev = 4;
constexpr unsigned long kNoExec = 8;
constexpr unsigned long kReadOnly = 1;
constexpr int kDetach = 2;
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

int do_mount(const char* source, const char* target, const char* type, unsigned long flags,
             const char* data = nullptr) {
  return static_cast<int>(::syscall(SYS_mount, source, target, type, flags, data));
}

}  // namespace

Status make_mounts_slave() {
  if (do_mount("none", "/", nullptr, kRecursive | kSlave) != 0)
    return Error::system(errno, "take the mounts apart from the host's");
  return {};
}

Status pivot_here() {
  // A root must be a mount.
  if (do_mount(".", ".", nullptr, kBind | kRecursive) != 0)
    return Error::system(errno, "mount the new root");
  // The path leads to what is mounted on it now.
  std::string path(4096, '\0');
  if (::getcwd(path.data(), path.size()) == nullptr || ::chdir(path.c_str()) != 0)
    return Error::system(errno, "enter the new root");
  if (::syscall(SYS_pivot_root, ".", ".") != 0) return Error::system(errno, "pivot_root");
  if (::syscall(SYS_umount2, ".", kDetach) != 0) return Error::system(errno, "drop the old root");
  if (::chdir("/") != 0) return Error::system(errno, "enter the new root");
  return {};
}

Status mount_own_proc() {
  if (do_mount("proc", "/proc", "proc", kNoSuid | kNoDev | kNoExec) == 0 || errno == ENOENT ||
      errno == ENOTDIR)
    return {};
  return Error::system(errno, "mount /proc");
}

Status hide_path(const std::string& path) {
  struct stat st {};
  if (::lstat(path.c_str(), &st) != 0) return {};
  bool const dir = S_ISDIR(st.st_mode);
  int const done = dir ? do_mount("none", path.c_str(), "tmpfs",
                                  kReadOnly | kNoSuid | kNoDev | kNoExec, "size=0k,mode=555")
                       : do_mount("/dev/null", path.c_str(), nullptr, kBind);
  if (done != 0) return Error::system(errno, "hide {}", path);
  return {};
}

Status make_read_only(const std::string& path) {
  if (::access(path.c_str(), F_OK) != 0) return {};
  if (do_mount(path.c_str(), path.c_str(), nullptr, kBind | kRecursive) != 0)
    return Error::system(errno, "bind {}", path);
  mount_attr attr{};
  attr.attr_set = MOUNT_ATTR_RDONLY;
  if (::syscall(SYS_mount_setattr, AT_FDCWD, path.c_str(), AT_RECURSIVE, &attr, sizeof attr) != 0)
    return Error::system(errno, "make {} read-only", path);
  return {};
}

}  // namespace vs
