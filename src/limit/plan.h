// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "limit/bucket.h"
#include "limit/knob.h"
#include "limit/resource.h"

namespace vs {

// One wanted limit; `value` in bytes or as a count, kUnlimited for none.
struct LimitSetting {
  const Resource* resource = nullptr;
  LimitKind kind = LimitKind::Hard;
  std::uint64_t value = kUnlimited;
  std::string source;  // "rlimits/rss.hard"
};

// Everything a guest's configuration wants of its limits.
struct LimitRequest {
  std::vector<LimitSetting> limits;
  Knobs knobs;  // of cgroup/ and cpuset/, as written
  std::optional<Bucket> bucket;
  bool sched_hard = false;
  bool sched_prio = false;
  bool sched_pause = false;
  std::optional<std::int64_t> badness;  // oom_score_adj, -1000 to 1000
};

struct ProcessLimit {
  int resource;  // RLIMIT_*
  std::uint64_t soft;
  std::uint64_t hard;
  bool operator==(const ProcessLimit&) const = default;
};

// A number in a sysctl of the guest's IPC namespace: "kernel.sem/3" is the fourth of its numbers.
struct IpcLimit {
  std::string sysctl;
  int field = -1;  // -1: the whole of it
  std::uint64_t value = 0;
  std::string source;
  bool operator==(const IpcLimit&) const = default;
};

// What is done for a request, and what is not.
struct LimitPlan {
  std::vector<KnobWrite> writes;             // the context's cgroup
  std::vector<ProcessLimit> each_process;    // inherited from init
  std::vector<ProcessLimit> user_namespace;  // held by its maker when it makes the namespace
  std::vector<IpcLimit> ipc;
  std::optional<std::uint64_t> sockets;
  // What a loop beside the guest has to follow (guest/bucket_loop.h).
  struct Loop {
    Bucket bucket;
    unsigned cpus = 1;
    bool hard = false;
    bool prio = false;
    bool operator==(const Loop&) const = default;
  };
  std::optional<Loop> loop;
  std::optional<int> oom_score_adj;
  bool paused = false;
  std::vector<std::string> refused;  // "rlimits/locks: why", for messages and `config check`
};

// Computes the plan without looking at anything but its arguments.
//   cpus   processors that the guest may use
// Fails with Errc::Config on settings that contradict each other or are out of range.
Result<LimitPlan> plan_limits(const LimitRequest& request, const CgroupHost& host, unsigned cpus,
                              bool userns);

// Number of processors in a list such as "0-3,8". Fails with Errc::Config.
Result<unsigned> count_cpus(std::string_view list);

}  // namespace vs
