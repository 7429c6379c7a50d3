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

bool needs_loop(const Bucket& bucket, unsigned cpus, bool hard, bool prio) {
  return prio || (hard && (bucket.idle_time || bandwidth_of(bucket, cpus).beyond_us > 0));
}

Bandwidth loop_base(const Bucket& wanted, unsigned cpus) {
  constexpr std::int64_t kMostUs = 100'000;
  Bandwidth out = bandwidth_of(wanted, cpus);
  if (out.period_us <= kMostUs) return out;
  Bucket const bucket = repaired(wanted);
  auto const rate = std::min(bucket.fill_rate, bucket.interval);
  out.period_us = kMostUs;
  out.quota_us = std::max<std::int64_t>(1000, kMostUs * rate * cpus / bucket.interval);
  auto const capacity = bucket.tokens_max * kTickUs * cpus;
  out.burst_us = std::clamp<std::int64_t>(capacity - out.quota_us, 0, out.quota_us);
  out.beyond_us = std::max<std::int64_t>(0, capacity - out.quota_us - out.burst_us);
  return out;
}

BucketMeter::BucketMeter(const Bucket& bucket, unsigned cpus)
    : bucket_{repaired(bucket)},
      cpus_{cpus},
      base_{loop_base(bucket_, cpus)},
      most_us_{bucket_.tokens_max * kTickUs * cpus_},
      fill_us_{std::min(most_us_, bucket_.tokens * kTickUs * cpus_)} {}

void BucketMeter::pass(std::int64_t elapsed_us, std::int64_t used_us, std::int64_t idle_us) {
  fill_us_ += elapsed_us * cpus_ * std::min(bucket_.fill_rate, bucket_.interval) / bucket_.interval;
  if (bucket_.idle_time && elapsed_us > 0) {
    idle_us = std::clamp<std::int64_t>(idle_us, 0, elapsed_us * cpus_);
    fill_us_ += idle_us * std::min(bucket_.fill_rate2, bucket_.interval2) / bucket_.interval2;
    // Smoothed over some ten rounds: the bound is not to follow every moment.
    auto const now = idle_us * 1'000'000 / elapsed_us;
    idle_us_ += (now - idle_us_) / 8;
  }
  fill_us_ = std::clamp<std::int64_t>(fill_us_ - used_us, 0, most_us_);
  // What the kernel saves up by itself is not given twice.
  auto const beyond = fill_us_ - base_.quota_us - base_.burst_us;
  if (beyond <= 0) beyond_ = false;
  if (beyond > base_.quota_us / 4) beyond_ = true;
}

Bandwidth BucketMeter::bound() const {
  Bandwidth out = base_;
  if (bucket_.idle_time) {
    auto const rate = std::min(bucket_.fill_rate2, bucket_.interval2);
    auto const more = idle_us_ * rate / bucket_.interval2 * base_.period_us / 1'000'000;
    // In steps: each write of a bound refills it.
    auto const step = std::max<std::int64_t>(base_.quota_us / 4, 1000);
    out.quota_us += more / step * step;
  }
  if (beyond_) out.quota_us += fill_us_ - base_.quota_us - base_.burst_us;
  out.quota_us = std::min(out.quota_us, base_.period_us * cpus_);
  out.quota_us = std::max(out.quota_us, base_.quota_us);
  return out;
}

int BucketMeter::bonus() const {
  // vavavoom = 40 * 50 / 100 * ((max - tokens)^2 - max^2 / 4) / max^2
  double const missing = static_cast<double>(most_us_ - fill_us_) / static_cast<double>(most_us_);
  return static_cast<int>(20 * (missing * missing - 0.25));
}

std::uint64_t weight_of_nice(std::int64_t nice) {
  auto const at = static_cast<std::size_t>(std::clamp<std::int64_t>(nice, -20, 19) + 20);
  return static_cast<std::uint64_t>(
      std::clamp<std::int64_t>((kNiceWeights[at] * 100 + 512) / 1024, 1, 10'000));
}

}  // namespace vs
