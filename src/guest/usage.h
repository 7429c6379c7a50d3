// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace vs {

// What the processes of one context use now.
struct Usage {
  std::uint32_t xid = 0;  // 0: the host, all processes outside of guests
  std::string name;
  std::uint64_t processes = 0;
  std::uint64_t vsz = 0;  // bytes, sum over the processes
  std::uint64_t rss = 0;
  std::uint64_t user_ms = 0;  // of guests: since their start, ended processes included
  std::uint64_t system_ms = 0;
  std::int64_t uptime_s = 0;
};

// One entry for each running guest, sorted by xid. Reads cgroup files and /proc/PID/statm, nothing
// of the guests' configuration; large hosts are read with several threads.
Result<std::vector<Usage>> usage_of_guests();
// The same, the host in front.
Result<std::vector<Usage>> usage_of_all();

// The formats of the original's vserver-stat: four digits with K, M, G; and 1d02h03, 4h05m06, ...
std::string stat_memory(std::uint64_t bytes);
std::string stat_time(std::uint64_t milliseconds);

// The original's table: columns of fixed width, which scripts read.
std::string stat_table(const std::vector<Usage>& rows);

}  // namespace vs
