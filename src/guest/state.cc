// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/state.h"

#include <linux/sched.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/log.h"
#include "base/text.h"
#include "guest/config.h"
#include "guest/paths.h"
#include "guest/run_files.h"
#include "sys/file.h"

namespace vs {

namespace {

// The oldest program that may read what this one writes. A key that others can do without does not
// raise it: they skip what they do not know, and kAdded tells what a state without it means.
constexpr std::uint64_t kVersion = 1;

constexpr std::array kPhases{std::pair{Phase::Starting, std::string_view{"starting"}},
                             std::pair{Phase::Running, std::string_view{"running"}},
                             std::pair{Phase::Waiting, std::string_view{"waiting"}},
                             std::pair{Phase::Stopping, std::string_view{"stopping"}}};

std::string_view phase_name(Phase phase) {
  return kPhases.at(static_cast<std::size_t>(phase)).second;
}

// A key that came later: what holds in a state that was written before.
struct Added {
  std::string_view key;
  void (*derive)(RunState& state);
};

// Without it: a guard and no init is one that waits for its time.
void derive_phase(RunState& state) {
  state.phase = state.init.pid != 0    ? Phase::Running
                : state.guard.pid != 0 ? Phase::Waiting
                                       : Phase::Starting;
}

constexpr std::array kAdded{
    Added{"phase", derive_phase},
};

}  // namespace

std::string run_path(const std::string& name, const std::string& file) {
  return fmt::format("{}/guests/{}/{}", Paths::get().run, name, file);
}

std::uint32_t guest_namespaces() {
  std::uint32_t const time = exists("/proc/self/ns/time") ? CLONE_NEWTIME : 0;
  return time | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP;
}

std::string format_state(const RunState& state) {
  std::string out = fmt::format(
      "version {}\nxid {}\nuserns {}\nns_flags {}\ninit {} {}\nguard {} {}\nstarted "
      "{}\nrestarts {}\nrescue {}\nphase {}\n",
      kVersion, state.xid, state.userns ? 1 : 0, state.ns_flags, state.init.pid,
      state.init.start_time, state.guard.pid, state.guard.start_time, state.started, state.restarts,
      state.rescue, phase_name(state.phase));
  if (!state.config.empty()) out += fmt::format("config {}\n", state.config);
  for (auto const& item : state.cleanup)
    out += fmt::format("cleanup {}\n", item);
  return out;
}

namespace {

std::optional<ProcessId> parse_process(std::string_view value) {
  auto const words = split_words(value);
  if (words.size() != 2) return std::nullopt;
  auto const pid = parse_decimal(words[0]);
  auto const time = parse_decimal(words[1]);
  if (!pid || !time || *pid > 4194304) return std::nullopt;
  return ProcessId{static_cast<pid_t>(*pid), *time};
}

// False when the value is not what the key asks for.
bool parse_field(RunState& state, std::string_view key, std::string_view value) {
  auto const number = parse_decimal(value);
  if (key == "phase") {
    // One that a newer program has: the guest is there, that is what matters.
    state.phase = Phase::Running;
    for (auto const& [phase, name] : kPhases) {
      if (name == value) state.phase = phase;
    }
    return true;
  }
  if (key == "config") return state.config = value, !value.empty();
  if (key == "cleanup") return state.cleanup.emplace_back(value), true;
  if (key == "init" || key == "guard") {
    auto const process = parse_process(value);
    if (process) (key == "init" ? state.init : state.guard) = *process;
    return process.has_value();
  }
  bool const fits = number && *number <= (key == "started" ? INT64_MAX : UINT32_MAX);
  if (!fits) {
    return key != "xid" && key != "userns" && key != "ns_flags" && key != "started" &&
           key != "restarts" && key != "rescue";
  }
  if (key == "xid") state.xid = static_cast<std::uint32_t>(*number);
  if (key == "userns") state.userns = *number != 0;
  if (key == "ns_flags") state.ns_flags = static_cast<std::uint32_t>(*number);
  if (key == "rescue") state.rescue = static_cast<unsigned>(*number);
  if (key == "restarts") state.restarts = static_cast<unsigned>(*number);
  if (key == "started") state.started = static_cast<std::int64_t>(*number);
  return true;
}

}  // namespace

Result<RunState> parse_state(const std::string& text) {
  RunState state;
  auto const lines = split_lines(text);
  if (lines.empty() || !lines[0].starts_with("version "))
    return Error::make(Errc::Config, "the run state has no version line");
  auto const version = parse_decimal(lines[0].substr(8));
  if (!version) return Error::make(Errc::Config, "the run state has no version");
  if (*version > kVersion) {
    return Error::make(Errc::Unsupported, "the run state has version {}, this program knows {}",
                       *version, kVersion)
        .hint("a newer vserver started this guest: use that one");
  }
  std::vector<std::string_view> keys;
  for (std::size_t i = 1; i < lines.size(); ++i) {
    auto const space = lines[i].find(' ');
    if (space == std::string_view::npos ||
        !parse_field(state, lines[i].substr(0, space), lines[i].substr(space + 1)))
      return Error::make(Errc::Config, "line {} of the run state is broken: '{}'", i + 1, lines[i]);
    keys.push_back(lines[i].substr(0, space));
  }
  for (auto const& added : kAdded) {
    if (std::find(keys.begin(), keys.end(), added.key) == keys.end()) added.derive(state);
  }
  if (state.xid == 0) return Error::make(Errc::Config, "the run state has no xid");
  return state;
}

namespace {

// Shared: "web-1" and "web1" have one such file, and need not wait for each other.
Result<Fd> lock_startup(const std::string& name, int timeout_s) {
  VS_TRY(make_dirs(Paths::get().locks));
  auto lock = lock_file_shared(startup_lock_path(name), timeout_s);
  if (lock || lock.error().code() == Errc::Busy) return lock;
  // Somebody else's file there, or no place for one: nothing that could stop a guest.
  debug("{}", lock.error().message());
  return Fd{};
}

}  // namespace

namespace {

// A run directory that cannot be written stops commands, not guests: the administrator should know.
Error not_writable(Error error) {
  int const cause = error.sys();
  if (cause != ENOSPC && cause != EROFS && cause != EDQUOT) return error;
  return std::move(error).hint(fmt::format("{} {}; guests that run go on",
                                           cause == EROFS ? "remount for writing:" : "make room in",
                                           Paths::get().run));
}

}  // namespace

Result<RunDir> RunDir::lock(const std::string& name, int timeout_s, std::string_view prefix) {
  if (!is_context_name(name)) VS_TRY(check_name(name));
  std::string const locks = Paths::get().run + "/lock";
  if (auto made = make_dirs(locks); !made)
    return not_writable(std::move(made).error()).context(fmt::format("guest '{}'", name));
  auto lock = lock_file(fmt::format("{}/{}{}", locks, prefix, name), timeout_s);
  if (!lock) return not_writable(std::move(lock).error()).context(fmt::format("guest '{}'", name));
  Fd startup;
  if (prefix.empty()) startup = VS_TRY(lock_startup(name, timeout_s), "guest '{}'", name);
  return RunDir{name, std::move(*lock), std::move(startup)};
}

Result<Fd> RunDir::open_runs() {
  auto runs = open_path(Paths::get().run + "/guests", O_PATH | O_DIRECTORY);
  if (!runs && runs.error().sys() == ENOENT) return Fd{};
  return runs;
}

Result<std::optional<RunState>> RunDir::read_state(const std::string& name) {
  Fd const runs = VS_TRY(open_runs());
  return read_state(runs, name);
}

Result<std::optional<RunState>> RunDir::read_state(FdRef runs, const std::string& name) {
  if (runs.get() < 0) return std::optional<RunState>{};
  auto const text = read_short_file_at(runs, name + "/state");
  if (!text) {
    if (text.error().sys() == ENOENT) return std::optional<RunState>{};
    return Error{text.error()};
  }
  return std::optional<RunState>{VS_TRY(parse_state(*text), "guest '{}'", name)};
}

Status RunDir::write(const RunState& state) const {
  std::string const path = fmt::format("{}/guests/{}", Paths::get().run, name_);
  auto done = make_dirs(path);
  if (done) {
    Fd const dir = VS_TRY(open_path(path, O_RDONLY | O_DIRECTORY));
    done = replace_file_at(dir, "state", format_state(state));
  }
  if (!done) return not_writable(std::move(done).error());
  return {};
}

Status RunDir::clear() const {
  auto const dir = open_path(Paths::get().run + "/guests", O_RDONLY | O_DIRECTORY);
  if (!dir) return {};
  return remove_tree_at(*dir, name_);
}

void RunDir::forget() noexcept {
  std::string const locks = Paths::get().run + "/lock/";
  startup_.reset();
  for (auto const& path : {startup_lock_path(name_), locks + ".start-" + name_}) {
    if (auto done = remove_lock_file(path); !done) debug("{}", done.error().message());
  }
  ::unlink((locks + name_).c_str());
  lock_.reset();
}

namespace {

std::string claim_path(std::uint32_t xid) {
  return fmt::format("{}/xid/{}", Paths::get().run, xid);
}

// Claims one xid; false when another guest has it. A claim whose guest is gone is taken over.
Result<bool> try_claim(const std::string& name, Xid xid) {
  std::string const path = claim_path(xid.value());
  for (int tries = 0; tries < 3; ++tries) {
    if (::symlink(name.c_str(), path.c_str()) == 0) return true;
    if (errno != EEXIST) return Error::system(errno, "claim xid {}", xid.value());
    auto const holder = read_link_at(FdRef::cwd(), path);
    if (!holder) continue;
    if (*holder == name) return true;
    if (exists(run_path(*holder, "state")) || is_running(*holder)) return false;
    // Between claim and state a starting guest holds its lock.
    auto const lock = try_lock_file(fmt::format("{}/lock/{}", Paths::get().run, *holder));
    if (!lock || !*lock) return false;
    ::unlink(path.c_str());
  }
  return false;
}

std::vector<IdRange> foreign_ranges() {
  std::vector<IdRange> out;
  for (const char* file : {"/etc/subuid", "/etc/subgid"}) {
    auto const text = read_file(file);
    if (!text) continue;
    for (auto const& range : parse_subid(*text))
      out.push_back(range);
  }
  return out;
}

// The ids that running processes have in user namespaces, whoever made them: another set of guests
// (another run directory, another machine's tree) or another container manager.
void add_live_ranges(std::vector<IdRange>& out) {
  auto const proc = open_path("/proc", O_RDONLY | O_DIRECTORY);
  if (!proc) return;
  auto const names = list_dir(*proc);
  if (!names) return;
  std::string last;
  for (auto const& name : *names) {
    if (name[0] < '0' || name[0] > '9') continue;
    auto const text = read_file_at(*proc, name + "/uid_map", Resolve::Free);
    if (!text || *text == last) continue;  // neighbours mostly share a namespace
    last = *text;
    for (auto const& range : parse_id_map(*text)) {
      if (std::find(out.begin(), out.end(), range) == out.end()) out.push_back(range);
    }
  }
}

// Every xid that a configuration names: a new guest must not take it.
std::vector<std::uint32_t> configured_xids() {
  std::vector<std::uint32_t> out;
  auto const guests = list_guests();
  if (!guests) return out;
  for (auto const& guest : *guests) {
    auto const text = read_file(fmt::format("{}/{}/context", Paths::get().conf, guest));
    if (!text) continue;
    if (auto const n = parse_decimal(trim(first_line(*text))))
      out.push_back(static_cast<std::uint32_t>(*n));
  }
  return out;
}

}  // namespace

Result<Xid> claim_xid(const std::string& name, std::optional<Xid> wanted) {
  VS_TRY(make_dirs(Paths::get().run + "/xid"));
  if (wanted) {
    if (VS_TRY(try_claim(name, *wanted))) return *wanted;
    return Error::make(Errc::Busy, "context id {} is in use by the running guest '{}'",
                       wanted->value(), guest_of(wanted->value()).value_or("?"));
  }
  auto used = configured_xids();
  auto ranges = foreign_ranges();
  add_live_ranges(ranges);
  for (;;) {
    Xid const xid = VS_TRY(choose_xid(used, ranges));
    if (VS_TRY(try_claim(name, xid))) return xid;
    used.push_back(xid.value());
  }
}

void release_xid(std::uint32_t xid) noexcept {
  ::unlink(claim_path(xid).c_str());
}

void release_xid(const std::string& name, std::uint32_t xid) noexcept {
  if (guest_of(xid) == name) release_xid(xid);
}

std::optional<std::string> guest_of(std::uint32_t xid) {
  auto name = read_link_at(FdRef::cwd(), claim_path(xid));
  if (!name) return std::nullopt;
  return *name;
}

bool is_running(const std::string& name) {
  auto host = CgroupHost::find();
  return host && ContextCgroup{std::move(*host), name}.populated();
}

Error running_already(const std::string& name) {
  auto const state = RunDir::read_state(name);
  if (state && *state && (*state)->phase == Phase::Stopping) {
    return Error::make(Errc::System, "guest '{}' is still being stopped", name)
        .hint(fmt::format("'vserver {} stop' goes on with it and says what does not end", name));
  }
  return Error::make(Errc::Busy, "guest '{}' is already running", name);
}

}  // namespace vs
