// SPDX-License-Identifier: GPL-2.0-or-later
#include "build/copy.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>

#include "base/text.h"
#include "sys/file.h"

namespace vs {

namespace {

struct Copy {
  Fd target;                                              // its top
  std::map<std::pair<dev_t, ino_t>, std::string> linked;  // first name of what has several
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
  std::uint64_t said_files = 0;
  std::uint64_t said_bytes = 0;
};

void say(Copy& copy, bool last) {
  if (!last && copy.files - copy.said_files < 1000 && copy.bytes - copy.said_bytes < 64U << 20U)
    return;
  copy.said_files = copy.files;
  copy.said_bytes = copy.bytes;
  std::string const line = fmt::format("{} {}\n", copy.files, copy.bytes);
  if (auto done = write_all(FdRef::raw(STDOUT_FILENO), line, "progress"); !done) ::_exit(1);
}

// One run of data, at the same offset in both.
Status copy_range(Copy& copy, FdRef from, FdRef to, off_t at, off_t end) {
  bool in_kernel = true;
  std::string buffer;
  while (at < end) {
    auto const want = static_cast<std::size_t>(std::min<off_t>(end - at, 16 << 20));
    ssize_t n = -1;
    if (in_kernel) {
      off_t in = at;
      off_t out = at;
      n = ::copy_file_range(from.get(), &in, to.get(), &out, want, 0);
      if (n < 0 && (errno == EXDEV || errno == EINVAL || errno == EOPNOTSUPP || errno == ENOSYS)) {
        in_kernel = false;
        continue;
      }
    } else {
      buffer.resize(std::min<std::size_t>(want, 1U << 20U));
      n = ::pread(from.get(), buffer.data(), buffer.size(), at);
      if (n > 0) n = ::pwrite(to.get(), buffer.data(), static_cast<std::size_t>(n), at);
    }
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Error::system(errno, "copy data");
    if (n == 0) return {};  // it got shorter meanwhile
    at += n;
    copy.bytes += static_cast<std::uint64_t>(n);
    say(copy, false);
  }
  return {};
}

Status copy_data(Copy& copy, FdRef from, FdRef to, off_t size) {
  if (size == 0) return {};
  if (::ioctl(to.get(), FICLONE, from.get()) == 0) {
    copy.bytes += static_cast<std::uint64_t>(size);
    return {};
  }
  if (::ftruncate(to.get(), size) != 0) return Error::system(errno, "resize");
  for (off_t at = 0; at < size;) {
    off_t const data = ::lseek(from.get(), at, SEEK_DATA);
    if (data < 0 && errno == ENXIO) return {};  // a hole to the end
    if (data < 0) return copy_range(copy, from, to, at, size);
    off_t const hole = ::lseek(from.get(), data, SEEK_HOLE);
    off_t const end = std::min(hole < 0 ? size : hole, size);
    VS_TRY(copy_range(copy, from, to, data, end));
    at = end;
  }
  return {};
}

Status copy_attributes(const std::string& from, const std::string& to) {
  std::string names(65536, '\0');
  auto const n = ::llistxattr(from.c_str(), names.data(), names.size());
  if (n < 0)
    return errno == EOPNOTSUPP ? Status{} : Status{Error::system(errno, "list attributes")};
  names.resize(static_cast<std::size_t>(n));
  std::string value(65536, '\0');
  for (auto const name : split(names, '\0')) {
    bool const wanted = name.starts_with("user.") || name.starts_with("system.posix_acl_") ||
                        name == "security.capability";
    if (!wanted) continue;
    std::string const key{name};
    auto const size = ::lgetxattr(from.c_str(), key.c_str(), value.data(), value.size());
    if (size < 0) return Error::system(errno, "read attribute {}", name);
    if (::lsetxattr(to.c_str(), key.c_str(), value.data(), static_cast<std::size_t>(size), 0) != 0)
      return Error::system(errno, "write attribute {}", name);
  }
  return {};
}

// In this order: a change of owner clears set-id bits and capabilities, an access control list sets
// the group bits of the mode, and all of them touch the times.
Status copy_metadata(FdRef from, FdRef to, const std::string& name, const struct stat& st) {
  if (::fchownat(to.get(), name.c_str(), st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW) != 0)
    return Error::system(errno, "chown");
  if (!S_ISLNK(st.st_mode)) {
    VS_TRY(copy_attributes(fmt::format("/proc/self/fd/{}/{}", from.get(), name),
                           fmt::format("/proc/self/fd/{}/{}", to.get(), name)));
    if (::fchmodat(to.get(), name.c_str(), st.st_mode & 07777U, 0) != 0)
      return Error::system(errno, "chmod");
  }
  std::array<timespec, 2> const times{st.st_atim, st.st_mtim};
  if (::utimensat(to.get(), name.c_str(), times.data(), AT_SYMLINK_NOFOLLOW) != 0)
    return Error::system(errno, "set times");
  return {};
}

Status copy_file(Copy& copy, FdRef from, FdRef to, const std::string& name, const struct stat& st) {
  Fd const in = VS_TRY(open_at(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, Resolve::Beneath));
  Fd const out = VS_TRY(open_at(to, name, O_WRONLY | O_CREAT | O_EXCL, Resolve::Beneath, 0600));
  return copy_data(copy, in, out, st.st_size);
}

Status make_node(FdRef from, FdRef to, const std::string& name, const struct stat& st) {
  if (S_ISDIR(st.st_mode)) {
    if (::mkdirat(to.get(), name.c_str(), 0700) != 0) return Error::system(errno, "mkdir");
  } else if (S_ISLNK(st.st_mode)) {
    auto const target = VS_TRY(read_link_at(from, name));
    if (::symlinkat(target.c_str(), to.get(), name.c_str()) != 0)
      return Error::system(errno, "symlink");
  } else if (::mknodat(to.get(), name.c_str(), (st.st_mode & S_IFMT) | 0600U, 0) != 0) {
    return Error::system(errno, "make node");
  }
  return {};
}

Status copy_below(Copy& copy, FdRef from, FdRef to, const std::string& path);

Status copy_entry(Copy& copy, FdRef from, FdRef to, const std::string& name,
                  const std::string& path) {
  struct stat st {};
  if (::fstatat(from.get(), name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0)
    return errno == ENOENT ? Status{} : Status{Error::system(errno, "stat")};
  if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) return {};
  ++copy.files;
  say(copy, false);
  if (!S_ISDIR(st.st_mode) && st.st_nlink > 1) {
    auto const [first, fresh] = copy.linked.emplace(std::pair{st.st_dev, st.st_ino}, path);
    if (!fresh) {
      if (::linkat(copy.target.get(), first->second.c_str(), to.get(), name.c_str(), 0) != 0)
        return Error::system(errno, "link to {}", first->second);
      return {};
    }
  }
  VS_TRY(S_ISREG(st.st_mode) ? copy_file(copy, from, to, name, st) : make_node(from, to, name, st));
  if (S_ISDIR(st.st_mode)) {
    Fd const in =
        VS_TRY(open_at(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, Resolve::Beneath));
    Fd const out = VS_TRY(open_at(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, Resolve::Beneath));
    VS_TRY(copy_below(copy, in, out, path));
  }
  return copy_metadata(from, to, name, st);
}

Status copy_below(Copy& copy, FdRef from, FdRef to, const std::string& path) {
  for (auto const& name : VS_TRY(list_dir(from))) {
    std::string const where = path.empty() ? name : path + "/" + name;
    auto done = copy_entry(copy, from, to, name, where);
    if (done) continue;
    // Named once, by the whole path.
    if (std::string_view{done.error().message()}.starts_with('\'')) return done;
    return std::move(done).error().context(fmt::format("'{}'", where));
  }
  return {};
}

}  // namespace

Status copy_tree(const std::string& source, const std::string& target) {
  Fd const from = VS_TRY(open_path(source, O_RDONLY | O_DIRECTORY));
  Fd const to = VS_TRY(open_path(target, O_RDONLY | O_DIRECTORY));
  Copy copy{VS_TRY(open_path(target, O_PATH | O_DIRECTORY)), {}, 0, 0, 0, 0};
  VS_TRY(copy_below(copy, from, to, ""));
  struct stat st {};
  if (::fstat(from.get(), &st) != 0) return Error::system(errno, "stat {}", source);
  VS_TRY(copy_metadata(from, to, ".", st), "{}", target);
  say(copy, true);
  return {};
}

}  // namespace vs
