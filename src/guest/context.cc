// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/context.h"

#include <linux/capability.h>
#include <sched.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>

#include "base/log.h"
#include "base/text.h"
#include "config/write.h"
#include "context/capability.h"
#include "context/device.h"
#include "context/flags.h"
#include "context/seccomp.h"
#include "guest/config.h"
#include "guest/context_run.h"
#include "guest/limits.h"
#include "guest/paths.h"
#include "guest/state.h"
#include "limit/apply.h"
#include "sys/file.h"
#include "sys/privilege.h"

namespace vs {

const std::uint32_t kContextSpaces = CLONE_NEWPID | CLONE_NEWNS;
const std::uint32_t kDefaultSpaces = CLONE_NEWUTS | CLONE_NEWIPC;

namespace {

constexpr std::uint32_t kFirstDynamic = 49152;

Status write_config(const std::string& name, const ContextWish& wish, std::uint32_t xid) {
  std::string const dir = config_dir(name);
  VS_TRY(make_dirs(dir, 0700));
  if (::symlink("/", (dir + "/vdir").c_str()) != 0 && errno != EEXIST)
    return Error::system(errno, "link {}/vdir", dir);
  auto const list = [](std::uint64_t value) { return fmt::format("~all,{:#x}", value); };
  VS_TRY(set_entry(dir, "context", std::to_string(xid)));
  VS_TRY(set_entry(dir, "userns", "off"));
  VS_TRY(set_entry(dir, "bcapabilities", list(wish.capabilities)));
  VS_TRY(set_entry(dir, "ccapabilities", list(wish.context_capabilities)));
  VS_TRY(set_entry(dir, "cflags", list(wish.flags)));
  if (!wish.hostname.empty()) VS_TRY(set_entry(dir, "uts/nodename", wish.hostname));
  if (!wish.domainname.empty()) VS_TRY(set_entry(dir, "uts/domainname", wish.domainname));
  return {};
}

// Claims the xid for the run of this name, which carries it.
Result<std::uint32_t> claim(std::optional<Xid> wanted) {
  if (wanted) {
    auto claimed = claim_xid(context_name(wanted->value()), wanted);
    if (!claimed) return std::move(claimed).error();
    return wanted->value();
  }
  for (std::uint32_t n = kFirstDynamic; n <= Xid::kMax; ++n) {
    if (guest_of(n)) continue;
    if (claim_xid(context_name(n), VS_TRY(Xid::make(n)))) return n;
  }
  return Error::make(Errc::Busy, "no context id is free");
}

Status set_up(const RunDir& run, const ContextWish& wish, std::uint32_t xid) {
  RunState state;
  state.xid = xid;
  state.config = config_dir(run.name());
  state.userns = false;
  state.ns_flags = kContextSpaces | wish.spaces;
  state.started = ::time(nullptr);
  VS_TRY(run.write(state));
  VS_TRY(write_config(run.name(), wish, xid));
  auto const config = VS_TRY(load_config(run.name()));
  ContextCgroup cgroup{VS_TRY(CgroupHost::find()), run.name()};
  auto limits = VS_TRY(plan_guest_limits(config, cgroup.host()));
  VS_TRY(cgroup.create());
  VS_TRY(cgroup.enable());
  VS_TRY(apply_plan(cgroup, limits));
  if (!limits.refused.empty()) return Error::make(Errc::Unsupported, "{}", limits.refused[0]);
  if (limits.paused) VS_TRY(set_paused(cgroup, true));
  return {};
}

void take_away(const RunDir& run, std::uint32_t xid) {
  auto const host = CgroupHost::find();
  if (host) {
    auto done = ContextCgroup{*host, run.name()}.remove();
    if (!done) debug("{}", done.error().message());
  }
  if (auto done = run.clear(); !done) warn("{}", done.error().message());
  release_xid(run.name(), xid);
}

bool is_persistent(const std::string& name) {
  auto const config = load_config(name);
  return config && (config->context_flags & cflag::kPersistent) != 0;
}

}  // namespace

bool has_ended(const std::string& name) {
  auto const host = CgroupHost::find();
  return host && !ContextCgroup{*host, name}.populated() && !is_persistent(name);
}

void collect_context(const std::string& name) {
  auto const run = RunDir::lock(name, 30);
  if (!run || !has_ended(name)) return;
  auto const state = RunDir::read_state(name);
  take_away(*run, state && *state ? (*state)->xid : 0);
}

void collect_contexts() {
  auto const dir = open_path(Paths::get().run + "/guests", O_RDONLY | O_DIRECTORY);
  if (!dir) return;
  auto const names = list_dir(*dir);
  if (!names) return;
  for (auto const& name : *names) {
    if (!is_context_name(name) || !has_ended(name)) continue;
    // One that is being made holds its lock and is left alone.
    auto lock = try_lock_file(fmt::format("{}/lock/{}", Paths::get().run, name));
    if (!lock || !*lock) continue;
    auto const state = RunDir::read_state(name);
    auto run = RunDir::adopt(name, std::move(*lock));
    take_away(run, state && *state ? (*state)->xid : 0);
  }
}

Result<std::uint32_t> make_context(const ContextWish& wish) {
  auto const refused = refused_flags(context_flags(), wish.flags & ~cflag::kPersistent);
  if (!refused.empty()) return Error::make(Errc::Unsupported, "{}", refused[0]);
  collect_contexts();
  auto const xid = VS_TRY(claim(wish.xid));
  auto const run = VS_TRY(RunDir::lock(context_name(xid), 30));
  // A claim of the same name succeeds: asked under the lock, what is there decides.
  if (VS_TRY(run.read())) return Error::make(Errc::Busy, "there is a context {} already", xid);
  if (auto done = set_up(run, wish, xid); !done) {
    take_away(run, xid);
    return std::move(done).error();
  }
  return xid;
}

Result<std::string> own_context() {
  constexpr std::string_view kUnified = "0::";
  auto const text = VS_TRY(read_file("/proc/self/cgroup"));
  for (auto const line : split_lines(text)) {
    if (line.starts_with(kUnified)) return guest_of_cgroup(line.substr(kUnified.size()));
  }
  return std::string{};
}

Result<std::uint32_t> own_xid() {
  auto const name = VS_TRY(own_context());
  if (name.empty()) return kHostXid;
  if (name == context_name(kSpectatorXid)) return kSpectatorXid;
  auto const state = VS_TRY(RunDir::read_state(name));
  return state ? state->xid : kHostXid;
}

namespace {

// The user that is context 1's root: no process of the host or of a guest has this id.
constexpr std::uint32_t kSpectatorUid = kSpectatorXid << 16U;
constexpr std::uint64_t kSpectatorCapabilities =
    1ULL << CAP_DAC_READ_SEARCH | 1ULL << CAP_SYS_PTRACE;

// So that listings tell these processes from the host's own.
Status join_spectators() {
  auto const host = VS_TRY(CgroupHost::find());
  auto const path =
      fmt::format("{}/{}/{}/guest", host.v2(), context_slice(), context_name(kSpectatorXid));
  VS_TRY(make_dirs(path));
  return write_knob(path + "/cgroup.procs", "0");
}

}  // namespace

Error become_spectator(const std::vector<std::string>& argv) {
  auto const give_up = [&]() -> Status {
    VS_TRY(join_spectators());
    auto const filter = VS_TRY(compile_spectator_seccomp());
    VS_TRY(bound_capabilities(kSpectatorCapabilities | 1ULL << CAP_SETUID | 1ULL << CAP_SETGID |
                              1ULL << CAP_SETPCAP));
    VS_TRY(become_user({kSpectatorUid, kSpectatorUid, {}},
                       kSpectatorCapabilities | 1ULL << CAP_SETPCAP));
    VS_TRY(bound_capabilities(kSpectatorCapabilities));
    VS_TRY(forbid_new_privileges());
    return load_filter(filter);
  };
  if (auto done = give_up(); !done) return std::move(done).error().context("become the spectator");
  return exec_words(argv);
}

}  // namespace vs
