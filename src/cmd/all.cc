// SPDX-License-Identifier: GPL-2.0-or-later
// start-vservers and stop-vservers: many guests at once, in the order of their dependencies.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <map>

#include "base/log.h"
#include "base/text.h"
#include "cmd/commands.h"
#include "guest/config.h"
#include "guest/order.h"
#include "guest/paths.h"
#include "guest/start.h"
#include "guest/state.h"
#include "guest/stop.h"
#include "sys/file.h"

namespace vs {

namespace {

constexpr std::array kOptions{
    Option{'m', "mark", "MARK", "Guests with this line in apps/init/mark"},
    Option{0, "all", "", "All guests that are not disabled"},
    Option{0, "marked", "", "Guests with any mark"},
    Option{0, "unmarked", "", "Guests without a mark"},
    Option{0, "running", "", "Guests that run"},
    Option{0, "stopped", "", "Guests that do not run"},
    Option{'j', "jobs", "N", "At most N at once; 99 without it"},
    Option{0, "start", "", "Start them, whatever this program is called"},
    Option{0, "stop", "", "Stop them"},
    Option{0, "debug", "", "Say what is done, each step"},
    Option{'c', "confdir", "DIR", "Accepted for scripts of Linux-VServer; DIR is not read"},
    Option{0, "test", "", "Accepted for scripts of Linux-VServer"},
};
static_assert(is_option_table(kOptions));

std::vector<std::string> lines_of(const std::string& guest, const char* entry) {
  std::vector<std::string> out;
  auto const text = read_file(fmt::format("{}/{}/{}", Paths::get().conf, guest, entry));
  if (!text) return out;
  for (auto const line : split_lines(*text)) {
    auto const word = trim(line);
    if (!word.empty() && word[0] != '#') out.emplace_back(word);
  }
  return out;
}

std::vector<std::string> depends_of(const std::string& guest) {
  std::vector<std::string> out;
  for (auto const& word : lines_of(guest, "apps/init/depends")) {
    auto const other = resolve_guest(word);
    if (other) {
      out.push_back(*other);
    } else {
      warn("guest '{}' depends on '{}', which does not exist", guest, printable(word));
    }
  }
  return out;
}

bool passes(const Parsed& args, const std::string& guest) {
  auto const marks = lines_of(guest, "apps/init/mark");
  auto const wanted = args.get("mark");
  if (wanted && std::find(marks.begin(), marks.end(), *wanted) == marks.end()) return false;
  if (args.has("marked") && marks.empty()) return false;
  if (args.has("unmarked") && !marks.empty()) return false;
  if (args.has("running") && !is_running(guest)) return false;
  return !args.has("stopped") || !is_running(guest);
}

// Explicit names, and what the filters let pass.
Result<std::vector<std::string>> select(const Parsed& args) {
  std::vector<std::string> out;
  for (auto const& word : args.operands)
    out.push_back(VS_TRY(resolve_guest(word)));
  constexpr std::array<std::string_view, 6> kFilters{"mark",     "all",     "marked",
                                                     "unmarked", "running", "stopped"};
  if (std::none_of(kFilters.begin(), kFilters.end(), [&](auto f) { return args.has(f); }))
    return out;
  for (auto const& guest : VS_TRY(list_guests())) {
    if (exists(fmt::format("{}/{}/disabled", Paths::get().conf, guest))) continue;
    if (passes(args, guest)) out.push_back(guest);
  }
  return out;
}

enum class State : std::uint8_t { Waiting, Running, Done, Failed };

// Runs each job as a process of its own as soon as those before it are done.
class Runner {
 public:
  Runner(const std::vector<Job>& jobs, bool stop, std::size_t limit)
      : jobs_{jobs}, states_(jobs.size(), State::Waiting), stop_{stop}, limit_{limit} {}

  Result<int> run() {
    for (;;) {
      // A job that needs nothing done may let another one go.
      do {
        changed_ = false;
        for (std::size_t i = 0; i < jobs_.size(); ++i)
          VS_TRY(consider(i));
      } while (changed_);
      if (children_.empty()) break;
      reap();
    }
    if (failed_ == 0) return 0;
    return succeeded_ == 0 ? 1 : 2;
  }

 private:
  Status consider(std::size_t i) {
    if (states_[i] != State::Waiting || children_.size() >= limit_) return {};
    for (auto const before : jobs_[i].after) {
      if (states_[before] == State::Failed) {
        warn("guest '{}' is left alone: '{}' failed", jobs_[i].guest, jobs_[before].guest);
        states_[i] = State::Failed;
        ++failed_;
        changed_ = true;
        return {};
      }
      if (states_[before] != State::Done) return {};
    }
    if (is_running(jobs_[i].guest) != stop_) {
      states_[i] = State::Done;
      changed_ = true;
      return {};
    }
    return launch(i);
  }

  Status launch(std::size_t i) {
    std::fflush(nullptr);
    pid_t const pid = ::fork();
    if (pid < 0) return Error::system(errno, "fork");
    if (pid == 0) {
      auto const done = stop_ ? stop_guest(jobs_[i].guest) : start_guest(jobs_[i].guest);
      ::_exit(done ? 0 : report_error(done.error()));
    }
    children_.emplace(pid, i);
    states_[i] = State::Running;
    return {};
  }

  void reap() {
    int status = 0;
    pid_t const pid = ::waitpid(-1, &status, 0);
    auto const child = children_.find(pid);
    if (child == children_.end()) return;
    bool const good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    states_[child->second] = good ? State::Done : State::Failed;
    ++(good ? succeeded_ : failed_);
    children_.erase(child);
  }

  const std::vector<Job>& jobs_;
  std::vector<State> states_;
  std::map<pid_t, std::size_t> children_;
  bool changed_ = false;
  bool stop_;
  std::size_t limit_;
  int succeeded_ = 0;
  int failed_ = 0;
};

Result<int> run_all(const Parsed& args, bool stop) {
  if (args.has("debug")) log_level = Level::Debug;
  if (args.has("start") && args.has("stop"))
    return Error::make(Errc::Usage, "--start and --stop exclude each other");
  if (args.has("start") || args.has("stop")) stop = args.has("stop");
  auto const limit = parse_decimal(args.get("jobs").value_or("99"));
  if (!limit || *limit == 0)
    return Error::make(Errc::Usage, "'{}' is not a number of jobs", *args.get("jobs"));
  auto const guests = VS_TRY(select(args));
  auto const plan =
      stop ? plan_stop_order(guests, depends_of) : plan_start_order(guests, depends_of);
  for (auto const& text : plan.warnings)
    warn("{}", text);
  return Runner{plan.jobs, stop, static_cast<std::size_t>(*limit)}.run();
}

constexpr std::string_view kDetails =
    "Guests are the named ones and those that all given filters let pass. A guest\n"
    "comes after those that its apps/init/depends names; a start takes them along.\n"
    "Exit status: 0 all is as wanted, 1 nothing succeeded, 2 some failed.";

}  // namespace

constexpr Command kStartAll{.name = "start-vservers",
                            .operands = "[GUEST]...",
                            .summary = "Start many guests, in the order of their dependencies",
                            .options = kOptions,
                            .max_operands = kAnyNumber,
                            .run = [](const Parsed& args) { return run_all(args, false); },
                            .details = kDetails};

constexpr Command kStopAll{.name = "stop-vservers",
                           .operands = "[GUEST]...",
                           .summary = "Stop many guests, those that depend on others first",
                           .options = kOptions,
                           .max_operands = kAnyNumber,
                           .run = [](const Parsed& args) { return run_all(args, true); },
                           .details = kDetails};

}  // namespace vs
