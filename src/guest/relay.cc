// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/relay.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <memory>
#include <optional>

#include <fmt/core.h>

namespace vs {

namespace {

constexpr std::size_t kBuffer = 65536;
// What a pipe or terminal takes without blocking once poll says that it takes anything.
constexpr std::size_t kAtomic = 4096;
// Read of a program's output after its end at most: others in the guest may go on writing.
constexpr std::size_t kAfterEnd = 1U << 20U;

constexpr std::array kSignals{SIGWINCH, SIGINT,  SIGTERM, SIGHUP, SIGQUIT,
                              SIGUSR1,  SIGUSR2, SIGTSTP, SIGCONT};

// Our terminal: raw while this lives.
class RawTerminal {
 public:
  explicit RawTerminal(bool wanted) {
    if (wanted && ::tcgetattr(STDIN_FILENO, &saved_) == 0) active_ = true;
    set();
  }
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;
  ~RawTerminal() { restore(); }
  void set() const {
    if (!active_) return;
    termios raw = saved_;
    ::cfmakeraw(&raw);
    ::tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
  }
  void restore() const {
    if (active_) ::tcsetattr(STDIN_FILENO, TCSADRAIN, &saved_);
  }

 private:
  termios saved_{};
  bool active_ = false;
};

// Signals come by a descriptor while this lives; a reader that is gone is EPIPE, not death.
class Signals {
 public:
  Signals() {
    sigset_t set;
    ::sigemptyset(&set);
    for (int const signal : kSignals) {
      struct sigaction now {};
      // What is ignored (nohup, a job in the background) stays so: blocked, it would come to us.
      if (::sigaction(signal, nullptr, &now) == 0 && now.sa_handler != SIG_IGN)
        ::sigaddset(&set, signal);
    }
    ::sigprocmask(SIG_BLOCK, &set, &old_);
    fd_ = Fd{::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)};
    pipe_ = ::signal(SIGPIPE, SIG_IGN);
  }
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;
  ~Signals() {
    ::sigprocmask(SIG_SETMASK, &old_, nullptr);
    ::signal(SIGPIPE, pipe_);
  }
  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] int next() const {
    signalfd_siginfo info{};
    return ::read(fd_.get(), &info, sizeof info) == sizeof info ? static_cast<int>(info.ssi_signo)
                                                                : 0;
  }

 private:
  sigset_t old_{};
  Fd fd_;
  sighandler_t pipe_ = SIG_DFL;
};

struct Copy {
  explicit Copy(Stream s)
      : stream{std::move(s)}, buffer{std::make_unique_for_overwrite<char[]>(kBuffer)} {
    struct stat st {};
    if (::fstat(stream.to, &st) != 0) return;
    socket = S_ISSOCK(st.st_mode);
    if (S_ISFIFO(st.st_mode) && stream.to != stream.own.get()) open_anew();
    if (S_ISREG(st.st_mode) || anew || stream.to == stream.own.get()) chunk = kBuffer;
  }

  // A pipe of ours as a description of its own, so that it can be non-blocking for us alone. Fails
  // when nobody reads it: then the first write tells.
  void open_anew() {
    auto const path = fmt::format("/proc/self/fd/{}", stream.to);
    anew = Fd{::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC)};
    if (anew) stream.to = anew.get();
  }

  [[nodiscard]] std::size_t pending() const { return end - begin; }
  [[nodiscard]] bool done() const { return !open && pending() == 0; }

  void fill(int stop) {
    auto const n = ::read(stream.from, buffer.get(), std::min(kBuffer, budget));
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    begin = 0;
    end = n > 0 ? static_cast<std::size_t>(n) : 0;
    budget -= end;
    if (n <= 0 || budget == 0) open = false;
    if (stop < 0) return;
    auto const* const found = std::find(buffer.get(), buffer.get() + end, static_cast<char>(stop));
    if (found == buffer.get() + end) return;
    end = static_cast<std::size_t>(found - buffer.get());
    open = false;
    stopped = true;
  }

  void flush() {
    auto const size = std::min(pending(), chunk);
    auto const n = socket
                       ? ::send(stream.to, buffer.get() + begin, size, MSG_DONTWAIT | MSG_NOSIGNAL)
                       : ::write(stream.to, buffer.get() + begin, size);
    if (n >= 0) {
      begin += static_cast<std::size_t>(n);
    } else if (errno != EAGAIN && errno != EINTR) {
      close();
    }
  }

  // The reader is gone.
  void close() {
    lost += pending();
    begin = end = 0;
    open = false;
  }

  Stream stream;
  Fd anew;
  std::unique_ptr<char[]> buffer;  // not cleared: a page that no byte reaches is never touched
  std::size_t begin = 0;
  std::size_t end = 0;
  std::size_t chunk = kAtomic;
  std::size_t budget = SIZE_MAX;
  std::size_t lost = 0;  // read, but taken by nobody
  bool socket = false;
  bool open = true;
  bool stopped = false;   // the stop byte was read
  bool finished = false;  // what follows its end was done
};

class Loop {
 public:
  Loop(std::vector<Stream> streams, const RelayOptions& options)
      : options_{options}, terminal_{options.raw} {
    for (auto& stream : streams)
      copies_.emplace_back(std::move(stream));
    struct stat st {};
    regular_input_ = ::fstat(STDIN_FILENO, &st) == 0 && S_ISREG(st.st_mode);
    copy_window();
  }

  Result<int> run() {
    for (;;) {
      VS_TRY(wait());
      if (auto const signal = take_signals()) return *signal;
      if (fds_[1].revents != 0 && !ending_) begin_end();
      for (std::size_t i = 0; i < copies_.size(); ++i)
        step(copies_[i], fds_[2 + 2 * i], fds_[3 + 2 * i]);
      if (over()) break;
    }
    give_back();
    return 0;
  }

