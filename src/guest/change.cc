// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/change.h"

#include <fcntl.h>

#include <algorithm>
#include <optional>

#include "base/log.h"
#include "base/scope_exit.h"
#include "config/write.h"
#include "guest/bucket_loop.h"
#include "guest/config.h"
#include "guest/limits.h"
#include "guest/paths.h"
#include "guest/state.h"
#include "guest/sweep.h"
#include "limit/apply.h"
#include "limit/sockets.h"
#include "sys/file.h"

namespace vs {

namespace {

bool replaces(const WantedLimit& wanted, const LimitSetting& old) {
  return wanted.limit && wanted.limit->resource == old.resource && wanted.limit->kind == old.kind;
}

// The knob on cgroup v2 that this change ends in; empty when it is none.
std::string knob_of(const WantedLimit& wanted) {
  if (!wanted.limit) return wanted.knob;
  if (wanted.limit->resource->holder != Holder::Cgroup) return {};
  return std::string{knob_of(*wanted.limit->resource, wanted.limit->kind)};
}

// The request with the changes in it.
Result<LimitRequest> changed(LimitRequest request, std::span<const WantedLimit> wanted) {
  request.knobs = VS_TRY(normalise_knobs(request.knobs));
  for (auto const& one : wanted) {
    std::erase_if(request.limits, [&](const LimitSetting& old) { return replaces(one, old); });
    if (auto const knob = knob_of(one); !knob.empty()) request.knobs.erase(knob);
    if (one.limit) {
      request.limits.push_back(*one.limit);
    } else {
      request.knobs[one.knob] = {one.text, one.entry};
    }
  }
  return request;
}

// Of a whole request, what the changes touch. On v1 memory and swap bound each other: both go.
LimitRequest touched(const LimitRequest& request, std::span<const WantedLimit> wanted) {
  LimitRequest out;
  auto const is_memory = [](std::string_view knob) {
    return knob == "memory.max" || knob == "memory.swap.max";
  };
  bool const memory = std::any_of(wanted.begin(), wanted.end(),
                                  [&](const WantedLimit& w) { return is_memory(knob_of(w)); });
  auto const wants = [&](std::string_view knob) {
    return (memory && is_memory(knob)) ||
           std::any_of(wanted.begin(), wanted.end(),
                       [&](const WantedLimit& w) { return knob_of(w) == knob; });
  };
  for (auto const& limit : request.limits) {
    bool const same = std::any_of(wanted.begin(), wanted.end(), [&](const WantedLimit& w) {
      return w.limit && w.limit->resource == limit.resource;
    });
    bool const knob =
        limit.resource->holder == Holder::Cgroup && wants(knob_of(*limit.resource, limit.kind));
    if (same || knob) out.limits.push_back(limit);
  }
  for (auto const& [name, value] : request.knobs) {
    if (wants(name)) out.knobs[name] = value;
  }
  return out;
}

// A file of the configuration as it was.
struct Saved {
  std::string entry;
  std::optional<std::string> text;
};

Status restore(const std::string& dir, const Saved& saved) {
  if (!saved.text) return unset_entry(dir, saved.entry);
  return set_entry(dir, saved.entry, *saved.text);
}

Status change_entry(const std::string& dir, const std::string& entry,
                    const std::optional<std::string>& text, std::vector<Saved>& saved) {
  auto const now = read_file(fmt::format("{}/{}", dir, entry));
  if (!now && !text) return {};
  std::optional<std::string> old;
  if (now) old = now->ends_with('\n') ? now->substr(0, now->size() - 1) : *now;
  saved.push_back({entry, old});
  return text ? set_entry(dir, entry, *text) : unset_entry(dir, entry);
}

// Writes the entries; the one that another place kept for the same knob goes.
Status write_entries(const std::string& guest, std::span<const WantedLimit> wanted) {
  std::string const dir = config_dir(guest);
  std::vector<Saved> saved;
  Status done;
  for (auto const& one : wanted) {
    done = change_entry(dir, one.entry, one.entry_text, saved);
    auto const other = fmt::format("cgroup/{}", knob_of(one));
    if (done && one.limit && other != "cgroup/" && other != one.entry)
      done = change_entry(dir, other, std::nullopt, saved);
    if (!done) break;
  }
  if (done) return done;
  for (std::size_t i = saved.size(); i-- > 0;) {
    if (auto back = restore(dir, saved[i]); !back) warn("{}", back.error().message());
  }
  return done;
}

struct Running {
  RunState state;
  ContextCgroup cgroup;
};

Result<std::optional<Running>> find_running(const std::string& guest) {
  auto state = VS_TRY(RunDir::read_state(guest));
  ContextCgroup cgroup{VS_TRY(CgroupHost::find()), guest};
  if (!state || !cgroup.populated()) return std::optional<Running>{};
  return std::optional{Running{std::move(*state), std::move(cgroup)}};
}

Error not_running(const std::string& guest) {
  return Error::make(Errc::NotRunning, "guest '{}' is not running", guest);
}

// What a cgroup cannot hold is set on the processes and namespaces that are there.
Status change_rest(const Running& running, const LimitPlan& plan,
                   std::span<const WantedLimit> wanted, std::vector<std::string>& notes) {
  std::uint32_t const owner = running.state.userns ? running.state.xid << 16U : 0;
  if (plan.sockets) VS_TRY(limit_sockets(running.cgroup, *plan.sockets));
  VS_TRY(apply_ipc(running.state.init.pid, plan.ipc, owner));
  if (!plan.each_process.empty()) {
    auto const pids = VS_TRY(running.cgroup.processes());
    auto limits = plan.each_process;
    for (auto& limit : limits) {
      bool const soft = std::any_of(wanted.begin(), wanted.end(), [&](const WantedLimit& w) {
        return w.limit && w.limit->resource->rlimit == limit.resource &&
               w.limit->kind == LimitKind::Soft;
      });
      if (!soft) limit.soft = kUnlimited;  // keep what each process chose
    }
    VS_TRY(limit_processes(pids, limits, owner));
  }
  for (auto const& one : wanted) {
    if (one.limit && one.limit->resource->holder == Holder::UserNamespace) {
      notes.push_back(
          fmt::format("{}: the sum over the guest is bounded from its next start on; each process "
                      "at once",
                      one.limit->resource->name));
    }
  }
  return {};
}

}  // namespace

Status change_limits(const std::string& guest, std::span<const WantedLimit> wanted, Where where,
                     std::vector<std::string>& notes) {
  auto const run = VS_TRY(RunDir::lock(guest, 30));
  auto const config = VS_TRY(load_config(guest));
  auto running = VS_TRY(find_running(guest));
  if (where == Where::Now && !running) return not_running(guest);
  auto after = config;
  after.whole = VS_TRY(changed(config.whole, wanted));
  auto const host = VS_TRY(CgroupHost::find());
  VS_TRY(plan_guest_limits(after, host));
  after.whole = touched(after.whole, wanted);
  auto const plan = VS_TRY(plan_guest_limits(after, host));
  if (!plan.refused.empty()) return Error::make(Errc::Unsupported, "{}", plan.refused[0]);
  std::vector<KnobWrite> undo;
  if (running && where != Where::NextStart) {
    undo = VS_TRY(change_knobs(running->cgroup, plan.writes), "guest '{}'", guest);
    if (auto done = change_rest(*running, plan, wanted, notes); !done) {
      restore_knobs(running->cgroup, undo);
      return done;
    }
  }
  if (where == Where::Now) return {};
  for (auto const& what : VS_TRY(sweep_changes(run)))
    warn("guest '{}': {}", guest, what);
  auto written = write_entries(guest, wanted);
  if (!written && running) restore_knobs(running->cgroup, undo);
  return written;
}

Result<Bucket> bucket_of(const std::string& guest) {
  return VS_TRY(load_config(guest)).whole.bucket.value_or(Bucket{});
}

Status change_bucket(const std::string& guest, const Bucket& bucket) {
  auto const run = VS_TRY(RunDir::lock(guest, 30));
  auto config = VS_TRY(load_config(guest));
  auto running = VS_TRY(find_running(guest));
  if (!running) return not_running(guest);
  LimitRequest request;
  request.bucket = bucket;
  request.sched_hard = config.whole.sched_hard;
  request.sched_prio = config.whole.sched_prio;
  config.whole = std::move(request);
  auto plan = VS_TRY(plan_guest_limits(config, running->cgroup.host()));
  if (!plan.refused.empty()) return Error::make(Errc::Unsupported, "{}", plan.refused[0]);
  if (plan.writes.empty() && !plan.loop) {
    return Error::make(Errc::Unsupported, "guest '{}' has no bucket that holds it", guest)
        .hint("the flag sched_hard in its cflags makes one; a bias needs no flag");
  }
  VS_TRY(change_knobs(running->cgroup, plan.writes), "guest '{}'", guest);
  return follow_bucket(guest, plan.loop);
}

Status pause_guest(const std::string& guest, bool paused) {
  auto const running = VS_TRY(find_running(guest));
  if (!running) return not_running(guest);
  return set_paused(running->cgroup, paused);
}

namespace {

// What can only be read from inside the guest's namespaces is shown as it was set.
void take_configured(const LimitPlan& plan, Reading& reading) {
  auto const& resource = *reading.resource;
  if (resource.holder != Holder::IpcNamespace) return;
  reading.hard = kUnlimited;
  for (auto const& limit : plan.ipc) {
    auto const knob =
        limit.field < 0 ? limit.sysctl : fmt::format("{}/{}", limit.sysctl, limit.field);
    if (knob == resource.hard) reading.hard = limit.value * unit_size(resource.unit);
  }
}

}  // namespace

namespace {

constexpr const char* kHitsFile = "hits";  // lines "RESOURCE NUMBER": what does not count any more

// The kernel's counters only grow: what was there at the last reset is taken off.
void subtract_hits(const std::string& guest, std::vector<Reading>& readings) {
  auto const text = read_file(run_path(guest, kHitsFile));
  if (!text) return;
  for (auto& reading : readings) {
    auto const before = field_of(*text, reading.resource->name);
    if (reading.hits && before) *reading.hits -= std::min(*reading.hits, *before);
  }
}

}  // namespace

Status reset_hits(const std::string& guest) {
  auto const run = VS_TRY(RunDir::lock(guest, 30));
  auto const running = VS_TRY(find_running(guest));
  if (!running) return not_running(guest);
  std::string text;
  for (auto const& reading : read_resources(running->cgroup, {})) {
    if (reading.hits) text += fmt::format("{} {}\n", reading.resource->name, *reading.hits);
  }
  Fd const dir = VS_TRY(open_path(run_path(guest, "."), O_RDONLY | O_DIRECTORY));
  return replace_file_at(dir, kHitsFile, text);
}

Result<LimitReport> report_limits(const std::string& guest) {
  auto const config = VS_TRY(load_config(guest));
  auto const running = VS_TRY(find_running(guest));
  if (!running) {
    return not_running(guest).hint(
        fmt::format("'vserver {} config' shows what its next start will set", guest));
  }
  auto pids = VS_TRY(running->cgroup.processes());
  // Init first: its limits are those that all others were born with.
  auto const init = std::find(pids.begin(), pids.end(), running->state.init.pid);
  if (init != pids.end()) std::rotate(pids.begin(), init, init + 1);
  LimitReport out;
  out.readings = read_resources(running->cgroup, pids);
  subtract_hits(guest, out.readings);
  out.accounting = read_accounting(running->cgroup, pids);
  out.shares = read_shares(running->cgroup);
  auto const plan = VS_TRY(plan_guest_limits(config, running->cgroup.host()));
  for (auto& reading : out.readings)
    take_configured(plan, reading);
  out.refused = plan.refused;
  return out;
}

}  // namespace vs
