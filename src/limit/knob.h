// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sys/cgroup.h"

namespace vs {

// One file of a context's cgroup and what is written into it.
struct KnobWrite {
  std::string controller;  // "memory": finds the hierarchy
  std::string knob;
  std::string text;
  std::string source;  // what asked for it, for messages
  bool operator==(const KnobWrite&) const = default;
};

// A wanted setting by the name it has on cgroup v2.
struct KnobValue {
  std::string text;
  std::string source;
};
// By name: each knob once.
using Knobs = std::map<std::string, KnobValue, std::less<>>;

// The settings of a directory such as CONF/cgroup with names of either version, as v2 names where
// there is one. Names that only v1 has stay as they are. Fails with Errc::Config on a knob that
// is not for administrators (cgroup.procs) or no knob's name.
Result<Knobs> normalise_knobs(const Knobs& written);

// The writes for this host: as they are on v2, translated for controllers that are on v1. What
// this layout cannot do goes, with the reason, to `refused`.
std::vector<KnobWrite> translate_knobs(const CgroupHost& host, const Knobs& knobs,
                                       std::vector<std::string>& refused);

// What "no swap" leaves on v1, in bytes: with equal limits the kernel refuses at the sum of memory
// and swap, and counts no hit of memory.
inline constexpr std::uint64_t kV1NoSwap = 4096;

// cpu.weight (1..10000, 100 is usual) and the shares of v1 (2..262144, 1024 is usual).
std::uint64_t shares_of_weight(std::uint64_t weight);
std::uint64_t weight_of_shares(std::uint64_t shares);

}  // namespace vs
