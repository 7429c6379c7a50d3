// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/stdio.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>

#include "sys/file.h"

namespace vs {

namespace {

bool same_file(int a, int b) {
  struct stat one {};
  struct stat two {};
  return ::fstat(a, &one) == 0 && ::fstat(b, &two) == 0 && one.st_dev == two.st_dev &&
         one.st_ino == two.st_ino;
}

// A pipe without a name, open for reading only.
bool is_plain_pipe(int fd) {
  struct statfs fs {};
  return ::fstatfs(fd, &fs) == 0 && static_cast<unsigned long>(fs.f_type) == PIPEFS_MAGIC &&
         (::fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY;
}

struct Pipe {
  Fd read, write;
};

// Close-on-exec; our end is non-blocking, the program's is its user's own.
Result<Pipe> make_pipe(bool we_write, std::uint32_t uid, std::uint32_t gid) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return Error::system(errno, "pipe");
  Pipe out{Fd{ends[0]}, Fd{ends[1]}};
  if (::fcntl(we_write ? ends[1] : ends[0], F_SETFL, O_NONBLOCK) != 0 ||
      ::fchown(ends[0], uid, gid) != 0)
    return Error::system(errno, "pipe");
  return out;
}

}  // namespace

Result<Stdio> Stdio::open(Terminal terminal, bool no_input, std::uint32_t uid, std::uint32_t gid) {
  Stdio out;
  bool const in_tty = ::isatty(STDIN_FILENO) == 1;
  bool const out_tty = ::isatty(STDOUT_FILENO) == 1;
  if (terminal == Terminal::Always || (terminal == Terminal::Auto && in_tty && out_tty))
    out.mask_ = no_input ? 2 : 3;
  if (out.mask_ != 0 && (::isatty(STDERR_FILENO) == 1 || same_file(STDOUT_FILENO, STDERR_FILENO)))
    out.mask_ |= 4;
  out.merged_ = out.mask_ == 0 && same_file(STDOUT_FILENO, STDERR_FILENO);

  if (no_input || ((out.mask_ & 1) == 0 && !is_plain_pipe(STDIN_FILENO))) {
    Pipe in = VS_TRY(make_pipe(true, uid, gid));
    out.inner_[0] = std::move(in.read);
    if (!no_input) out.ours_[0] = std::move(in.write);
  }
  for (unsigned fd = 1; fd < 3; ++fd) {
    if ((out.mask_ >> fd & 1U) != 0 || (fd == 2 && out.merged_)) continue;
    Pipe pipe = VS_TRY(make_pipe(false, uid, gid));
    out.inner_[fd] = std::move(pipe.write);
    out.ours_[fd] = std::move(pipe.read);
  }
  // Until the terminal takes its place: nothing of ours.
  for (unsigned fd = 0; fd < 3; ++fd) {
    if ((out.mask_ >> fd & 1U) != 0) out.inner_[fd] = VS_TRY(open_path("/dev/null", O_RDWR));
  }
  return out;
}

std::uint32_t Stdio::window() {
  winsize size{};
  for (int fd = 0; fd < 3; ++fd) {
    if (::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col != 0)
      return static_cast<std::uint32_t>(size.ws_row) << 16U | size.ws_col;
  }
  return 0;
}

std::array<int, 3> Stdio::inner() const {
  return {inner_[0].get(), inner_[1].get(), inner_[merged_ ? 1 : 2].get()};
}

Result<int> Stdio::relay(Fd master, FdRef pidfd, std::function<void(int signal)> on_signal) {
  for (auto& fd : inner_)
    fd.reset();
  RelayOptions options;
  options.pidfd = pidfd.get();
  options.on_signal = std::move(on_signal);
  std::vector<Stream> streams;
  if (master) {
    ::fcntl(master.get(), F_SETFL, ::fcntl(master.get(), F_GETFL) | O_NONBLOCK);
    options.master = master.get();
    options.raw = (mask_ & 1U) != 0 && ::isatty(STDIN_FILENO) == 1;
    if ((mask_ & 1U) != 0) {
      Fd copy{::fcntl(master.get(), F_DUPFD_CLOEXEC, 3)};
      if (!copy) return Error::system(errno, "duplicate the terminal");
      int const to = copy.get();
      streams.push_back({STDIN_FILENO, to, std::move(copy), true, true});
    }
    int const from = master.get();
    streams.push_back({from, STDOUT_FILENO, std::move(master), false, true});
  }
  if (ours_[0]) {
    int const to = ours_[0].get();
    streams.push_back({STDIN_FILENO, to, std::move(ours_[0]), true, false});
  }
  for (std::size_t fd = 1; fd < 3; ++fd) {
    if (!ours_[fd]) continue;
    int const from = ours_[fd].get();
    streams.push_back({from, static_cast<int>(fd), std::move(ours_[fd]), false, false});
  }
  return vs::relay(std::move(streams), options);
}

}  // namespace vs
