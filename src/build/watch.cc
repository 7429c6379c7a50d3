// SPDX-License-Identifier: GPL-2.0-or-later
#include "build/watch.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

#include "base/log.h"
#include "base/test_seam.h"
#include "sys/file.h"
#include "sys/process.h"

namespace vs {

namespace {

constexpr std::array kEnding{SIGINT, SIGTERM, SIGHUP};
constexpr std::size_t kTail = 12;
constexpr std::size_t kLongestLine = 32768;  // a path of PATH_MAX, all of it escaped

volatile std::sig_atomic_t interrupted = 0;
std::array<struct sigaction, kEnding.size()> before{};

void note_interrupt(int signal) {
  interrupted = signal;
}

}  // namespace

Interrupts::Interrupts() {
  struct sigaction action {};
  action.sa_handler = note_interrupt;  // without SA_RESTART: a wait ends
  for (std::size_t i = 0; i < kEnding.size(); ++i)
    ::sigaction(kEnding.at(i), &action, &before.at(i));
}

Interrupts::~Interrupts() {
  for (std::size_t i = 0; i < kEnding.size(); ++i)
    ::sigaction(kEnding.at(i), &before.at(i), nullptr);
}

Status Interrupts::check() {
  if (interrupted == 0) return {};
  return Error::make(Errc::System, "interrupted by {}",
                     interrupted == SIGINT ? "Ctrl-C" : ::strsignal(interrupted));
}

namespace {

// Cuts a stream into lines; a carriage return ends one as well, as programs that draw progress use
// it.
class Lines {
 public:
  explicit Lines(const Watch& watch) : watch_{watch} {}

  void feed(std::string_view text) {
    for (char const c : text) {
      if (c == '\n' || c == '\r') {
        take();
      } else if (line_.size() < kLongestLine) {
        // What a hostile archive calls its files ends on the admin's terminal.
        line_ += static_cast<unsigned char>(c) < 0x20 && c != '\t' ? '?' : c;
      }
    }
  }
  std::deque<std::string> finish() {
    take();
    return std::move(tail_);
  }

 private:
  void take() {
    if (line_.empty()) return;
    debug("| {}", line_);
    if (watch_.on_line) watch_.on_line(line_);
    if (tail_.size() == kTail) tail_.pop_front();
    tail_.push_back(std::move(line_));
    line_.clear();
  }

  const Watch& watch_;
  std::string line_;
  std::deque<std::string> tail_;
};

// Until the child's end, and until its output is read.
Result<std::deque<std::string>> follow(FdRef pidfd, FdRef output, const Watch& watch) {
  Lines lines{watch};
  std::array<pollfd, 2> fds{pollfd{output.get(), POLLIN, 0}, pollfd{pidfd.get(), POLLIN, 0}};
  for (;;) {
    VS_TRY(Interrupts::check());
    if (watch.on_tick) VS_TRY(watch.on_tick());
    if (::poll(fds.data(), fds.size(), 100) < 0 && errno != EINTR)
      return Error::system(errno, "poll");
    std::array<char, 8192> buffer{};
    for (;;) {
      auto const n = ::read(output.get(), buffer.data(), buffer.size());
      if (n <= 0) break;
      lines.feed({buffer.data(), static_cast<std::size_t>(n)});
    }
    if (fds[0].revents != 0 && (fds[0].revents & POLLIN) == 0) fds[0].fd = -1;  // closed
    if (fds[1].revents != 0) return lines.finish();
  }
}

struct Pipe {
  Fd ours, theirs;
};

Result<Pipe> output_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return Error::system(errno, "pipe");
  Pipe made{Fd{ends[0]}, Fd{ends[1]}};
  ::fcntl(made.ours.get(), F_SETFL, O_NONBLOCK);
  return made;
}

bool looks_like_error(std::string_view line) {
  if (line.find("not recoverable") != std::string_view::npos) return false;
  for (std::string_view const word :
       {"E: ", "rror", "annot", "ailed", "nexpected", "o space", "not found", "does not look"}) {
    if (line.find(word) != std::string_view::npos) return true;
  }
  return false;
}

}  // namespace

std::string Ended::reason() const {
  for (auto const& line : tail) {
    if (looks_like_error(line)) return line;
  }
  return tail.empty() ? fmt::format("it ended with status {}", status) : tail.back();
}

bool Ended::says(std::string_view text) const {
  for (auto const& line : tail) {
    if (line.find(text) != std::string::npos) return true;
  }
  return false;
}

Result<Ended> run_tool(const std::vector<std::string>& argv, const Watch& watch, int input,
                       const std::vector<std::string>& environment) {
  auto const program = VS_TRY(find_program(argv.at(0)));
  Fd const null = VS_TRY(open_path("/dev/null", O_RDWR));
  Fd const setpriv = VS_TRY(open_path(VS_TRY(find_program("setpriv")), O_PATH));
  auto pipe = VS_TRY(output_pipe());
  SpawnPlan plan;
  plan.exe = setpriv.get();
  // setpriv ties unshare's life to ours, unshare the whole pid namespace to its own.
  plan.argv = {"setpriv", "--pdeathsig", "KILL",         "unshare",     "--mount",
               "--pid",   "--fork",      "--mount-proc", "--kill-child"};
  plan.argv.emplace_back("--");
  plan.argv.push_back(program);
  plan.argv.insert(plan.argv.end(), argv.begin() + 1, argv.end());
  plan.envp = environment;
  plan.envp.emplace_back("LC_ALL=C.UTF-8");
  for (char** e = environ; *e != nullptr; ++e) {
    std::string_view const setting = *e;
    bool const ours = std::any_of(plan.envp.begin(), plan.envp.end(), [&](const std::string& own) {
      return setting.starts_with(own.substr(0, own.find('=') + 1));
    });
    if (!ours) plan.envp.emplace_back(setting);
  }
  plan.fds = {{input >= 0 ? input : null.get(), 0}, {pipe.theirs.get(), 1}, {pipe.theirs.get(), 2}};
  plan.new_session = true;  // a Ctrl-C is ours to handle
  Child child = VS_TRY(spawn(plan), "run {}", argv[0]);
  pipe.theirs.reset();
  VS_TRY(test_seam("tool"));
  Ended ended;
  ended.tail = VS_TRY(follow(child.pidfd(), pipe.ours, watch), "{}", argv[0]);
  ended.status = VS_TRY(child.wait());
  return ended;
}

Result<Ended> run_work(const RunDir& run, Xid xid, WorkPlan plan, const Watch& watch) {
  auto pipe = VS_TRY(output_pipe());
  Fd const null = VS_TRY(open_path("/dev/null", O_RDWR));
  if (plan.stdio[0] < 0) plan.stdio[0] = null.get();
  plan.stdio[1] = plan.stdio[2] = pipe.theirs.get();
  for (const char* setting : {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                              "LC_ALL=C.UTF-8", "HOME=/root"})
    plan.envp.emplace_back(setting);
  auto shop = VS_TRY(Workshop::start(run, xid, plan));
  pipe.theirs.reset();
  VS_TRY(test_seam("work"));
  Ended ended;
  ended.tail = VS_TRY(follow(shop.pidfd(), pipe.ours, watch));
  ended.status = VS_TRY(shop.wait());
  return ended;
}

}  // namespace vs
