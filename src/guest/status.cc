// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/status.h"

#include <time.h>
#include <unistd.h>

#include <optional>

#include "base/text.h"
#include "guest/context.h"
#include "guest/paths.h"
#include "sys/file.h"

namespace vs {

std::string display_name(const std::string& guest) {
  auto const text = read_file(config_dir(guest) + "/name");
  auto const name = text ? trim(first_line(*text)) : std::string_view{};
  if (name.empty() && is_context_name(guest)) return {};
  return name.empty() ? guest : printable(name);
}

namespace {

GuestBrief brief_of(const std::string& name, const std::optional<RunState>& state, bool running) {
  GuestBrief out;
  out.name = name;
  out.running = running;
  if (!state) return out;
  out.xid = state->xid;
  if (!running) return out;
  out.stopping = state->phase == Phase::Stopping;
  out.uptime_s = ::time(nullptr) - state->started;
  return out;
}

}  // namespace

Result<GuestBriefs> GuestBriefs::open() {
  return GuestBriefs{ContextSlice::open(VS_TRY(CgroupHost::find())), VS_TRY(RunDir::open_runs())};
}

Result<GuestBrief> GuestBriefs::read(const std::string& name) {
  auto const state = VS_TRY(RunDir::read_state(runs_, name));
  return brief_of(name, state, slice_.populated(name));
}

Result<GuestStatus> guest_status(const std::string& name) {
  auto const state = VS_TRY(RunDir::read_state(name));
  ContextCgroup const cgroup{VS_TRY(CgroupHost::find()), name};
  GuestStatus out;
  static_cast<GuestBrief&>(out) = brief_of(name, state, cgroup.populated());
  if (!out.running) return out;
  out.processes = VS_TRY(cgroup.processes()).size();
  if (!state) return out;
  auto const guard = identify(state->guard.pid);
  out.guarded = guard && *guard == state->guard;
  out.ready = exists(run_path(name, "ready"));
  return out;
}

const ContextOf& ContextMap::find(int pid) {
  static const ContextOf kGone{0, "ERR"};
  static const ContextOf kHost{0, "MAIN"};
  static const ContextOf kSpectator{kSpectatorXid, "ALL_PROC"};
  constexpr std::string_view kUnified = "0::";
  auto const text = read_file(fmt::format("/proc/{}/cgroup", pid));
  if (!text) return kGone;
  auto const at = text->starts_with(kUnified) ? 0 : text->find("\n0::") + 1;
  std::string_view const path = std::string_view{*text}.substr(at + kUnified.size());
  std::string const name = guest_of_cgroup(path.substr(0, path.find('\n')));
  if (name.empty()) return kHost;
  if (name == context_name(kSpectatorXid)) return kSpectator;
  auto const known = known_.find(name);
  if (known != known_.end()) return known->second;
  auto const state = RunDir::read_state(name);
  std::uint32_t const xid = state && *state ? (*state)->xid : 0;
  return known_.emplace(name, ContextOf{xid, name}).first->second;
}

}  // namespace vs