 private:
  // Slots: our signals, the program, then two for each copy.
  Status wait() {
    fds_.assign({{signals_.fd(), POLLIN, 0}, {ending_ ? -1 : options_.pidfd, POLLIN, 0}});
    for (auto const& copy : copies_) {
      bool const idle = copy.pending() == 0;
      fds_.push_back({idle && copy.open && !(ending_ && copy.stream.input) ? copy.stream.from : -1,
                      POLLIN, 0});
      // Idle too, to hear that a reader went away; a terminal without one may get another.
      bool const watched = !idle || (copy.open && !copy.stream.terminal);
      fds_.push_back({watched ? copy.stream.to : -1, static_cast<short>(idle ? 0 : POLLOUT), 0});
    }
    if (::poll(fds_.data(), fds_.size(), ending_ && drained() ? 0 : -1) < 0 && errno != EINTR)
      return Error::system(errno, "relay");
    return {};
  }

  // Nothing left but what may still be in the pipes: look, do not wait.
  [[nodiscard]] bool drained() const {
    return std::all_of(copies_.begin(), copies_.end(),
                       [](const Copy& c) { return c.stream.input || c.pending() == 0; });
  }

  void step(Copy& copy, const pollfd& from, const pollfd& to) {
    if ((to.revents & (POLLERR | POLLHUP | POLLNVAL)) != 0 && (to.revents & POLLOUT) == 0)
      copy.close();
    if (copy.pending() != 0 && to.revents != 0) copy.flush();
    if (from.revents != 0 && copy.pending() == 0 && copy.open) {
      copy.fill(copy.stream.input ? options_.stop : -1);
      // Mostly there is room at once.
      if (copy.pending() != 0 && copy.chunk != kAtomic) copy.flush();
    }
    if (copy.done() && !copy.finished) finish(copy);
  }

  // A half of the connection is over: the program gets end of file, or SIGPIPE.
  void finish(Copy& copy) {
    copy.finished = true;
    if (copy.stream.terminal && copy.stream.input) {
      constexpr char kEndOfFile = 4;
      [[maybe_unused]] auto const n = ::write(copy.stream.to, &kEndOfFile, 1);
    } else {
      if (copy.stream.input && regular_input_) keep_pipe(copy);
      copy.stream.own.reset();
    }
  }

  void begin_end() {
    ending_ = true;
    for (auto& copy : copies_)
      copy.budget = kAfterEnd;
  }

  [[nodiscard]] bool over() {
    for (auto const& copy : copies_) {
      if (copy.stopped) return true;
      if (options_.pidfd < 0 && copy.done()) return true;
    }
    if (!ending_) return false;
    // Over when a look at the streams has found nothing any more.
    for (std::size_t i = 0; i < copies_.size(); ++i) {
      if (copies_[i].stream.input) continue;
      if (copies_[i].pending() != 0 || fds_[2 + 2 * i].revents != 0) return false;
    }
    return looked_++ > 0;
  }

  std::optional<int> take_signals() {
    if (fds_[0].revents == 0) return std::nullopt;
    for (int signal = signals_.next(); signal != 0; signal = signals_.next()) {
      if (signal == SIGWINCH) {
        copy_window();
      } else if (signal == SIGTSTP) {
        stop_ourselves();
      } else if (signal != SIGCONT && !options_.on_signal) {
        return signal;
      } else if (options_.on_signal) {
        options_.on_signal(signal);
        if (signal == SIGHUP && options_.raw) return signal;  // our terminal is gone
      }
    }
    return std::nullopt;
  }

  // As any program is stopped by its terminal; the terminal is as before meanwhile.
  void stop_ourselves() const {
    if (options_.on_signal && !options_.raw) options_.on_signal(SIGTSTP);
    terminal_.restore();
    ::raise(SIGSTOP);
    terminal_.set();
    copy_window();
    if (options_.on_signal) options_.on_signal(SIGCONT);
  }

  void copy_window() const {
    winsize size{};
    if (options_.master >= 0 && ::ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0)
      ::ioctl(options_.master, TIOCSWINSZ, &size);
  }

  // The pipe to the program, by a reading end: what is in it can be counted after the writing end
  // was closed, and also when the program is gone.
  void keep_pipe(const Copy& copy) {
    auto const path = fmt::format("/proc/self/fd/{}", copy.stream.to);
    left_in_ = Fd{::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)};
  }

  // Loops such as `while read line; do vserver ... exec ...; done <file` share stdin's offset with
  // the program: what it has not read is there for the next one.
  void give_back() {
    if (!regular_input_) return;
    for (auto const& copy : copies_) {
      if (!copy.stream.input || copy.stream.terminal) continue;
      if (!copy.finished) keep_pipe(copy);
      int in_pipe = 0;
      if (::ioctl(left_in_.get(), FIONREAD, &in_pipe) != 0) in_pipe = 0;
      auto const left = static_cast<off_t>(copy.pending() + copy.lost) + in_pipe;
      if (left > 0) ::lseek(STDIN_FILENO, -left, SEEK_CUR);
    }
  }

  const RelayOptions& options_;
  Signals signals_;
  RawTerminal terminal_;
  std::vector<Copy> copies_;
  std::vector<pollfd> fds_;
  bool ending_ = false;
  bool regular_input_ = false;
  Fd left_in_;
  int looked_ = 0;
};

}  // namespace

Result<int> relay(std::vector<Stream> streams, const RelayOptions& options) {
  return Loop{std::move(streams), options}.run();
}

}  // namespace vs
