// SPDX-License-Identifier: GPL-2.0-or-later
#include "limit/knob.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/text.h"
#include "limit/resource.h"

namespace vs {

namespace {

// How the text of one version becomes that of the other.
enum class As : std::uint8_t {
  Same,
  MinusOne,  // "max" is -1 on v1
  Weight,    // cpu.weight and cpu.shares
  Bfq,       // io.weight reaches 10000, BFQ's own 1000
};

struct Row {
  std::string_view v2;
  std::string_view controller;     // of v2
  std::string_view v1_controller;  // whose hierarchy has it on v1
  std::string_view v1;             // empty: v1 has no such thing
  As as;
  std::string_view why;  // what is lost on v1
};

constexpr std::string_view kNoProtection = "cgroup v1 cannot protect memory from reclaim";

// clang-format off
constexpr auto kRows = std::to_array<Row>({
    {"memory.max", "memory", "memory", "memory.limit_in_bytes", As::MinusOne, ""},
    {"memory.high", "memory", "memory", "memory.soft_limit_in_bytes", As::MinusOne, ""},
    {"memory.min", "memory", "memory", "", As::Same, kNoProtection},
    {"memory.low", "memory", "memory", "", As::Same, kNoProtection},
    {"memory.swap.high", "memory", "memory", "", As::Same, "cgroup v1 has no soft limit of swap"},
    {"memory.oom.group", "memory", "memory", "", As::Same, "cgroup v1 kills one process at a time"},
    {"memory.zswap.max", "memory", "memory", "", As::Same, "cgroup v1 does not know zswap"},
    {"pids.max", "pids", "pids", "pids.max", As::Same, ""},
    {"cpu.max.burst", "cpu", "cpu", "cpu.cfs_burst_us", As::Same, ""},
    {"cpu.weight", "cpu", "cpu", "cpu.shares", As::Weight, ""},
    {"cpu.idle", "cpu", "cpu", "cpu.idle", As::Same, ""},
    {"cpuset.cpus", "cpuset", "cpuset", "cpuset.cpus", As::Same, ""},
    {"cpuset.mems", "cpuset", "cpuset", "cpuset.mems", As::Same, ""},
    {"io.weight", "io", "blkio", "blkio.bfq.weight", As::Bfq, ""},
});

// The throttle files of v1 and the words of io.max.
constexpr std::array<std::array<std::string_view, 2>, 4> kThrottle{{
    {"rbps", "blkio.throttle.read_bps_device"}, {"wbps", "blkio.throttle.write_bps_device"},
    {"riops", "blkio.throttle.read_iops_device"}, {"wiops", "blkio.throttle.write_iops_device"}}};
// clang-format on

const Row* find_v2(std::string_view name) {
  auto const* row =
      std::find_if(kRows.begin(), kRows.end(), [&](const Row& r) { return r.v2 == name; });
  return row != kRows.end() ? row : nullptr;
}

const Row* find_v1(std::string_view name) {
  auto const* row = std::find_if(kRows.begin(), kRows.end(),
                                 [&](const Row& r) { return !r.v1.empty() && r.v1 == name; });
  return row != kRows.end() ? row : nullptr;
}

std::string to_v1(const Row& row, std::string_view text) {
  switch (row.as) {
    case As::MinusOne: return text == "max" ? "-1" : std::string{text};
    case As::Weight:
      if (auto const weight = parse_decimal(text)) return std::to_string(shares_of_weight(*weight));
      return std::string{text};
    case As::Bfq:
      if (auto const weight = parse_decimal(text)) {
        constexpr std::uint64_t kMostBfq = 1000;
        return std::to_string(std::min(*weight, kMostBfq));
      }
      return std::string{text};
    case As::Same: return std::string{text};
  }
  return {};
}

std::string to_v2(const Row& row, std::string_view text) {
  switch (row.as) {
    case As::MinusOne: return text.starts_with('-') ? "max" : std::string{text};
    case As::Weight:
      if (auto const shares = parse_decimal(text)) return std::to_string(weight_of_shares(*shares));
      return std::string{text};
    case As::Bfq:
    case As::Same: return std::string{text};
  }
  return {};
}

std::string_view controller_of(std::string_view knob) {
  return knob.substr(0, knob.find('.'));
}

const KnobValue* find(const Knobs& knobs, std::string_view name) {
  auto const at = knobs.find(name);
  return at != knobs.end() ? &at->second : nullptr;
}

// cpu.max: "QUOTA [PERIOD]" is two files on v1.
void cpu_max_to_v1(const KnobValue& value, std::vector<KnobWrite>& out) {
  auto const words = split_words(value.text);
  if (words.size() > 1)
    out.push_back({"cpu", "cpu.cfs_period_us", std::string{words[1]}, value.source});
  if (!words.empty()) {
    out.push_back({"cpu", "cpu.cfs_quota_us", words[0] == "max" ? "-1" : std::string{words[0]},
                   value.source});
  }
}

// One line of io.max for each device: "8:0 rbps=1048576 wiops=max".
void io_max_to_v1(const KnobValue& value, std::vector<KnobWrite>& out) {
  for (auto const line : split_lines(value.text)) {
    auto const words = split_words(line);
    for (std::size_t i = 1; i < words.size(); ++i) {
      auto const equals = words[i].find('=');
      for (auto const& row : kThrottle) {
        if (equals == std::string_view::npos || words[i].substr(0, equals) != row[0]) continue;
        auto const number = words[i].substr(equals + 1);
        out.push_back({"blkio", std::string{row[1]},
                       fmt::format("{} {}", words[0], number == "max" ? "0" : number),
                       value.source});
      }
    }
  }
}

// On v1 swap is bounded together with memory: memsw = memory.max + memory.swap.max.
void swap_to_v1(const Knobs& knobs, const KnobValue& swap, std::vector<KnobWrite>& out,
                std::vector<std::string>& refused) {
  const KnobValue* memory = find(knobs, "memory.max");
  auto const limit = parse_amount(memory != nullptr ? memory->text : "max");
  auto const extra = parse_amount(swap.text);
  if (!limit || !extra) return refused.push_back(swap.source + ": not an amount");
  if (*extra == kUnlimited)
    return out.push_back({"memory", "memory.memsw.limit_in_bytes", "-1", swap.source});
  if (*limit == kUnlimited) {
    return refused.push_back(swap.source +
                             ": cgroup v1 bounds swap only together with a memory limit");
  }
  out.push_back({"memory", "memory.memsw.limit_in_bytes",
                 std::to_string(*limit + std::max(*extra, kV1NoSwap)), swap.source});
}

void one_to_v1(const Row& row, const KnobValue& value, std::vector<KnobWrite>& out,
               std::vector<std::string>& refused) {
  if (row.v1.empty()) return refused.push_back(fmt::format("{}: {}", value.source, row.why));
  out.push_back(
      {std::string{row.v1_controller}, std::string{row.v1}, to_v1(row, value.text), value.source});
}

bool is_plain_name(std::string_view name) {
  return name.find('.') != std::string_view::npos && !name.starts_with('.') &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '_';
         });
}

