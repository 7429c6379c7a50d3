// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "config/tree.h"
#include "guest/config.h"
#include "limit/plan.h"

namespace vs {

// What a guest's tree wants of its limits: rlimits/, cgroup/, cpuset/, sched/ or schedule, badness,
// and those of ulimits/ that the flags nproc and ulimit make limits of the whole guest. The
// settings of .defaults/cgroup hold for a guest that has none and no entry nocgroup.
Result<LimitRequest> read_limit_request(const Tree& own, const Tree& defaults, std::uint64_t flags);

// The plan of a guest's limits on this host.
Result<LimitPlan> plan_guest_limits(const GuestConfig& config, const CgroupHost& host);

// The limits that each process of the guest is born with: those of ulimits/ and of the plan.
std::vector<LimitEntry> process_limits(const GuestConfig& config, const LimitPlan& plan);

}  // namespace vs
