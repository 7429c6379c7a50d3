// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "limit/resource.h"
#include "sys/cgroup.h"

namespace vs {

// What is known of one resource of a running guest, in bytes or as a count. Nothing where the
// kernel does not tell; kUnlimited for a limit that is not set.
struct Reading {
  const Resource* resource = nullptr;
  std::optional<std::uint64_t> current;
  std::optional<std::uint64_t> maximum;  // the most there ever was
  std::optional<std::uint64_t> min, soft, hard;
  std::optional<std::uint64_t> hits;  // how often the hard limit refused something
};

// A reading for each row of resources(). `pids` are the processes of the guest, init first: what
// each process has is read from them, and shown as the most that one of them has.
std::vector<Reading> read_resources(const ContextCgroup& cgroup, std::span<const int> pids);

// One kind of pressure (PSI): shares of time in percent, and microseconds since the start.
struct Pressure {
  double some_avg10 = 0, full_avg10 = 0;
  std::uint64_t some_us = 0, full_us = 0;
};

// What a guest has used since its start.
struct Accounting {
  std::uint64_t usage_us = 0, user_us = 0, system_us = 0;
  std::uint64_t periods = 0, throttled = 0, throttled_us = 0;  // of cpu.max
  std::uint64_t bursts = 0, burst_us = 0;
  std::uint64_t threads = 0, running = 0, uninterruptible = 0;
  bool paused = false;
  std::uint64_t read_bytes = 0, written_bytes = 0, reads = 0, writes = 0;
  std::uint64_t oom_kills = 0;
  std::optional<Pressure> cpu, memory, io;  // nothing when the kernel runs without psi=1
};

Accounting read_accounting(const ContextCgroup& cgroup, std::span<const int> pids);

// The bound and weights of a guest as the kernel has them, in the words of cgroup v2.
struct Shares {
  std::optional<std::uint64_t> quota_us;  // nothing: unlimited
  std::uint64_t period_us = 100'000;
  std::uint64_t burst_us = 0;
  std::uint64_t weight = 100;
  std::string cpus;
};
Shares read_shares(const ContextCgroup& cgroup);

// The number behind a word of a file such as cpu.stat or memory.events; nothing without the word.
std::optional<std::uint64_t> field_of(std::string_view text, std::string_view word);
// A file of /proc/pressure's form.
std::optional<Pressure> parse_pressure(std::string_view text);

}  // namespace vs
