// SPDX-License-Identifier: GPL-2.0-or-later
#include "sys/file.h"

#include <dirent.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>

#include "base/scope_exit.h"
#include "base/test_seam.h"

namespace vs {

namespace {

template <class Call>
auto retry_eintr(Call&& call) {
  for (;;) {
    auto const n = call();
    if (n >= 0 || errno != EINTR) return n;
  }
}

std::uint64_t resolve_bits(Resolve how) {
  switch (how) {
    case Resolve::Free: return 0;
    case Resolve::Beneath: return RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
    case Resolve::InRoot: return RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  }
  return RESOLVE_BENEATH;
}

struct CloseDir {
  void operator()(DIR* dir) const noexcept { ::closedir(dir); }
};

}  // namespace

Result<Fd> open_at(FdRef dir, const std::string& path, int flags, Resolve how, unsigned mode) {
  open_how request{};
  request.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC);
  request.mode = (flags & O_CREAT) != 0 ? mode : 0;
  request.resolve = resolve_bits(how);
  // RESOLVE_BENEATH answers EAGAIN when a rename raced with the walk: try again.
  long fd = -1;
  for (int tries = 0; tries < 16; ++tries) {
    fd = retry_eintr(
        [&] { return ::syscall(SYS_openat2, dir.get(), path.c_str(), &request, sizeof request); });
    if (fd >= 0 || errno != EAGAIN) break;
  }
  if (fd < 0) return Error::system(errno, "open {}", path);
  return Fd{static_cast<int>(fd)};
}

Result<Fd> open_path(const std::string& path, int flags, unsigned mode) {
  return open_at(FdRef::cwd(), path, flags, Resolve::Free, mode);
}

Result<std::string> read_all(FdRef fd, std::size_t max) {
  std::array<char, 16384> piece;  // not cleared
  std::string out;
  for (;;) {
    auto const n = retry_eintr([&] { return ::read(fd.get(), piece.data(), piece.size()); });
    if (n < 0) return Error::system(errno, "read");
    if (n == 0) break;
    out.append(piece.data(), static_cast<std::size_t>(n));
    if (out.size() > max) return Error::system(EFBIG, "read");
  }
  if (out.find('\0') != std::string::npos) return Error::system(EILSEQ, "read");
  return out;
}

Result<std::string> read_file_at(FdRef dir, const std::string& path, Resolve how, std::size_t max) {
  // A FIFO or a device in the place of a file must not block us.
  Fd const fd = VS_TRY(open_at(dir, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, how));
  return VS_TRY(read_all(fd, max), "{}", path);
}

Result<std::string> read_file(const std::string& path, std::size_t max) {
  return read_file_at(FdRef::cwd(), path, Resolve::Free, max);
}

Result<std::string> read_short_file_at(FdRef dir, const std::string& path) {
  Fd const fd = VS_TRY(open_at(dir, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, Resolve::Free));
  std::array<char, 4096> all;  // not cleared
  auto const n = retry_eintr([&] { return ::read(fd.get(), all.data(), all.size()); });
  if (n < 0) return Error::system(errno, "read {}", path);
  if (static_cast<std::size_t>(n) == all.size()) return Error::system(EFBIG, "read {}", path);
  return std::string{all.data(), static_cast<std::size_t>(n)};
}

