// SPDX-License-Identifier: GPL-2.0-or-later
// Operations on the guest's tree; see plan.h for their language.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "stage/raw.h"
#include "stage/stage.h"

namespace vs::stage {

namespace {

struct Op {
  char* kind;
  char* a;
  char* b;
  char* c;
  [[nodiscard]] bool optional() const { return kind[1] == '?'; }
};

struct Ctx : OpContext {
  unsigned base;
  const char* empty = nullptr;  // the first mask of a directory, bound over the others
  // The directory of the last entry stays open for the next.
  const char* parent = nullptr;  // its path, in the plan
  std::size_t parent_length = 0;
  int parent_fd = -1;
};

constexpr unsigned kLocked = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;

// Gives "key=value,flag" to a new file system; splits the text in place. A single value longer than
// 255 bytes is the kernel's to refuse (EINVAL).
int set_options(int fs, char* options) {
  for (char* item = options; item != nullptr && *item != '\0';) {
    char* comma = strchr(item, ',');
    if (comma != nullptr) *comma++ = '\0';
    char* value = strchr(item, '=');
    if (value != nullptr) *value++ = '\0';
    int const done = value != nullptr ? fsconfig(fs, FSCONFIG_SET_STRING, item, value)
                                      : fsconfig(fs, FSCONFIG_SET_FLAG, item, nullptr);
    if (done < 0) return -1;
    item = comma;
  }
  return 0;
}

int new_mount(const char* type, const char* source, char* options, unsigned attr) {
  int const fs = fsopen(type);
  if (fs < 0) return -1;
  if (*source != '\0' && fsconfig(fs, FSCONFIG_SET_STRING, "source", source) < 0) return -1;
  if (set_options(fs, options) < 0) return -1;
  if (fsconfig(fs, FSCONFIG_CMD_CREATE, nullptr, nullptr) < 0) return -1;
  int const mount = fsmount(fs, attr);
  close(fs);
  return mount;
}

// Device nodes of the guest's tree never work, unless it is said.
unsigned attributes(const char* letters) {
  unsigned attr = strchr(letters, 'D') == nullptr ? MOUNT_ATTR_NODEV : 0;
  for (; *letters != '\0'; ++letters) {
    if (*letters == 'r') attr |= MOUNT_ATTR_RDONLY;
    if (*letters == 's') attr |= MOUNT_ATTR_NOSUID;
    if (*letters == 'x') attr |= MOUNT_ATTR_NOEXEC;
    if (*letters == 'a') attr |= MOUNT_ATTR_NOATIME;
    if (*letters == 'A') attr |= MOUNT_ATTR_NODIRATIME;
    if (*letters == 'y') attr |= MOUNT_ATTR_NOSYMFOLLOW;
  }
  return attr;
}

// What the helper itself mounts goes to real directories: a link in a tree that was prepared before
// the start would put one of them under another, or split them from their masks.
int attach(const Ctx& ctx, int mount, const char* target, const char* letters) {
  int const at =
      open_in(ctx.root, target, O_PATH, strchr(letters, 'L') != nullptr ? RESOLVE_NO_SYMLINKS : 0);
  if (at < 0) return -1;
  int const done = move_mount(mount, at);
  close(at);
  close(mount);
  return done;
}

int do_tmpfs(const Ctx& ctx, const Op& op) {
  int const mount = new_mount("tmpfs", "tmpfs", op.b, attributes(op.c));
  return mount < 0 ? -1 : attach(ctx, mount, op.a, op.c);
}

int do_bind(const Ctx& ctx, const Op& op) {
  unsigned const recursive = strchr(op.c, 'R') != nullptr ? AT_RECURSIVE : 0;
  int const mount = open_tree(AT_FDCWD, op.b, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | recursive);
  if (mount < 0) return -1;
  std::uint64_t attr = attributes(op.c);
  bool const idmap = strchr(op.c, 'i') != nullptr && ctx.userns >= 0;
  if (idmap) attr |= MOUNT_ATTR_IDMAP;
  std::uint64_t const clear = (attr & MOUNT_ATTR_NOATIME) != 0 ? MOUNT_ATTR__ATIME : 0;
  if (set_mount_attr(mount, recursive, attr, clear, idmap ? ctx.userns : 0, MS_PRIVATE) < 0)
    return -1;
  return attach(ctx, mount, op.a, op.c);
}

int do_other(const Ctx& ctx, const Op& op) {
  char* source = strchr(op.b, ',');
  if (source == nullptr) return errno = EINVAL, -1;
  *source++ = '\0';
  char* options = strchr(source, ',');
  if (options != nullptr) *options++ = '\0';
  int const mount = new_mount(op.b, source, options != nullptr ? options : source + strlen(source),
                              attributes(op.c));
  if (mount < 0) return -1;
  if (strchr(op.c, 'i') != nullptr && ctx.userns >= 0 &&
      set_mount_attr(mount, 0, MOUNT_ATTR_IDMAP, 0, ctx.userns) < 0)
    return -1;
  return attach(ctx, mount, op.a, op.c);
}

// A mount may cover the directory that the next entry goes into.
void forget_parent(Ctx& ctx) {
  if (ctx.parent_fd >= 0) close(ctx.parent_fd);
  ctx.parent_fd = -1;
}

// Splits PATH into a parent and the last name. The parent stays open for the next entry in it.
int open_parent(Ctx& ctx, char* path, const char** name) {
  char* slash = strrchr(path, '/');
  *name = slash != nullptr ? slash + 1 : path;
  auto const length = slash != nullptr ? static_cast<std::size_t>(slash - path) : 0;
  if (ctx.parent_fd >= 0 && ctx.parent_length == length && memcmp(ctx.parent, path, length) == 0)
    return ctx.parent_fd;
  forget_parent(ctx);
  ctx.parent = path;
  ctx.parent_length = length;
  if (length == 0) return ctx.parent_fd = open_in(ctx.root, "/", O_PATH | O_DIRECTORY);
  *slash = '\0';
  ctx.parent_fd = open_in(ctx.root, path, O_PATH | O_DIRECTORY);
  *slash = '/';
  return ctx.parent_fd;
}

int do_entry(Ctx& ctx, const Op& op) {
  const char* name = nullptr;
  int const dir = open_parent(ctx, op.a, &name);
  if (dir < 0) return -1;
  int done = -1;
  if (op.kind[0] == 'l') {
    done = symlinkat(op.b, dir, name);
  } else if (op.kind[0] == 'd') {
    auto const mode = static_cast<mode_t>(strtoul(op.b, nullptr, 8));
    done = mkdirat(dir, name, mode);
  } else {
    char* colon = nullptr;
    auto const major = static_cast<unsigned>(strtoul(op.b, &colon, 10));
    auto const minor = static_cast<unsigned>(strtoul(colon + 1, nullptr, 10));
    auto const mode = static_cast<mode_t>(strtoul(op.c, nullptr, 8));
    done = mknodat(dir, name, S_IFCHR | mode, makedev(major, minor));
  }
  if (done < 0) return errno == EEXIST ? 0 : -1;
  return fchownat(dir, name, ctx.base, ctx.base, AT_SYMLINK_NOFOLLOW);
}

// Relative to the new root, by the plain mount(2): a start makes some twenty of them, and this is
// one call instead of four. No name in these paths is the tree's own: /proc, /sys and /dev are
// ours by now.
int mask_directory(Ctx& ctx, const char* path) {
  // One file system for all masks of a guest.
  if (ctx.empty != nullptr) return mount(ctx.empty, path, nullptr, MS_BIND, nullptr);
  ctx.empty = path;
  return mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY,
               "mode=555,size=4k,nr_inodes=2");
}

int do_mask(Ctx& ctx, const Op& op) {
  const char* path = op.a + 1;
  struct stat st {};
  if (fstatat(ctx.root, path, &st, AT_SYMLINK_NOFOLLOW) < 0) return errno == ENOENT ? 0 : -1;
  if (fchdir(ctx.root) < 0) return -1;
  return S_ISDIR(st.st_mode) ? mask_directory(ctx, path)
                             : mount("dev/null", path, nullptr, MS_BIND, nullptr);
}

// A part of the guest's tree with all that is mounted below it, as a detached mount.
int clone_own(const Ctx& ctx, const char* path, std::uint64_t attr) {
  int const at = open_in(ctx.root, path, O_PATH, RESOLVE_NO_SYMLINKS);
  if (at < 0) return -1;
  int const mount =
      open_tree(at, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);
  close(at);
  if (mount < 0 || set_mount_attr(mount, AT_RECURSIVE, attr) < 0) return -1;
  return mount;
}

int do_clone(const Ctx& ctx, const Op& op) {
  int const mount = clone_own(ctx, op.b, attributes(op.c));
  return mount < 0 ? -1 : attach(ctx, mount, op.a, op.c);
}

int do_read_only(const Ctx& ctx, const Op& op) {
  int const mount = clone_own(ctx, op.a, MOUNT_ATTR_RDONLY | kLocked | MOUNT_ATTR_NOEXEC);
  if (mount < 0) return errno == ENOENT ? 0 : -1;
  return attach(ctx, mount, op.a, "L");
}

int apply(Ctx& ctx, const Op& op) {
  if (strchr("nld", op.kind[0]) == nullptr) forget_parent(ctx);
  switch (op.kind[0]) {
    case 't': return do_tmpfs(ctx, op);
    case 'b': return do_bind(ctx, op);
    case 'c': return do_clone(ctx, op);
    case 'f': return do_other(ctx, op);
    case 'n':
    case 'l':
    case 'd': return do_entry(ctx, op);
    case 'm': return do_mask(ctx, op);
    case 'r': return do_read_only(ctx, op);
    case 'p': return attach(ctx, ctx.proc, "/proc", "L");
    case 's': return attach(ctx, ctx.sys, "/sys", "L");
    default: return errno = EBADMSG, -1;
  }
}

}  // namespace

void apply_ops(Plan& plan, std::uint32_t count, const OpContext& context) {
  mode_t const mask = umask(0);  // modes are as the plan says
  Ctx ctx{{context}, (plan.header->flags & kUserNs) != 0 ? plan.header->base_id : 0};
  for (std::uint32_t i = 0; i < count; ++i) {
    Op op{};
    op.kind = plan.strings.next();
    op.a = plan.strings.next();
    op.b = plan.strings.next();
    op.c = plan.strings.next();
    if (apply(ctx, op) >= 0) continue;
    int const err = errno;
    bool const mounts = strchr("tbcf", op.kind[0]) != nullptr;
    // Only where links are refused: elsewhere it is a circle of them, and ELOOP says so.
    if (err == ELOOP && (strchr("ps", op.kind[0]) != nullptr || strchr(op.c, 'L') != nullptr))
      fail("mount over a symbolic link at", op.a, ENOTDIR);
    if (!op.optional()) fail(mounts ? "mount" : "prepare", op.a, err);
    report(Report::Kind::Warning, err, mounts ? "mount" : "prepare", op.a);
  }
  forget_parent(ctx);
  umask(mask);
}

}  // namespace vs::stage
