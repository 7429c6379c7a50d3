// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace vs {

// A token is the right to run one tick on one processor; a tick is 4 ms, as on the kernels of
// 250 Hz that most guests of the original ran on. Intervals are in ticks too.
inline constexpr std::int64_t kTickUs = 4000;

// The token bucket as the original's sched/ has it; the defaults are its own at 250 Hz. Every
// processor has such a bucket.
struct Bucket {
  std::int64_t fill_rate = 1;
  std::int64_t interval = 4;
  std::int64_t fill_rate2 = 1;  // fed in idle time
  std::int64_t interval2 = 8;
  std::int64_t tokens = 62;
  std::int64_t tokens_min = 15;
  std::int64_t tokens_max = 125;
  std::int64_t prio_bias = 0;  // -20 to 20
  bool idle_time = false;
  bool operator==(const Bucket&) const = default;
};

// The original's repairs of values that make no sense (kernel interface of set_sched).
Bucket repaired(Bucket bucket);

// What the kernel is told, for the whole guest on `cpus` processors, in microseconds.
struct Bandwidth {
  std::int64_t quota_us = 0;
  std::int64_t period_us = 0;
  std::int64_t burst_us = 0;
  // Processor time that tokens_max promises and quota + burst do not hold; 0 when all is there.
  std::int64_t beyond_us = 0;
  bool operator==(const Bandwidth&) const = default;
};

// quota / period = cpus * fill_rate / interval to 1 part in 1000; one refill is tokens_min, more
// when only that lets quota + burst hold tokens_max (the kernel wants burst <= quota and
// 1 ms <= period <= 1 s).
Bandwidth bandwidth_of(const Bucket& bucket, unsigned cpus);

// cpu.weight of a nice value, clamped to -20..19; 100 for 0.
std::uint64_t weight_of_nice(std::int64_t nice);

}  // namespace vs
