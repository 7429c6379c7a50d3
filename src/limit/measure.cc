// SPDX-License-Identifier: GPL-2.0-or-later
#include "limit/measure.h"

#include <sys/resource.h>

#include <algorithm>
#include <cstdlib>

#include "base/text.h"
#include "limit/apply.h"
#include "limit/knob.h"
#include "limit/sockets.h"
#include "sys/file.h"

namespace vs {

namespace {

// v1 writes "no limit" as the largest number of whole pages.
constexpr std::uint64_t kV1Unlimited = 0x7fff'ffff'fff0'0000;

using Number = std::optional<std::uint64_t>;

std::string text_of(const ContextCgroup& cgroup, std::string_view controller,
                    const std::string& knob) {
  auto text = cgroup.read_knob_of(controller, knob);
  return text ? std::string{trim(*text)} : std::string{};
}

Number number_of(const ContextCgroup& cgroup, std::string_view controller,
                 const std::string& knob) {
  auto const text = text_of(cgroup, controller, knob);
  if (text == "max") return kUnlimited;
  auto const n = parse_decimal(text);
  return n && *n >= kV1Unlimited ? kUnlimited : n;
}

void read_memory_v2(const ContextCgroup& cgroup, Reading& out) {
  auto const read = [&](const char* knob) { return number_of(cgroup, "memory", knob); };
  out.current = read("memory.current");
  out.maximum = read("memory.peak");  // Linux 5.19
  out.min = read("memory.min");
  out.soft = read("memory.high");
  out.hard = read("memory.max");
  out.hits = field_of(text_of(cgroup, "memory", "memory.events"), "max");
}

void read_memory_v1(const ContextCgroup& cgroup, Reading& out) {
  auto const read = [&](const char* knob) { return number_of(cgroup, "memory", knob); };
  out.current = read("memory.usage_in_bytes");
  out.maximum = read("memory.max_usage_in_bytes");
  out.soft = read("memory.soft_limit_in_bytes");
  out.hard = read("memory.limit_in_bytes");
  out.hits = read("memory.failcnt");
}

void read_swap(const ContextCgroup& cgroup, Reading& out) {
  auto const read = [&](const char* knob) { return number_of(cgroup, "memory", knob); };
  if (!cgroup.host().is_v1("memory")) {
    out.current = read("memory.swap.current");
    out.maximum = read("memory.swap.peak");
    out.soft = read("memory.swap.high");
    out.hard = read("memory.swap.max");
    out.hits = field_of(text_of(cgroup, "memory", "memory.swap.events"), "max");
    return;
  }
  out.current = field_of(text_of(cgroup, "memory", "memory.stat"), "total_swap");
  auto const both = read("memory.memsw.limit_in_bytes");
  auto const limit = read("memory.limit_in_bytes");
  if (both && limit) {
    auto const extra = *both - std::min(*both, *limit);
    out.hard = *both == kUnlimited ? kUnlimited : extra <= kV1NoSwap ? 0 : extra;
  }
  out.hits = read("memory.memsw.failcnt");
}

// Before 6.10 the event was counted where the process that forked was, not where the limit is.
std::uint64_t sum_pid_events(const std::string& path) {
  auto const text = read_file(path + "/pids.events");
  std::uint64_t sum = text ? field_of(*text, "max").value_or(0) : 0;
  auto const dir = open_path(path, O_RDONLY | O_DIRECTORY);
  if (!dir) return sum;
  auto const names = list_dir(*dir);
  if (!names) return sum;
  for (auto const& name : *names) {
    if (exists(fmt::format("{}/{}/cgroup.procs", path, name)))
      sum += sum_pid_events(fmt::format("{}/{}", path, name));
  }
  return sum;
}

void read_pids(const ContextCgroup& cgroup, Reading& out) {
  out.current = number_of(cgroup, "pids", "pids.current");
  out.maximum = number_of(cgroup, "pids", "pids.peak");  // Linux 6.1
  out.hard = number_of(cgroup, "pids", "pids.max");
  auto const events = text_of(cgroup, "pids", "pids.events");
  out.hits = field_of(events, "max");
  if (out.hits && !cgroup.host().is_v1("pids") &&
      text_of(cgroup, "pids", "pids.events.local").empty())
    *out.hits += sum_pid_events(cgroup.guest_path());
}

Number memory_stat(const ContextCgroup& cgroup, std::string_view v2, std::string_view v1) {
  return field_of(text_of(cgroup, "memory", "memory.stat"),
                  cgroup.host().is_v1("memory") ? v1 : v2);
}

// "VmSize:     1234 kB"
Number status_kib(std::string_view status, std::string_view word) {
  auto const n = field_of(status, word);
  return n ? Number{*n * 1024} : std::nullopt;
}

Number use_of_process(int pid, int resource) {
  if (resource == RLIMIT_NOFILE) {
    auto const dir = open_path(fmt::format("/proc/{}/fd", pid), O_RDONLY | O_DIRECTORY);
    if (!dir) return std::nullopt;
    auto const names = list_dir(*dir);
    return names ? Number{names->size()} : std::nullopt;
  }
  auto const status = read_file(fmt::format("/proc/{}/status", pid));
  if (!status) return std::nullopt;
  if (resource == RLIMIT_AS) return status_kib(*status, "VmSize:");
  if (resource == RLIMIT_MEMLOCK) return status_kib(*status, "VmLck:");
  if (resource != RLIMIT_SIGPENDING) return std::nullopt;
  auto const at = status->find("SigQ:");  // "SigQ:\t3/96365", of the process's user
  if (at == std::string::npos) return std::nullopt;
  auto const words = split_words(std::string_view{*status}.substr(at + 5));
  return words.empty() ? std::nullopt : parse_decimal(words[0].substr(0, words[0].find('/')));
}

void read_process_limits(std::span<const int> pids, Reading& out) {
  if (pids.empty()) return;
  for (auto const& limit : limits_of_process(pids[0])) {
    if (limit.resource != out.resource->rlimit) continue;
    out.soft = limit.soft;
    out.hard = limit.hard;
  }
  // Of descriptors the sum says what the guest has open; the limit is each process's.
  bool const sum = out.resource->name == "openfd";
  for (int const pid : pids) {
    auto const use = use_of_process(pid, out.resource->rlimit);
    if (!use) continue;
    out.current = sum ? out.current.value_or(0) + *use : std::max(out.current.value_or(0), *use);
  }
}

void read_nsock(const ContextCgroup& cgroup, Reading& out) {
  auto const use = read_sockets(cgroup);
  if (!use) return;
  out.current = use->current;
  out.maximum = use->maximum;
  out.hits = use->hits;
  out.hard = use->limit;
}

// "1: POSIX  ADVISORY  WRITE 1234 08:01:5 0 EOF", of processes that we can name.
Number count_locks(std::span<const int> pids) {
  auto const text = read_file("/proc/locks", 16U << 20U);
  if (!text) return std::nullopt;
  std::uint64_t n = 0;
  for (auto const line : split_lines(*text)) {
    auto const words = split_words(line);
    auto const pid = words.size() > 4 ? parse_decimal(words[4]) : std::nullopt;
    if (pid && std::find(pids.begin(), pids.end(), static_cast<int>(*pid)) != pids.end()) ++n;
  }
  return n;
}

void read_one(const ContextCgroup& cgroup, std::span<const int> pids, Reading& out) {
  auto const name = out.resource->name;
  if (name == "rss") {
    return cgroup.host().is_v1("memory") ? read_memory_v1(cgroup, out)
                                         : read_memory_v2(cgroup, out);
  }
  if (name == "swap") return read_swap(cgroup, out);
  if (name == "nproc") return read_pids(cgroup, out);
  if (name == "nsock") return read_nsock(cgroup, out);
  if (name == "locks") out.current = count_locks(pids);
  if (name == "anon") {
    // Its limit is that of all memory.
    cgroup.host().is_v1("memory") ? read_memory_v1(cgroup, out) : read_memory_v2(cgroup, out);
    out.min = out.soft = out.maximum = std::nullopt;
    out.current = memory_stat(cgroup, "anon", "total_rss");
  }
  if (name == "shmem") out.current = memory_stat(cgroup, "shmem", "total_shmem");
  if (name == "mapped") out.current = memory_stat(cgroup, "file_mapped", "total_mapped_file");
  if (out.resource->rlimit >= 0) read_process_limits(pids, out);
}

void count_threads(int pid, Accounting& out) {
  std::string const tasks = fmt::format("/proc/{}/task", pid);
  auto const dir = open_path(tasks, O_RDONLY | O_DIRECTORY);
  if (!dir) return;
  auto const names = list_dir(*dir);
  if (!names) return;
  for (auto const& name : *names) {
    auto const stat = read_file(fmt::format("{}/{}/stat", tasks, name));
    auto const end = stat ? stat->rfind(')') : std::string::npos;
    if (end == std::string::npos || end + 2 >= stat->size()) continue;
    ++out.threads;
    char const state = (*stat)[end + 2];
    if (state == 'R') ++out.running;
    if (state == 'D') ++out.uninterruptible;
  }
}

void read_io(const ContextCgroup& cgroup, Accounting& out) {
  auto const add = [](std::uint64_t& sum, std::string_view word, std::string_view name) {
    if (word.starts_with(name)) sum += parse_decimal(word.substr(name.size())).value_or(0);
  };
  if (!cgroup.host().is_v1("blkio")) {
    for (auto const line : split_lines(text_of(cgroup, "io", "io.stat"))) {
      for (auto const word : split_words(line)) {
        add(out.read_bytes, word, "rbytes=");
        add(out.written_bytes, word, "wbytes=");
        add(out.reads, word, "rios=");
        add(out.writes, word, "wios=");
      }
    }
    return;
  }
  // "8:0 Read 4096", with a line "Total ..." at the end.
  auto const sum = [&](const char* knob, std::string_view kind) {
    std::uint64_t n = 0;
    auto const text = text_of(cgroup, "blkio", knob);
    for (auto const line : split_lines(text)) {
      auto const words = split_words(line);
      if (words.size() == 3 && words[1] == kind) n += parse_decimal(words[2]).value_or(0);
    }
    return n;
  };
  out.read_bytes = sum("blkio.throttle.io_service_bytes_recursive", "Read");
  out.written_bytes = sum("blkio.throttle.io_service_bytes_recursive", "Write");
  out.reads = sum("blkio.throttle.io_serviced_recursive", "Read");
  out.writes = sum("blkio.throttle.io_serviced_recursive", "Write");
}

}  // namespace

std::optional<std::uint64_t> field_of(std::string_view text, std::string_view word) {
  for (auto const line : split_lines(text)) {
    auto const words = split_words(line);
    if (words.size() >= 2 && words[0] == word) return parse_decimal(words[1]);
  }
  return std::nullopt;
}

std::optional<Pressure> parse_pressure(std::string_view text) {
  Pressure out;
  bool any = false;
  for (auto const line : split_lines(text)) {
    auto const words = split_words(line);
    if (words.size() != 5 || !words[1].starts_with("avg10=") || !words[4].starts_with("total="))
      continue;
    double const share = std::strtod(std::string{words[1].substr(6)}.c_str(), nullptr);
    auto const total = parse_decimal(words[4].substr(6)).value_or(0);
    (words[0] == "some" ? out.some_avg10 : out.full_avg10) = share;
    (words[0] == "some" ? out.some_us : out.full_us) = total;
    any = true;
  }
  return any ? std::optional{out} : std::nullopt;
}

std::vector<Reading> read_resources(const ContextCgroup& cgroup, std::span<const int> pids) {
  std::vector<Reading> out;
  for (auto const& resource : resources()) {
    Reading reading;
    reading.resource = &resource;
    read_one(cgroup, pids, reading);
    out.push_back(reading);
  }
  return out;
}

Accounting read_accounting(const ContextCgroup& cgroup, std::span<const int> pids) {
  constexpr std::string_view kV2 = "cgroup";  // no controller: the unified tree, also on hybrid
  Accounting out;
  auto const total = text_of(cgroup, kV2, "cpu.stat");
  out.usage_us = field_of(total, "usage_usec").value_or(0);
  out.user_us = field_of(total, "user_usec").value_or(0);
  out.system_us = field_of(total, "system_usec").value_or(0);
  auto const bound = text_of(cgroup, "cpu", "cpu.stat");
  out.periods = field_of(bound, "nr_periods").value_or(0);
  out.throttled = field_of(bound, "nr_throttled").value_or(0);
  out.bursts = field_of(bound, "nr_bursts").value_or(0);
  if (cgroup.host().is_v1("cpu")) {
    out.throttled_us = field_of(bound, "throttled_time").value_or(0) / 1000;
    out.burst_us = field_of(bound, "burst_time").value_or(0) / 1000;
  } else {
    out.throttled_us = field_of(bound, "throttled_usec").value_or(0);
    out.burst_us = field_of(bound, "burst_usec").value_or(0);
  }
  for (int const pid : pids)
    count_threads(pid, out);
  auto const frozen = read_file(cgroup.guest_path() + "/cgroup.freeze");
  out.paused = frozen && trim(*frozen) == "1";
  read_io(cgroup, out);
  out.oom_kills =
      field_of(text_of(cgroup, "memory",
                       cgroup.host().is_v1("memory") ? "memory.oom_control" : "memory.events"),
               "oom_kill")
          .value_or(0);
  out.cpu = parse_pressure(text_of(cgroup, kV2, "cpu.pressure"));
  out.memory = parse_pressure(text_of(cgroup, kV2, "memory.pressure"));
  out.io = parse_pressure(text_of(cgroup, kV2, "io.pressure"));
  return out;
}

Shares read_shares(const ContextCgroup& cgroup) {
  Shares out;
  if (cgroup.host().is_v1("cpu")) {
    auto const quota = text_of(cgroup, "cpu", "cpu.cfs_quota_us");
    if (auto const n = parse_decimal(quota)) out.quota_us = *n;
    out.period_us = number_of(cgroup, "cpu", "cpu.cfs_period_us").value_or(100'000);
    out.burst_us = number_of(cgroup, "cpu", "cpu.cfs_burst_us").value_or(0);
    out.weight = weight_of_shares(number_of(cgroup, "cpu", "cpu.shares").value_or(1024));
  } else {
    auto const words = text_of(cgroup, "cpu", "cpu.max");
    auto const parts = split_words(words);
    if (parts.size() == 2) {
      out.quota_us = parse_decimal(parts[0]);
      out.period_us = parse_decimal(parts[1]).value_or(100'000);
    }
    out.burst_us = number_of(cgroup, "cpu", "cpu.max.burst").value_or(0);
    out.weight = number_of(cgroup, "cpu", "cpu.weight").value_or(100);
  }
  out.cpus =
      text_of(cgroup, "cpuset",
              cgroup.host().is_v1("cpuset") ? "cpuset.effective_cpus" : "cpuset.cpus.effective");
  return out;
}

}  // namespace vs
