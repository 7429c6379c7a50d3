// SPDX-License-Identifier: GPL-2.0-or-later
// The slow loop of a token bucket: a small process for each guest whose bucket wants what the
// kernel does not do (limit/bucket.h). It follows the processor time of the guest twenty times a
// second and moves the bound between the base and what the bucket holds. Two processes: one works,
// one sets the base back and begins anew when the other was killed. Both end with the guest.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "limit/plan.h"

namespace vs {

// Starts the loop of a running guest, gives one that runs another bucket, or ends it.
Status follow_bucket(const std::string& guest, const std::optional<LimitPlan::Loop>& loop);

// What `vserver --bucket NAME` is: the loop itself. Returns when the guest has ended or its bucket
// needs no loop any more.
Status run_bucket_loop(const std::string& guest);

}  // namespace vs
