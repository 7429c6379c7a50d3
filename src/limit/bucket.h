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

// What the kernel does not do by itself, and a loop beside the guest does: bursts beyond twice a
// refill, the second rate in idle time, and a priority that follows the fill.
bool needs_loop(const Bucket& bucket, unsigned cpus, bool hard, bool prio);

// The bound that holds while the loop runs and does nothing, and after it was killed: the same
// share with a period of at most 100 ms, since each write of a bound refills it.
Bandwidth loop_base(const Bucket& bucket, unsigned cpus);

// The fill of a bucket, followed by the processor time that was used. Times in microseconds, of all
// processors together. Pure.
class BucketMeter {
 public:
  BucketMeter(const Bucket& bucket, unsigned cpus);

  // `idle_us`: of the elapsed time, what the processors had nothing to do.
  void pass(std::int64_t elapsed_us, std::int64_t used_us, std::int64_t idle_us);

  [[nodiscard]] std::int64_t fill_us() const noexcept { return fill_us_; }
  // The bound to set now: the base, more while the fill is beyond what the kernel saves up, and
  // while there is idle time. Never more than that, never unlimited.
  [[nodiscard]] Bandwidth bound() const;
  // The original's bonus: -5 with a full bucket, 0 at half, 15 with an empty one.
  [[nodiscard]] int bonus() const;

 private:
  Bucket bucket_;
  std::int64_t cpus_;
  Bandwidth base_;
  std::int64_t most_us_;
  std::int64_t fill_us_;
  std::int64_t idle_us_ = 0;  // of one second, lately
  bool beyond_ = false;
};

// cpu.weight of a nice value, clamped to -20..19; 100 for 0.
std::uint64_t weight_of_nice(std::int64_t nice);

}  // namespace vs
