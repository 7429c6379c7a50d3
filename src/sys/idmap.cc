// SPDX-License-Identifier: GPL-2.0-or-later
#include "sys/idmap.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

#include "base/scope_exit.h"
#include "sys/file.h"

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

namespace vs {

Result<Fd> make_id_map(std::uint32_t inside, std::uint32_t outside, std::uint32_t count) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return Error::system(errno, "pipe");
  Fd const ours{ends[0]};
  Fd theirs{ends[1]};
  pid_t const pid = ::fork();
  if (pid < 0) return Error::system(errno, "fork");
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    int err = ::unshare(CLONE_NEWUSER) == 0 ? 0 : errno;
    if (::write(theirs.get(), &err, sizeof err) == sizeof err) ::pause();
    ::_exit(0);
  }
  ScopeExit const end{[&]() noexcept {
    ::kill(pid, SIGKILL);
    while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
  }};
  theirs.reset();
  int err = 0;
  if (::read(ours.get(), &err, sizeof err) != sizeof err)
    return Error::make(Errc::Internal, "the holder of the id map died");
  if (err != 0) return Error::system(err, "user namespace");
  std::string const map = fmt::format("{} {} {}\n", inside, outside, count);
  for (const char* file : {"uid_map", "gid_map"})
    VS_TRY(write_knob(fmt::format("/proc/{}/{}", pid, file), map));
  return open_path(fmt::format("/proc/{}/ns/user", pid), O_RDONLY);
}

Status mount_with_owners(FdRef directory, FdRef map, const std::string& target) {
  Fd const mount{static_cast<int>(::syscall(SYS_open_tree, directory.get(), "",
                                            OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH))};
  if (!mount) return Error::system(errno, "clone the mount");
  mount_attr attr{};
  attr.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | MOUNT_ATTR_IDMAP;
  attr.userns_fd = static_cast<std::uint64_t>(map.get());
  if (::syscall(SYS_mount_setattr, mount.get(), "", AT_EMPTY_PATH, &attr, sizeof attr) != 0) {
    int const err = errno;
    auto error = Error::system(err, "translate owners (idmapped mount)");
    return err == EINVAL ? std::move(error).with_code(Errc::Unsupported) : error;
  }
  Fd const at = VS_TRY(open_path(target, O_PATH | O_DIRECTORY));
  if (::syscall(SYS_move_mount, mount.get(), "", at.get(), "",
                MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) != 0)
    return Error::system(errno, "mount at {}", target);
  return {};
}

}  // namespace vs
