// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "limit/measure.h"
#include "limit/setting.h"

namespace vs {

// Where a change takes effect.
enum class Where : std::uint8_t {
  Both,       // now, if the guest runs, and at every start
  Now,        // in the running guest only; fails with Errc::NotFound when it does not run
  NextStart,  // in the configuration only
};

// Changes limits of a guest: all of them or none, in the kernel and in the configuration. What
// only a start can set is named in `notes`.
Status change_limits(const std::string& guest, std::span<const WantedLimit> wanted, Where where,
                     std::vector<std::string>& notes);

// The token bucket that the guest's configuration has; the defaults without one.
Result<Bucket> bucket_of(const std::string& guest);
// Gives a running guest this bucket until it stops.
Status change_bucket(const std::string& guest, const Bucket& bucket);

// Stops all of a running guest's processes, or lets them run on.
Status pause_guest(const std::string& guest, bool paused);

// A running guest's limits and what it uses. Errc::NotFound when it does not run.
struct LimitReport {
  std::vector<Reading> readings;
  Accounting accounting;
  Shares shares;
  std::vector<std::string> refused;  // what the configuration wants and nothing can keep
};
Result<LimitReport> report_limits(const std::string& guest);

// Counts the hits of a running guest's limits from 0 again, until it stops.
Status reset_hits(const std::string& guest);

}  // namespace vs
