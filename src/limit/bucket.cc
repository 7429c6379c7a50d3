// SPDX-License-Identifier: GPL-2.0-or-later
#include "limit/bucket.h"

#include <algorithm>
#include <array>

namespace vs {

namespace {

constexpr std::int64_t kTicksPerSecond = 1'000'000 / kTickUs;
constexpr std::int64_t kMinPeriodUs = 10'000;  // below, the kernel's own slices of 5 ms show
constexpr std::int64_t kMaxPeriodUs = 1'000'000;

// The scheduler's table (sched_prio_to_weight) for nice -20 to 19.
constexpr std::array<std::int64_t, 40> kNiceWeights{
    88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916, 9548, 7620, 6100, 4904,
    3906,  3121,  2501,  1991,  1586,  1277,  1024,  820,   655,   526,   423,  335,  272,  215,
    172,   137,   110,   87,    70,    56,    45,    36,    29,    23,    18,   15};

}  // namespace

Bucket repaired(Bucket bucket) {
  if (bucket.fill_rate < 1) bucket.fill_rate = 1;
  if (bucket.fill_rate2 < 0) bucket.fill_rate2 = 0;
  if (bucket.interval <= 0) bucket.interval = kTicksPerSecond;
  if (bucket.interval2 <= 0) bucket.interval2 = kTicksPerSecond;
  if (bucket.tokens_max <= 0) bucket.tokens_max = kTicksPerSecond;
  if (bucket.tokens_min < 0) bucket.tokens_min = kTicksPerSecond / 3;
  bucket.tokens_min = std::min(bucket.tokens_min, bucket.tokens_max);
  bucket.tokens = std::clamp<std::int64_t>(bucket.tokens, 0, bucket.tokens_max);
  bucket.prio_bias = std::clamp<std::int64_t>(bucket.prio_bias, -20, 20);
  return bucket;
}

Bandwidth bandwidth_of(const Bucket& wanted, unsigned cpus) {
  Bucket const bucket = repaired(wanted);
  // More than all of every processor is all of it.
  auto const rate = std::min(bucket.fill_rate, bucket.interval);
  auto const quota_for = [&](std::int64_t period) {
    return std::max<std::int64_t>(1000, period * rate * cpus / bucket.interval);
  };
  auto const period_for = [&](std::int64_t tokens) {
    return std::clamp(tokens * kTickUs * bucket.interval / rate, kMinPeriodUs, kMaxPeriodUs);
  };
  auto const capacity = bucket.tokens_max * kTickUs * cpus;
  // Half of tokens_max as one refill, and the other half as burst, is the most the kernel takes.
  Bandwidth out;
  out.period_us = std::max(period_for(std::max<std::int64_t>(bucket.tokens_min, 1)),
                           period_for((bucket.tokens_max + 1) / 2));
  out.quota_us = quota_for(out.period_us);
  out.burst_us = std::clamp<std::int64_t>(capacity - out.quota_us, 0, out.quota_us);
  out.beyond_us = std::max<std::int64_t>(0, capacity - out.quota_us - out.burst_us);
  return out;
}

std::uint64_t weight_of_nice(std::int64_t nice) {
  auto const at = static_cast<std::size_t>(std::clamp<std::int64_t>(nice, -20, 19) + 20);
  return static_cast<std::uint64_t>(
      std::clamp<std::int64_t>((kNiceWeights[at] * 100 + 512) / 1024, 1, 10'000));
}

}  // namespace vs