bool is_forbidden(std::string_view name) {
  return name.starts_with("cgroup.") && name != "cgroup.max.depth" &&
         name != "cgroup.max.descendants" && name != "cgroup.pressure";
}

// v1 names whose v2 counterpart needs more than one of them.
void join_v1_names(const Knobs& written, Knobs& out) {
  if (auto const* quota = find(written, "cpu.cfs_quota_us")) {
    auto const* period = find(written, "cpu.cfs_period_us");
    out["cpu.max"] = {fmt::format("{} {}", quota->text.starts_with('-') ? "max" : quota->text,
                                  period != nullptr ? period->text : "100000"),
                      quota->source};
  }
  if (auto const* both = find(written, "memory.memsw.limit_in_bytes")) {
    auto const* memory = find(written, "memory.limit_in_bytes");
    auto const sum = parse_amount(both->text);
    auto const limit = parse_amount(memory != nullptr ? memory->text : "max");
    if (sum && limit && *limit <= *sum)
      out["memory.swap.max"] = {std::to_string(*sum - *limit), both->source};
  }
  for (auto const& row : kThrottle) {
    auto const* value = find(written, row[1]);
    if (value == nullptr) continue;
    auto& text = out["io.max"];
    for (auto const line : split_lines(value->text)) {
      auto const words = split_words(line);
      if (words.size() != 2) continue;
      text.text += fmt::format("{}{} {}={}", text.text.empty() ? "" : "\n", words[0], row[0],
                               words[1] == "0" ? "max" : words[1]);
    }
    text.source = value->source;
  }
}

bool is_joined(std::string_view name) {
  return name == "cpu.cfs_quota_us" || name == "cpu.cfs_period_us" ||
         name == "memory.memsw.limit_in_bytes" ||
         std::any_of(kThrottle.begin(), kThrottle.end(),
                     [&](const auto& row) { return row[1] == name; });
}

}  // namespace

std::uint64_t shares_of_weight(std::uint64_t weight) {
  weight = std::clamp<std::uint64_t>(weight, 1, 10'000);
  return std::max<std::uint64_t>(2, (weight * 1024 + 50) / 100);
}

std::uint64_t weight_of_shares(std::uint64_t shares) {
  return std::clamp<std::uint64_t>((shares * 100 + 512) / 1024, 1, 10'000);
}

Result<Knobs> normalise_knobs(const Knobs& written) {
  Knobs out;
  join_v1_names(written, out);
  for (auto const& [name, value] : written) {
    if (is_joined(name)) continue;
    if (!is_plain_name(name) || is_forbidden(name)) {
      return Error::make(Errc::Config, "{}: '{}' is no setting of a control group", value.source,
                         name);
    }
    if (const Row* row = find_v2(name) == nullptr ? find_v1(name) : nullptr) {
      out[std::string{row->v2}] = {to_v2(*row, value.text), value.source};
    } else {
      out[name] = value;
    }
  }
  return out;
}

std::vector<KnobWrite> translate_knobs(const CgroupHost& host, const Knobs& knobs,
                                       std::vector<std::string>& refused) {
  std::vector<KnobWrite> out;
  for (auto const& [name, value] : knobs) {
    const Row* row = find_v2(name);
    if (row != nullptr && host.is_v1(row->v1_controller)) {
      one_to_v1(*row, value, out, refused);
    } else if (name == "cpu.max" && host.is_v1("cpu")) {
      cpu_max_to_v1(value, out);
    } else if (name == "io.max" && host.is_v1("blkio")) {
      io_max_to_v1(value, out);
    } else if (name == "memory.swap.max" && host.is_v1("memory")) {
      swap_to_v1(knobs, value, out, refused);
    } else if (name == "io.max") {
      // One write takes one line.
      for (auto const line : split_lines(value.text))
        out.push_back({"io", name, std::string{line}, value.source});
    } else {
      out.push_back({std::string{controller_of(name)}, name, value.text, value.source});
    }
  }
  return out;
}

}  // namespace vs
