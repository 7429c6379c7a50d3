// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "guest/state.h"

namespace vs {

// What is to be seen of a guest from outside.
struct GuestStatus {
  std::string name;
  std::uint32_t xid = 0;
  bool running = false;
  bool guarded = false;  // its vs-guard lives
  bool ready = false;    // its init has reported readiness
  std::size_t processes = 0;
  std::uint64_t vsz = 0;  // bytes, sum over the processes
  std::uint64_t rss = 0;
  std::uint64_t user_ms = 0;
  std::uint64_t system_ms = 0;
  std::int64_t uptime_s = 0;
};

Result<GuestStatus> guest_status(const std::string& name);

// Name and xid of the guest that a process of the host belongs to; xid 0 and "MAIN" for the host.
struct ContextOf {
  std::uint32_t xid = 0;
  std::string name;
};
ContextOf context_of(int pid);

// The formats of the original's vserver-stat: four digits with K, M, G; and 1d02h03, 4h05m06, ...
std::string stat_memory(std::uint64_t bytes);
std::string stat_time(std::uint64_t milliseconds);

}  // namespace vs
