// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/empty_net.h"

#include <linux/magic.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "base/log.h"
#include "guest/paths.h"
#include "sys/file.h"

namespace vs {

namespace {

constexpr const char* kOwn = "/proc/self/ns/net";

std::string pin() {
  return Paths::get().run + "/no-network";
}

bool is_namespace(FdRef fd) {
  struct statfs fs {};
  return ::fstatfs(fd.get(), &fs) == 0 && fs.f_type == NSFS_MAGIC;
}

// In a new namespace for a moment, to take hold of it.
Status keep_new(const std::string& path) {
  Fd const home = VS_TRY(open_path(kOwn, O_RDONLY));
  Fd const file = VS_TRY(open_path(path, O_RDONLY | O_CREAT, 0444));
  if (::unshare(CLONE_NEWNET) != 0) return Error::system(errno, "network namespace");
  int const kept = ::mount(kOwn, path.c_str(), nullptr, MS_BIND, nullptr) == 0 ? 0 : errno;
  if (::setns(home.get(), CLONE_NEWNET) != 0)
    return Error::system(errno, "return to the host's network");
  return kept == 0 ? Status{} : Error::system(kept, "mount {}", path);
}

}  // namespace

Fd empty_network() {
  auto const path = pin();
  auto fd = open_path(path, O_RDONLY);
  if (fd && is_namespace(*fd)) return std::move(*fd);
  if (auto done = keep_new(path); !done) {
    debug("no network namespace is kept: {}", done.error().message());
    return {};
  }
  fd = open_path(path, O_RDONLY);
  return fd && is_namespace(*fd) ? std::move(*fd) : Fd{};
}

void drop_empty_network() noexcept {
  auto const path = pin();
  while (::umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0) {
  }
  ::unlink(path.c_str());
}

}  // namespace vs