Status write_all(FdRef fd, std::string_view text, std::string_view what) {
  while (!text.empty()) {
    auto const n = retry_eintr([&] { return ::write(fd.get(), text.data(), text.size()); });
    if (n < 0) return Error::system(errno, "write {}", what);
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

Status write_knob_at(FdRef dir, const std::string& path, std::string_view text) {
  Fd const fd = VS_TRY(open_at(dir, path, O_WRONLY, Resolve::Free));
  auto const n = retry_eintr([&] { return ::write(fd.get(), text.data(), text.size()); });
  if (n < 0) return Error::system(errno, "write '{}' to {}", text, path);
  return {};
}

Status write_knob(const std::string& path, std::string_view text) {
  return write_knob_at(FdRef::cwd(), path, text);
}

Status replace_file_at(FdRef dir, const std::string& name, std::string_view content, unsigned mode,
                       bool durable) {
  std::string const temp = fmt::format(".{}.{}~", name, ::getpid());
  auto const create = [&] {
    return open_at(dir, temp, O_WRONLY | O_CREAT | O_EXCL, Resolve::Beneath, mode);
  };
  auto made = create();
  if (!made && made.error().sys() == EEXIST) {  // left by a killed process that had our pid
    ::unlinkat(dir.get(), temp.c_str(), 0);
    made = create();
  }
  Fd const fd = VS_TRY(std::move(made));
  ScopeExit remove_temp{[&]() noexcept { ::unlinkat(dir.get(), temp.c_str(), 0); }};
  VS_TRY(write_all(fd, content, name));
  if (durable && ::fsync(fd.get()) != 0) return Error::system(errno, "fsync {}", name);
  VS_TRY(test_seam("replace"));
  if (::renameat(dir.get(), temp.c_str(), dir.get(), name.c_str()) != 0)
    return Error::system(errno, "rename {} to {}", temp, name);
  remove_temp.release();
  return {};
}

Status make_dirs(const std::string& path, unsigned mode) {
  if (::mkdir(path.c_str(), mode) == 0 || errno == EEXIST) return {};
  if (errno != ENOENT) return Error::system(errno, "mkdir {}", path);
  auto const slash = path.rfind('/');
  if (slash == std::string::npos || slash == 0) return Error::system(ENOENT, "mkdir {}", path);
  VS_TRY(make_dirs(path.substr(0, slash), 0755));
  if (::mkdir(path.c_str(), mode) == 0 || errno == EEXIST) return {};
  return Error::system(errno, "mkdir {}", path);
}

bool exists(const std::string& path) {
  return exists_at(FdRef::cwd(), path);
}

bool exists_at(FdRef dir, const std::string& path) {
  return ::faccessat(dir.get(), path.c_str(), F_OK, 0) == 0;
}

Result<std::string> read_link_at(FdRef dir, const std::string& path) {
  std::string target(4096, '\0');
  auto const n = ::readlinkat(dir.get(), path.c_str(), target.data(), target.size());
  if (n < 0) return Error::system(errno, "readlink {}", path);
  target.resize(static_cast<std::size_t>(n));
  return target;
}

Result<std::vector<std::string>> list_dir(FdRef dir) {
  Fd copy = VS_TRY(open_at(dir, ".", O_RDONLY | O_DIRECTORY, Resolve::Free));
  std::unique_ptr<DIR, CloseDir> const stream{::fdopendir(copy.get())};
  if (!stream) return Error::system(errno, "read directory");
  [[maybe_unused]] int const owned_by_stream = copy.release();
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(stream.get());
    if (entry == nullptr) break;
    std::string_view const name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) return Error::system(errno, "read directory");
  std::sort(names.begin(), names.end());
  return names;
}

Result<std::vector<DirEntry>> read_entries(FdRef dir) {
  std::vector<DirEntry> entries;
  alignas(dirent64) std::array<char, 8192> buffer{};
  for (;;) {
    auto const n = ::getdents64(dir.get(), buffer.data(), buffer.size());
    if (n < 0) return Error::system(errno, "read directory");
    if (n == 0) break;
    for (std::size_t at = 0; at < static_cast<std::size_t>(n);) {
      auto const* entry = reinterpret_cast<const dirent64*>(buffer.data() + at);
      std::string_view const name = entry->d_name;
      if (name != "." && name != "..") entries.push_back({std::string{name}, entry->d_type});
      at += entry->d_reclen;
    }
  }
  std::sort(entries.begin(), entries.end(),
            [](const DirEntry& a, const DirEntry& b) { return a.name < b.name; });
  return entries;
}

namespace {

Result<bool> set_lock(FdRef fd, const std::string& path, short type) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  if (::fcntl(fd.get(), F_OFD_SETLK, &lock) == 0) return true;
  if (errno == EAGAIN || errno == EACCES) return false;
  return Error::system(errno, "lock {}", path);
}

// A blocking open-file-description lock has no timeout of its own: poll, 20 times a second.
Result<Fd> poll_lock(Result<Fd> (*lock)(const std::string&), const std::string& path,
                     int timeout_s) {
  for (int tries = 0; tries <= timeout_s * 20; ++tries) {
    Fd fd = VS_TRY(lock(path));
    if (fd) return fd;
    timespec const nap{0, 50'000'000};
    ::nanosleep(&nap, nullptr);
  }
  return Error::make(Errc::Busy, "another command holds {} since {} s", path, timeout_s);
}

// A lock on a file that was removed meanwhile keeps nobody out.
Result<bool> is_removed(FdRef fd, const std::string& path) {
  struct stat st {};
  if (::fstat(fd.get(), &st) != 0) return Error::system(errno, "stat {}", path);
  return st.st_nlink == 0;
}

Result<Fd> try_lock_shared(const std::string& path) {
  auto opened = open_path(path, O_RDONLY | O_NOFOLLOW);
  if (!opened && opened.error().sys() == ENOENT)
    opened = open_path(path, O_RDONLY | O_CREAT | O_NOFOLLOW, 0644);
  Fd fd = VS_TRY(std::move(opened));
  struct stat st {};
  if (::fstat(fd.get(), &st) != 0) return Error::system(errno, "stat {}", path);
  if (st.st_uid != ::geteuid())
    return Error::system(EPERM, "{} belongs to uid {}", path, st.st_uid);
  if (!VS_TRY(set_lock(fd, path, F_RDLCK)) || VS_TRY(is_removed(fd, path))) return Fd{};
  return fd;
}

}  // namespace

Result<Fd> try_lock_file(const std::string& path) {
  for (;;) {
    Fd fd = VS_TRY(open_path(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0644));
    if (!VS_TRY(set_lock(fd, path, F_WRLCK))) return Fd{};
    if (!VS_TRY(is_removed(fd, path))) return fd;
  }
}

Status remove_lock_file(const std::string& path) {
  struct stat st {};
  if (::lstat(path.c_str(), &st) != 0 || !S_ISREG(st.st_mode) || st.st_uid != ::geteuid())
    return {};
  Fd const lock = VS_TRY(try_lock_file(path));
  if (!lock) return Error::make(Errc::Busy, "{} is held", path);
  if (::unlink(path.c_str()) != 0) return Error::system(errno, "remove {}", path);
  return {};
}

Result<Fd> lock_file(const std::string& path, int timeout_s) {
  return poll_lock(try_lock_file, path, timeout_s);
}

Result<Fd> lock_file_shared(const std::string& path, int timeout_s) {
  return poll_lock(try_lock_shared, path, timeout_s);
}

}  // namespace vs
