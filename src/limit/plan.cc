// SPDX-License-Identifier: GPL-2.0-or-later
#include "limit/plan.h"

#include <algorithm>

#include "base/text.h"

namespace vs {

namespace {

std::string to_text(std::uint64_t value) {
  return value == kUnlimited ? std::string{"max"} : std::to_string(value);
}

// Two places may ask for one knob: the lower limit holds.
void want_knob(Knobs& knobs, std::string_view name, std::uint64_t value,
               const std::string& source) {
  auto [at, fresh] = knobs.try_emplace(std::string{name}, KnobValue{to_text(value), source});
  if (fresh) return;
  auto const before = parse_amount(at->second.text);
  if (!before || *before > value) at->second = {to_text(value), source};
}

// The same for limits of processes.
void want_rlimit(std::vector<ProcessLimit>& out, int resource, LimitKind kind,
                 std::uint64_t value) {
  auto at = std::find_if(out.begin(), out.end(),
                         [&](const ProcessLimit& l) { return l.resource == resource; });
  if (at == out.end()) at = out.insert(out.end(), {resource, kUnlimited, kUnlimited});
  if (kind == LimitKind::Hard) at->hard = std::min(at->hard, value);
  at->soft = std::min({at->soft, value, at->hard});
}

void want_ipc(std::vector<IpcLimit>& out, std::string_view knob, const LimitSetting& setting) {
  IpcLimit limit;
  auto const slash = knob.find('/');
  limit.sysctl = knob.substr(0, slash);
  if (slash != std::string_view::npos)
    limit.field = static_cast<int>(parse_decimal(knob.substr(slash + 1)).value_or(0));
  limit.value = std::min<std::uint64_t>(setting.value, 0x7fffffff);
  if (setting.resource->unit == Unit::Pages) limit.value = setting.value / unit_size(Unit::Pages);
  limit.source = setting.source;
  out.push_back(std::move(limit));
}

void plan_one(const LimitSetting& setting, bool userns, Knobs& knobs, LimitPlan& out) {
  auto const& resource = *setting.resource;
  auto const refuse = [&](std::string_view why) {
    out.refused.push_back(fmt::format("{}: {}", setting.source, why));
  };
  if (resource.holder == Holder::Nothing) return refuse(resource.note);
  auto const knob = knob_of(resource, setting.kind);
  if (knob.empty())
    return refuse(fmt::format("{} has no {} limit", resource.name, kind_name(setting.kind)));
  switch (resource.holder) {
    case Holder::Cgroup: return want_knob(knobs, knob, setting.value, setting.source);
    case Holder::EachProcess:
      return want_rlimit(out.each_process, resource.rlimit, setting.kind, setting.value);
    case Holder::UserNamespace:
      if (!userns) return refuse("only a user namespace of the guest's own counts it (userns off)");
      want_rlimit(out.user_namespace, resource.rlimit, setting.kind, setting.value);
      return want_rlimit(out.each_process, resource.rlimit, setting.kind, setting.value);
    case Holder::IpcNamespace: return want_ipc(out.ipc, knob, setting);
    case Holder::Program:
      out.sockets = std::min(out.sockets.value_or(kUnlimited), setting.value);
      return;
    case Holder::Nothing: return;
  }
}

Status plan_bucket(const LimitRequest& request, unsigned cpus, Knobs& knobs, LimitPlan& out) {
  Bucket const bucket = repaired(request.bucket.value_or(Bucket{}));
  if (request.sched_hard) {
    if (auto const at = knobs.find("cpu.max"); at != knobs.end()) {
      return Error::make(Errc::Config, "{} and the flag sched_hard both bound the processor time",
                         at->second.source)
          .hint("keep one: remove the file, or sched_hard from cflags");
    }
    bool const loop = needs_loop(bucket, cpus, true, request.sched_prio);
    auto const band = loop ? loop_base(bucket, cpus) : bandwidth_of(bucket, cpus);
    knobs["cpu.max"] = {fmt::format("{} {}", band.quota_us, band.period_us), "sched_hard"};
    knobs["cpu.max.burst"] = {std::to_string(band.burst_us), "sched_hard"};
  }
  if (request.bucket && bucket.prio_bias != 0) {
    knobs.try_emplace("cpu.weight", KnobValue{std::to_string(weight_of_nice(bucket.prio_bias)),
                                              "sched/prio-bias"});
  }
  out.paused = request.sched_pause;
  if (needs_loop(bucket, cpus, request.sched_hard, request.sched_prio))
    out.loop = LimitPlan::Loop{bucket, cpus, request.sched_hard, request.sched_prio};
  return {};
}

}  // namespace

Result<LimitPlan> plan_limits(const LimitRequest& request, const CgroupHost& host, unsigned cpus,
                              bool userns) {
  LimitPlan out;
  Knobs knobs = VS_TRY(normalise_knobs(request.knobs));
  for (auto const& setting : request.limits)
    plan_one(setting, userns, knobs, out);
  if (auto const at = knobs.find("cpuset.cpus"); at != knobs.end())
    cpus = VS_TRY(count_cpus(at->second.text), "{}", at->second.source);
  VS_TRY(plan_bucket(request, cpus, knobs, out));
  if (request.badness) {
    if (*request.badness < -1000 || *request.badness > 1000) {
      return Error::make(Errc::Config, "badness: {} is not between -1000 and 1000",
                         *request.badness);
    }
    out.oom_score_adj = static_cast<int>(*request.badness);
  }
  out.writes = translate_knobs(host, knobs, out.refused);
  return out;
}

Result<unsigned> count_cpus(std::string_view list) {
  unsigned n = 0;
  for (auto const part : split(trim(list), ',')) {
    auto const dash = part.find('-');
    auto const first = parse_decimal(part.substr(0, dash));
    auto const last = dash == std::string_view::npos ? first : parse_decimal(part.substr(dash + 1));
    if (!first || !last || *last < *first || *last > 65535)
      return Error::make(Errc::Config, "'{}' is not a list of processors such as 0-3,8", list);
    n += static_cast<unsigned>(*last - *first + 1);
  }
  return n;
}

}  // namespace vs
