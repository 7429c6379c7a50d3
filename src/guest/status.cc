// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/status.h"

#include <time.h>
#include <unistd.h>

#include <array>

#include "base/text.h"
#include "guest/paths.h"
#include "sys/file.h"

namespace vs {

namespace {

void add_process(GuestStatus& status, int pid) {
  auto const text = read_file(fmt::format("/proc/{}/stat", pid));
  if (!text) return;  // gone between the list and the look
  auto const fields = split_words(std::string_view{*text}.substr(text->rfind(')') + 1));
  if (fields.size() < 22) return;
  auto const field = [&](std::size_t n) { return parse_decimal(fields[n]).value_or(0); };
  auto const tick_ms = 1000U / static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
  status.user_ms += field(11) * tick_ms;
  status.system_ms += field(12) * tick_ms;
  status.vsz += field(20);
  status.rss += field(21) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

Result<GuestStatus> guest_status(const std::string& name) {
  GuestStatus out;
  out.name = name;
  auto const state = VS_TRY(RunDir::read_state(name));
  ContextCgroup const cgroup{VS_TRY(CgroupHost::find()), name};
  out.running = cgroup.populated();
  if (state) out.xid = state->xid;
  if (!out.running) return out;
  auto const processes = VS_TRY(cgroup.processes());
  out.processes = processes.size();
  for (int const pid : processes)
    add_process(out, pid);
  if (!state) return out;
  auto const guard = identify(state->guard.pid);
  out.guarded = guard && *guard == state->guard;
  out.ready = exists(run_path(name, "ready"));
  out.uptime_s = ::time(nullptr) - state->started;
  return out;
}

ContextOf context_of(int pid) {
  constexpr std::string_view kSlice = "0::/vserver.slice/";
  auto const text = read_file(fmt::format("/proc/{}/cgroup", pid));
  if (!text) return {0, "ERR"};
  for (auto const line : split_lines(*text)) {
    if (!line.starts_with(kSlice)) continue;
    auto const rest = line.substr(kSlice.size());
    std::string const name{rest.substr(0, rest.find('/'))};
    if (!rest.substr(name.size()).starts_with("/guest")) break;
    auto const state = RunDir::read_state(name);
    return {state && *state ? (*state)->xid : 0, name};
  }
  return {0, "MAIN"};
}

std::string stat_memory(std::uint64_t bytes) {
  constexpr std::array<std::string_view, 6> kUnits{"", "K", "M", "G", "T", "+"};
  std::uint64_t rest = 0;
  std::size_t unit = 0;
  while (bytes >= 1000 && unit + 1 < kUnits.size()) {
    rest = bytes % 1024;
    bytes /= 1024;
    ++unit;
  }
  if (bytes > 9999) bytes = 9999;
  auto const digit = rest * 10 / 1024;
  return digit != 0 ? fmt::format("{}.{}{}", bytes, digit, kUnits[unit])
                    : fmt::format("{}{}", bytes, kUnits[unit]);
}

std::string stat_time(std::uint64_t milliseconds) {
  std::uint64_t const seconds = milliseconds / 1000;
  std::uint64_t const days = seconds / 86400;
  std::uint64_t const hours = seconds / 3600 % 24;
  std::uint64_t const minutes = seconds / 60 % 60;
  if (days > 998001) return "INVALID";
  if (days > 999) return fmt::format("{}y{:02}d{:02}", days / 365, days % 365, hours).substr(0, 10);
  if (days > 0) return fmt::format("{}d{:02}h{:02}", days, hours, minutes);
  if (hours > 0) return fmt::format("{}h{:02}m{:02}", hours, minutes, seconds % 60);
  auto const hundredths = fmt::format("{:02}", milliseconds % 1000).substr(0, 2);
  return fmt::format("{}m{:02}s{}", minutes, seconds % 60, hundredths);
}

}  // namespace vs
