// SPDX-License-Identifier: GPL-2.0-or-later
#include "sys/cgroup.h"

#include <dirent.h>
#include <linux/magic.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <optional>

#include "base/log.h"
#include "base/text.h"
#include "sys/cgroup_walk.h"
#include "sys/file.h"
#include "sys/systemd.h"

namespace vs {

namespace {

constexpr std::string_view kScopePrefix = "vserver-";
constexpr std::string_view kScopeSuffix = ".scope";
constexpr const char* kContext = "/context";
constexpr const char* kUnifiedMount = "/sys/fs/cgroup";
// Options of a v1 mount that are no controller (cgroups(7)).
constexpr std::array<std::string_view, 9> kMountOptions{
    "rw",           "ro",   "xattr", "noprefix", "clone_children", "cpuset_v2_mode",
    "favordynmods", "none", "all"};

bool has(const std::vector<std::string>& all, std::string_view one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

// What a v1 hierarchy is known by: its controllers, or "name=systemd". A context is in all of them:
// a guest can mount any, and sees from its own place in it downwards.
std::vector<std::string> hierarchy_words(std::string_view options) {
  std::vector<std::string> out;
  for (auto const option : split(options, ',')) {
    bool const other =
        option.empty() || option.starts_with("release_agent=") ||
        std::find(kMountOptions.begin(), kMountOptions.end(), option) != kMountOptions.end();
    if (!other) out.emplace_back(option);
  }
  return out;
}

Status make_dir(const std::string& path, mode_t mode = 0755) {
  if (::mkdir(path.c_str(), mode) == 0) return {};
  struct stat st {};
  if (errno == EEXIST && ::stat(path.c_str(), &st) == 0) {
    if (S_ISDIR(st.st_mode)) return {};
    return Error::make(Errc::Usage, "{} is a file of the kernel's", path)
        .hint("a guest cannot have that name");
  }
  return Error::system(errno, "mkdir {}", path);
}

// Makes the last of `levels`, and those above it only where they are missing: after the first guest
// they are there.
Status make_levels(const std::vector<std::string>& levels, mode_t last_mode) {
  if (::mkdir(levels.back().c_str(), last_mode) == 0) return {};
  if (errno == ENOENT) {
    for (std::size_t i = 0; i + 1 < levels.size(); ++i)
      VS_TRY(make_dir(levels[i]));
  }
  return make_dir(levels.back(), last_mode);
}

// A new v1 cpuset has no CPUs and takes no process until it is given some.
Status inherit_cpuset(const std::string& parent, const std::string& path) {
  for (const char* knob : {"cpuset.cpus", "cpuset.mems"}) {
    auto const now = VS_TRY(read_file(fmt::format("{}/{}", path, knob)));
    if (!trim(now).empty()) continue;
    VS_TRY(write_knob(fmt::format("{}/{}", path, knob),
                      trim(VS_TRY(read_file(fmt::format("{}/{}", parent, knob))))));
  }
  return {};
}

bool is_delegated(std::string_view controller) {
  return controller == "cpu" || controller == "memory" || controller == "pids" ||
         controller == "io" || controller == "cpuset";
}

// Every controller the parent has goes down to its children; one that the host keeps busy
// elsewhere (realtime CPU, v1 use) is left out and seen by reading cgroup.controllers below.
Status enable_controllers(const std::string& path) {
  auto const there = VS_TRY(read_file(path + "/cgroup.controllers"));
  if (there.empty()) return {};
  std::string const control = path + "/cgroup.subtree_control";
  auto const on = VS_TRY(read_file(control));
  auto const enabled = split_words(on);
  std::string all;
  for (auto const name : split_words(there)) {
    if (is_delegated(name) && std::find(enabled.begin(), enabled.end(), name) == enabled.end())
      all += fmt::format("+{} ", name);
  }
  // All or nothing: each alone only when that is refused.
  if (all.empty() || write_knob(control, all)) return {};
  for (auto const name : split_words(all)) {
    if (auto done = write_knob(control, name); !done)
      debug("controller {} of {} stays off: {}", name, path, done.error().message());
  }
  return {};
}

// What a guest may make in its own part of the tree: enough for a system that runs containers, and
// a bound for what the kernel keeps and for what we have to walk through.
constexpr std::array kBounds{std::pair{"cgroup.max.depth", "64"},
                             std::pair{"cgroup.max.descendants", "10000"}};

}  // namespace

Result<CgroupHost> CgroupHost::find() {
  static std::optional<CgroupHost> found;  // asked for each guest of a list; it does not change
  if (!found) found = only_unified();
  if (!found) found = VS_TRY(parse(VS_TRY(read_file("/proc/self/mountinfo", 8U << 20U))));
  return *found;
}

// Where no other hierarchy exists, and cgroup2 is in its usual place, there is no need to read the
// list of all mounts, which is long on a host with many guests.
std::optional<CgroupHost> CgroupHost::only_unified() {
  struct statfs fs {};
  if (::statfs(kUnifiedMount, &fs) != 0 || fs.f_type != CGROUP2_SUPER_MAGIC) return std::nullopt;
  auto const own = read_file("/proc/self/cgroup");  // a line for each hierarchy
  if (!own || split_lines(*own).size() != 1) return std::nullopt;
  CgroupHost host;
  host.v2_ = kUnifiedMount;
  return host;
}

Result<CgroupHost> CgroupHost::parse(const std::string& mountinfo) {
  CgroupHost host;
  for (auto const line : split_lines(mountinfo)) {
    auto const fields = split_words(line);
    auto const dash = std::find(fields.begin(), fields.end(), std::string_view{"-"});
    if (fields.size() < 5 || fields.end() - dash < 4) continue;
    std::string_view const type = *(dash + 1);
    if (type == "cgroup2" && host.v2_.empty()) host.v2_ = fields[4];
    if (type != "cgroup") continue;
    auto controllers = hierarchy_words(*(dash + 3));
    if (!controllers.empty()) host.v1_.push_back({std::string{fields[4]}, std::move(controllers)});
  }
  if (host.v2_.empty()) {
    return Error::make(Errc::Unsupported, "no cgroup2 file system is mounted")
        .hint("mount -t cgroup2 none /sys/fs/cgroup/unified");
  }
  return host;
}

bool CgroupHost::unified() const noexcept {
  return std::all_of(v1_.begin(), v1_.end(),
                     [](const V1& h) { return h.controllers[0].starts_with("name="); });
}

bool CgroupHost::is_v1(std::string_view controller) const {
  return std::any_of(v1_.begin(), v1_.end(),
                     [&](const V1& h) { return has(h.controllers, controller); });
}

const std::string& CgroupHost::mount_of(std::string_view controller) const {
  for (auto const& hierarchy : v1_) {
    if (has(hierarchy.controllers, controller)) return hierarchy.mount;
  }
  return v2_;
}

const std::string& context_slice() {
  static const std::string kSlice = [] {
    const char* value = std::getenv("VSERVER_SLICE");
    return std::string{value != nullptr && *value != '\0' ? value : "vserver.slice"};
  }();
  return kSlice;
}

Result<std::uint64_t> ContextCgroup::id() const {
  auto const path = context_path();
  struct stat st {};
  if (::stat(path.c_str(), &st) != 0) return Error::system(errno, "cgroup {}", path);
  return st.st_ino;
}

std::string ContextCgroup::scope_unit(std::string_view name) {
  return fmt::format("{}{}{}", kScopePrefix, escape_unit(name), kScopeSuffix);
}

ContextCgroup::ContextCgroup(CgroupHost host, const std::string& name)
    : host_{std::move(host)},
      scope_{fmt::format("{}/{}", context_slice(), scope_unit(name))},
      dir_{fmt::format("{}/{}", context_slice(), name)} {
  if (vs::exists(fmt::format("{}/{}", host_.v2(), scope_))) enter_scope();
}

void ContextCgroup::enter_scope() {
  dir_ = scope_ + kContext;
}

Status ContextCgroup::adopt(int pid) const {
  return write_knob(guest_path() + "/cgroup.procs", std::to_string(pid));
}

std::string ContextCgroup::path_of(std::string_view controller) const {
  return fmt::format("{}/{}", host_.mount_of(controller), dir_);
}

Result<Fd> ContextCgroup::create_guard() {
  VS_TRY(make_dir(fmt::format("{}/{}", host_.v2(), context_slice())));
  VS_TRY(make_dir(v2_path()));
  VS_TRY(make_dir(guard_path()));
  return open_path(guard_path(), O_RDONLY | O_DIRECTORY);
}

Status ContextCgroup::write_own(const std::string& path) {
  return write_knob(path + "/cgroup.procs", "0");
}

Status ContextCgroup::create() {
  // A scope and all above it are systemd's, which has enabled every controller there.
  bool const own = !in_scope();
  std::string const slice = fmt::format("{}/{}", host_.v2(), context_slice());
  if (own) VS_TRY(make_dir(slice));
  if (host_.unified() && own) {
    VS_TRY(enable_controllers(host_.v2()));
    VS_TRY(enable_controllers(slice));
  }
  VS_TRY(make_dir(v2_path()));
  VS_TRY(make_dir(guest_path()));
  for (auto const& [knob, value] : kBounds)
    VS_TRY(write_knob(fmt::format("{}/{}", guest_path(), knob), value));
  for (auto const& hierarchy : host_.v1()) {
    std::vector<std::string> levels{fmt::format("{}/{}", hierarchy.mount, context_slice())};
    if (in_scope()) levels.push_back(fmt::format("{}/{}", hierarchy.mount, scope_));
    levels.push_back(fmt::format("{}/{}", hierarchy.mount, dir_));
    // A guest that mounts a v1 hierarchy sees this directory as its root: nothing of it is for
    // the guest, not even to read.
    VS_TRY(make_levels(levels, 0700));
    if (!has(hierarchy.controllers, "cpuset")) continue;
    std::string above = hierarchy.mount;
    for (auto const& level : levels) {
      VS_TRY(inherit_cpuset(above, level));
      above = level;
    }
  }
  return {};
}

Status ContextCgroup::enable() {
  if (!host_.unified()) return {};
  if (in_scope()) VS_TRY(enable_controllers(fmt::format("{}/{}", host_.v2(), scope_)));
  return enable_controllers(v2_path());
}

Status ContextCgroup::delegate(std::uint32_t owner) {
  Fd const dir = VS_TRY(open_guest());
  if (::fchownat(dir.get(), "", owner, owner, AT_EMPTY_PATH) != 0)
    return Error::system(errno, "chown cgroup");
  for (const char* file : {"cgroup.procs", "cgroup.threads", "cgroup.subtree_control"}) {
    if (::fchownat(dir.get(), file, owner, owner, 0) != 0)
      return Error::system(errno, "chown {}", file);
  }
  return {};
}

namespace {

// What was killed in it may not be gone yet.
//   patience   how often to look again, in 10 ms; counted down
Status remove_dying_tree(const std::string& path, int& patience) {
  for (;; --patience) {
    auto done = remove_cgroup_tree(path);
    if (done || done.error().sys() != EBUSY || patience <= 0) return done;
    ::poll(nullptr, 0, 10);
  }
}

}  // namespace

Status ContextCgroup::remove() {
  int patience = 200;
  VS_TRY(remove_dying_tree(guest_path(), patience));
  VS_TRY(remove_dying_tree(v2_path(), patience));
  for (auto const& hierarchy : host_.v1())
    VS_TRY(remove_dying_tree(fmt::format("{}/{}", hierarchy.mount, dir_), patience));
  if (auto done = weigh(); !done) debug("{}", done.error().message());
  // The scope itself is systemd's, which takes it away when its last process has gone.
  std::string const scope = fmt::format("{}/{}", host_.v2(), scope_);
  for (int i = 0; in_scope() && i < 200 && vs::exists(scope); ++i)
    ::poll(nullptr, 0, 10);
  return {};
}

Result<std::vector<Fd>> ContextCgroup::open_v1_procs(bool all) const {
  std::vector<Fd> out;
  for (auto const& hierarchy : host_.v1()) {
    auto tasks = open_path(fmt::format("{}/{}/tasks", hierarchy.mount, dir_), O_WRONLY);
    if (!tasks && !all && tasks.error().sys() == ENOENT) continue;
    if (!tasks) return std::move(tasks).error();
    out.push_back(std::move(*tasks));
  }
  return out;
}

Result<Fd> ContextCgroup::open_guest() const {
  return open_path(guest_path(), O_RDONLY | O_DIRECTORY);
}

Result<Fd> ContextCgroup::open_beside(int init_pid) const {
  constexpr std::string_view kUnified = "0::";
  auto const text = read_file(fmt::format("/proc/{}/cgroup", init_pid));
  if (!text) return open_guest();  // longer than the kernel shows
  std::string const own = guest_path().substr(host_.v2().size());
  for (auto const line : split_lines(*text)) {
    if (!line.starts_with(kUnified)) continue;
    auto const path = line.substr(kUnified.size());
    if (!path.starts_with(own)) continue;
    auto dir = open_path(fmt::format("{}{}", host_.v2(), path), O_RDONLY | O_DIRECTORY);
    if (dir) return dir;  // one that is longer than a path may be: beside the guest's first
  }
  return open_guest();
}

bool ContextCgroup::left_over() const {
  return vs::exists(v2_path());
}

bool ContextCgroup::exists() const {
  return vs::exists(guest_path());
}

namespace {

bool says_populated(const Result<std::string>& events) {
  return events && events->find("populated 1") != std::string::npos;
}

}  // namespace

bool ContextCgroup::populated() const {
  return says_populated(read_file(guest_path() + "/cgroup.events"));
}

ContextSlice ContextSlice::open(const CgroupHost& host) {
  ContextSlice out;
  auto dir = open_path(fmt::format("{}/{}", host.v2(), context_slice()), O_PATH | O_DIRECTORY);
  if (dir) out.dir_ = std::move(*dir);
  return out;
}

bool ContextSlice::populated(const std::string& name) {
  if (!dir_) return false;
  for (bool const scope : {scopes_first_, !scopes_first_}) {
    auto const group = scope ? ContextCgroup::scope_unit(name) + kContext : name;
    auto const events = read_short_file_at(dir_, group + "/guest/cgroup.events");
    if (!events) continue;
    scopes_first_ = scope;
    return says_populated(events);
  }
  return false;
}

Result<std::vector<int>> ContextCgroup::processes() const {
  std::vector<int> out;
  auto const collect = [&](FdRef dir) -> Status {
    auto const text = read_file_at(dir, "cgroup.procs", Resolve::Beneath, 16U << 20U);
    // In a threaded cgroup there is nothing to read: the one above it lists its processes.
    if (!text && text.error().sys() != ENOENT && text.error().sys() != ENODEV &&
        text.error().sys() != EOPNOTSUPP) {
      return Error{text.error()};
    }
    for (auto const word : split_words(text ? std::string_view{*text} : std::string_view{}))
      out.push_back(static_cast<int>(parse_decimal(word).value_or(0)));
    return {};
  };
  VS_TRY(walk_cgroups(guest_path(), collect, Walk::Look));
  std::sort(out.begin(), out.end());
  return out;
}

Status ContextCgroup::kill_all() {
  auto done = write_knob(guest_path() + "/cgroup.kill", "1");
  if (!done && (done.error().sys() == ENOENT || done.error().sys() == ENODEV)) return {};
  return done;
}

Result<bool> ContextCgroup::wait_empty(int timeout_ms) {
  auto const events = open_path(guest_path() + "/cgroup.events", O_RDONLY);
  // systemd takes an empty scope away, maybe just now (ENODEV).
  if (!events && (events.error().sys() == ENOENT || events.error().sys() == ENODEV)) return true;
  if (!events) return Error{events.error()};
  timespec start{};
  ::clock_gettime(CLOCK_MONOTONIC, &start);
  for (;;) {
    // Reading this very descriptor arms it: poll wakes by POLLPRI when the file changes afterwards.
    if (::lseek(events->get(), 0, SEEK_SET) != 0 || !says_populated(read_all(*events))) return true;
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    auto const spent =
        (now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1'000'000;
    if (spent >= timeout_ms) return false;
    pollfd wait{events->get(), POLLPRI, 0};
    ::poll(&wait, 1, static_cast<int>(std::min<long>(timeout_ms - spent, 100)));
  }
}

Result<std::string> ContextCgroup::read_knob_of(std::string_view controller,
                                                const std::string& knob) const {
  return read_file(fmt::format("{}/{}", path_of(controller), knob));
}

Status ContextCgroup::write_knob_of(std::string_view controller, const std::string& knob,
                                    std::string_view text) {
  return write_knob(fmt::format("{}/{}", path_of(controller), knob), text);
}

Status ContextCgroup::weigh() const {
  if (in_scope()) return {};
  constexpr int kExclusive = 2;  // LOCK_EX of <sys/file.h>, whose name is one of ours
  bool const v1 = host_.is_v1("cpu");
  const char* const knob = v1 ? "cpu.shares" : "cpu.weight";
  std::uint64_t const most = v1 ? 262'144 : 10'000;
  std::uint64_t const usual = v1 ? 1024 : 100;
  std::string const path = fmt::format("{}/{}", host_.mount_of("cpu"), context_slice());
  auto const dir = open_path(path, O_RDONLY | O_DIRECTORY);
  if (!dir) return {};
  // One at a time: the last one writes what is there when it is done.
  while (::syscall(SYS_flock, dir->get(), kExclusive) != 0) {
    if (errno != EINTR) return Error::system(errno, "lock {}", path);
  }
  auto const now = read_file_at(*dir, knob, Resolve::Free);
  if (!now) return {};  // no cpu controller
  std::uint64_t sum = 0;
  auto const children = VS_TRY(child_cgroups(*dir));
  for (std::size_t i = 0; i < children.size() && sum < most; ++i) {
    auto const one = read_file_at(*dir, fmt::format("{}/{}", children[i], knob), Resolve::Free);
    sum += one ? parse_decimal(trim(*one)).value_or(0) : 0;
  }
  auto const text = std::to_string(std::clamp(sum, usual, most));
  return trim(*now) == text ? Status{} : write_knob(path + "/" + knob, text);
}

std::string guest_of_cgroup(std::string_view path) {
  if (!path.starts_with('/') || !path.substr(1).starts_with(context_slice())) return {};
  path.remove_prefix(1 + context_slice().size());
  auto const parts = split(path, '/');  // "", NAME, "guest" or "", scope, "context", "guest"
  if (parts.size() >= 3 && parts[2] == "guest") return std::string{parts[1]};
  if (parts.size() < 4 || parts[2] != "context" || parts[3] != "guest") return {};
  std::string_view scope = parts[1];
  if (!scope.starts_with(kScopePrefix) || !scope.ends_with(kScopeSuffix)) return {};
  scope.remove_prefix(kScopePrefix.size());
  scope.remove_suffix(kScopeSuffix.size());
  return unescape_unit(scope);
}

std::vector<std::string> guests_with_cgroup(const CgroupHost& host) {
  std::vector<std::string> out;
  auto const slice =
      open_path(fmt::format("{}/{}", host.v2(), context_slice()), O_RDONLY | O_DIRECTORY);
  if (!slice) return out;
  auto const names = list_dir(*slice);
  if (!names) return out;
  for (auto const& name : *names) {
    for (const char* below : {"/guest", "/context/guest"}) {
      std::string const path = fmt::format("/{}/{}{}", context_slice(), name, below);
      if (vs::exists(host.v2() + path)) out.push_back(guest_of_cgroup(path));
    }
  }
  return out;
}

}  // namespace vs
