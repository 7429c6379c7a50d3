// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/limits.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "config/syntax.h"
#include "context/flags.h"

namespace vs {

namespace {

std::uint64_t times(std::uint64_t value, std::uint64_t unit) {
  std::uint64_t out = 0;
  return __builtin_mul_overflow(value, unit, &out) ? kUnlimited : out;
}

// rlimits/NAME sets all kinds alike, as far as there are such; .min, .soft and .hard override one.
Status read_rlimit(const Tree& tree, const std::string& path, LimitRequest& out) {
  std::string_view name = std::string_view{path}.substr(path.find('/') + 1);
  LimitKind kind = LimitKind::Hard;
  if (auto const dot = name.find('.'); dot != std::string_view::npos) {
    auto const suffix = name.substr(dot + 1);
    if (suffix == "min") kind = LimitKind::Min;
    if (suffix == "soft") kind = LimitKind::Soft;
    name = name.substr(0, dot);
  } else if (tree.flag(path + ".hard")) {
    return {};
  }
  auto const value = VS_TRY(tree.limit(path));
  if (!value || *value == kNoLimit) return {};
  const Resource* resource = find_resource(name);
  VS_CHECK(resource != nullptr);  // the table of keys has no other names
  out.limits.push_back({resource, kind, times(*value, unit_size(resource->unit)), path});
  return {};
}

// v1.x of the original: a flag makes limits of each process limits of the whole guest.
Status read_ulimits(const Tree& tree, std::uint64_t flags, LimitRequest& out) {
  auto const add = [&](const char* name) -> Status {
    auto limit = VS_TRY(tree.limit(fmt::format("ulimits/{}.hard", name)));
    if (!limit) limit = VS_TRY(tree.limit(fmt::format("ulimits/{}", name)));
    if (limit && *limit != kNoLimit) {
      out.limits.push_back(
          {find_resource(name), LimitKind::Hard, *limit, fmt::format("ulimits/{}", name)});
    }
    return {};
  };
  if ((flags & (cflag::kNproc | cflag::kUlimit)) != 0) VS_TRY(add("nproc"));
  if ((flags & cflag::kUlimit) != 0) VS_TRY(add("rss"));
  return {};
}

// Names in cgroup/ that are about the directory and not settings in it.
constexpr std::array<std::string_view, 6> kReserved{"mnt",  "subsys", "inherit",
                                                    "name", "base",   "per-ss"};

void read_knobs(const Tree& tree, std::string_view dir, std::string_view prefix, Knobs& out) {
  for (auto const& [path, value] : tree.values()) {
    if (!path.starts_with(dir)) continue;
    std::string const name = path.substr(dir.size());
    if (std::find(kReserved.begin(), kReserved.end(), name) != kReserved.end()) continue;
    if (name == "nocreate" || name == "virtualized") continue;
    auto const text = tree.raw(path);
    out[std::string{prefix} + name] = {text ? text->text : std::string{}, path};
  }
}

Result<bool> read_bucket_file(const Tree& tree, std::string_view name, std::int64_t& field) {
  auto const value = VS_TRY(tree.integer(fmt::format("sched/{}", name)));
  if (value) field = *value;
  return value.has_value();
}

Status read_sched(const Tree& tree, LimitRequest& out) {
  struct Field {
    std::string_view name;
    std::int64_t Bucket::*member;
  };
  constexpr std::array kFields{
      Field{"fill-rate", &Bucket::fill_rate},     Field{"interval", &Bucket::interval},
      Field{"fill-rate2", &Bucket::fill_rate2},   Field{"interval2", &Bucket::interval2},
      Field{"tokens", &Bucket::tokens},           Field{"tokens-min", &Bucket::tokens_min},
      Field{"tokens-max", &Bucket::tokens_max},   Field{"prio-bias", &Bucket::prio_bias},
      Field{"priority-bias", &Bucket::prio_bias},
  };
  Bucket bucket;
  bool any = false;
  for (auto const& field : kFields)
    any = VS_TRY(read_bucket_file(tree, field.name, bucket.*field.member)) || any;
  bucket.idle_time = tree.flag("sched/idle-time");
  if (any || bucket.idle_time) out.bucket = bucket;
  return {};
}

// Six lines: fill rate, interval, tokens, their minimum and maximum, priority bias.
Status read_schedule(const Tree& tree, LimitRequest& out) {
  auto const lines = tree.array("schedule");
  if (lines.empty()) return {};
  Bucket bucket;
  std::array const fields{&bucket.fill_rate,  &bucket.interval,   &bucket.tokens,
                          &bucket.tokens_min, &bucket.tokens_max, &bucket.prio_bias};
  if (lines.size() < fields.size())
    return wrong_value(lines.back(), "six numbers are wanted, one a line");
  for (std::size_t i = 0; i < fields.size(); ++i) {
    auto const n = integer_of(lines[i].text);
    if (!n) return wrong_value(lines[i], n.error().message());
    *fields[i] = *n;
  }
  out.bucket = bucket;
  return {};
}

bool has_dir(const Tree& tree, std::string_view dir) {
  return std::any_of(tree.values().begin(), tree.values().end(),
                     [&](const auto& entry) { return entry.first.starts_with(dir); });
}

}  // namespace

Result<LimitRequest> read_limit_request(const Tree& own, const Tree& defaults,
                                        std::uint64_t flags) {
  LimitRequest out;
  for (auto const& [path, value] : own.values()) {
    if (path.starts_with("rlimits/")) VS_TRY(read_rlimit(own, path, out));
  }
  VS_TRY(read_ulimits(own, flags, out));
  if (has_dir(own, "cgroup/")) {
    read_knobs(own, "cgroup/", "", out.knobs);
  } else if (!own.flag("nocgroup")) {
    read_knobs(defaults, "cgroup/", "", out.knobs);
  }
  read_knobs(own, "cpuset/", "cpuset.", out.knobs);
  out.knobs.erase("cpuset.name");
  if (has_dir(own, "sched/")) {
    VS_TRY(read_sched(own, out));
  } else {
    VS_TRY(read_schedule(own, out));
  }
  out.sched_hard = (flags & cflag::kSchedHard) != 0;
  out.sched_prio = (flags & cflag::kSchedPrio) != 0;
  out.sched_pause = (flags & cflag::kSchedPause) != 0;
  out.badness = VS_TRY(own.integer("badness"));
  return out;
}

Result<LimitPlan> plan_guest_limits(const GuestConfig& config, const CgroupHost& host) {
  auto const cpus = static_cast<unsigned>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)));
  return plan_limits(config.whole, host, cpus, config.userns);
}

std::vector<LimitEntry> process_limits(const GuestConfig& config, const LimitPlan& plan) {
  auto out = config.limits;
  for (auto const& limit : plan.each_process) {
    auto at = std::find_if(out.begin(), out.end(),
                           [&](const LimitEntry& e) { return e.resource == limit.resource; });
    if (at == out.end()) at = out.insert(out.end(), {limit.resource, limit.hard, limit.hard});
    at->hard = std::min<std::uint64_t>(at->hard, limit.hard);
    at->soft = std::min({at->soft, at->hard, limit.soft});
  }
  return out;
}

}  // namespace vs
