// SPDX-License-Identifier: GPL-2.0-or-later
#include <cstdio>

#include "cli/table.h"
#include "cmd/commands.h"
#include "guest/status.h"
#include "guest/usage.h"

namespace vs {

namespace {

constexpr std::array kOptions{
    Option{0, "json", "", "Print JSON: bytes, milliseconds, seconds"},
    Option{'O', "sort", "KEY", "For scripts of Linux-VServer; the rows are sorted by context id"},
};
static_assert(is_option_table(kOptions));

std::string to_json(const std::vector<Usage>& rows) {
  JsonArray out;
  for (auto const& row : rows) {
    JsonObject object;
    object.add("xid", row.xid).add("name", row.name).add("processes", row.processes);
    object.add("vsz", row.vsz).add("rss", row.rss).add("user_ms", row.user_ms);
    object.add("system_ms", row.system_ms).add("uptime", row.uptime_s);
    out.add(std::move(object));
  }
  return out.text();
}

Result<int> run_stat(const Parsed& args) {
  auto rows = VS_TRY(usage_of_all());
  if (args.has("json")) {
    fmt::print("{}\n", to_json(rows));
    return 0;
  }
  for (auto& row : rows) {
    if (row.xid != 0) row.name = display_name(row.name);
  }
  fmt::print("{}", stat_table(rows));
  return 0;
}

}  // namespace

constexpr Command kStat{
    .name = "vserver-stat",
    .operands = "",
    .summary = "Show virtual server usage statistics",
    .options = kOptions,
    .run = run_stat,
    .details =
        "One line for the host and for each running guest: processes, virtual and\n"
        "resident memory, CPU time in user and kernel mode, time since the start.\n"
        "CPU time includes that of processes which have ended. A guest is called what\n"
        "its entry 'name' says; with --json by its own name."};

}  // namespace vs
