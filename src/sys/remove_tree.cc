// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "sys/file.h"

namespace vs {

namespace {

// Deeper trees are cut into pieces, so that neither descriptors nor the stack run out in what a
// hostile guest has nested.
constexpr int kDepth = 64;

struct Removal {
  FdRef root;  // of the tree; pieces are moved here
  const std::function<void()>& on_removed;
  std::uint64_t pieces = 0;
};

Status cut_piece(Removal& removal, FdRef dir, const std::string& name) {
  for (;;) {
    std::string const piece = fmt::format(".piece.{}", removal.pieces++);
    if (::renameat2(dir.get(), name.c_str(), removal.root.get(), piece.c_str(), RENAME_NOREPLACE) ==
        0)
      return {};
    if (errno != EEXIST) return Error::system(errno, "rename {}", name);
  }
}

// Device numbers would not tell: a bind mount has that of what it shows (statx(2), Linux 5.8).
Result<bool> is_mount(FdRef dir, const std::string& name) {
  struct statx st {};
  if (::statx(dir.get(), name.c_str(), AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_TYPE, &st) != 0)
    return Error::system(errno, "stat {}", name);
  return (st.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

// Takes a name away that is no directory. False when it is one.
Result<bool> remove_file(FdRef dir, const std::string& name) {
  if (::unlinkat(dir.get(), name.c_str(), 0) == 0 || errno == ENOENT) return true;
  int const err = errno;
  struct stat st {};
  if (::fstatat(dir.get(), name.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
    return false;
  return Error::system(err, "remove {}", name);
}

Result<Fd> open_to_empty(FdRef dir, const std::string& name) {
  if (VS_TRY(is_mount(dir, name)))
    return Error::make(Errc::Busy, "something is mounted at {}", name);
  return open_at(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, Resolve::Beneath);
}

Status remove_below(Removal& removal, FdRef dir, const std::string& name, int depth) {
  if (!VS_TRY(remove_file(dir, name))) {
    if (depth == kDepth) return cut_piece(removal, dir, name);
    Fd const sub = VS_TRY(open_to_empty(dir, name));
    for (auto const& child : VS_TRY(list_dir(sub)))
      VS_TRY(remove_below(removal, sub, child, depth + 1), "{}", name);
    if (::unlinkat(dir.get(), name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT)
      return Error::system(errno, "remove {}", name);
  }
  if (removal.on_removed) removal.on_removed();
  return {};
}

}  // namespace

Status remove_tree_at(FdRef dir, const std::string& name, const std::function<void()>& on_removed) {
  if (VS_TRY(remove_file(dir, name))) return {};
  Fd const root = VS_TRY(open_to_empty(dir, name));
  Removal removal{root, on_removed};
  for (;;) {
    auto const names = VS_TRY(list_dir(root));
    if (names.empty()) break;
    for (auto const& child : names)
      VS_TRY(remove_below(removal, root, child, 1), "{}", name);
  }
  if (::unlinkat(dir.get(), name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT)
    return Error::system(errno, "remove {}", name);
  return {};
}

}  // namespace vs
