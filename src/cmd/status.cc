// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/status.h"

#include <cstdio>

#include "base/log.h"
#include "cli/table.h"
#include "cmd/commands.h"
#include "guest/config.h"
#include "guest/net_tools.h"
#include "sys/cgroup.h"

namespace vs {

namespace {

constexpr std::array kJson{Option{0, "json", "", "Print JSON"}};
constexpr std::array kListOptions{
    Option{0, "json", "", "Print JSON"},
    Option{'q', "quiet", "", "Print names only"},
    Option{0, "running", "", "Only guests that run"},
    Option{0, "stopped", "", "Only guests that do not run"},
};
static_assert(is_option_table(kListOptions));

std::string uptime_text(std::int64_t seconds) {
  auto const days = seconds / 86400;
  auto const clock = fmt::format("{:02}:{:02}", seconds / 3600 % 24, seconds / 60 % 60);
  return days > 0 ? fmt::format("{} days, {}", days, clock) : clock;
}

JsonObject to_json(const GuestBrief& brief) {
  JsonObject out;
  out.add("name", brief.name).add("running", brief.running);
  if (!brief.running) return out;
  out.add("xid", brief.xid).add("uptime", brief.uptime_s).add("stopping", brief.stopping);
  return out;
}

JsonObject to_json(const GuestStatus& status) {
  auto out = to_json(static_cast<const GuestBrief&>(status));
  if (!status.running) return out;
  out.add("processes", status.processes).add("guarded", status.guarded).add("ready", status.ready);
  return out;
}

Result<int> run_status(const Parsed& args) {
  auto const& word = args.operands[0];
  auto const guest = VS_TRY(resolve_guest(word));
  auto const status = VS_TRY(guest_status(guest));
  int const code = status.running ? 0 : 3;
  if (args.has("json")) {
    fmt::print("{}\n", to_json(status).text());
    return code;
  }
  if (is_silent()) return code;
  if (!status.running) {
    fmt::print("Vserver '{}' is stopped\n", word);
    return code;
  }
  fmt::print("Vserver '{}' is running at context '{}'\n", word, status.xid);
  fmt::print("Number of processes:  {}\nUptime:               {}\n", status.processes,
             uptime_text(status.uptime_s));
  if (status.stopping) {
    warn("guest '{0}': a stop was begun and has not ended: 'vserver {0} stop' goes on with it",
         guest);
  }
  if (!status.guarded)
    warn("guest '{}' runs without its guard: a reboot from inside will not start it again", guest);
  auto const net = VS_TRY(report_net_context(status.xid));
  if (net && !net->context.host && !net->own_names) {
    warn(
        "guest '{}' shares abstract unix sockets with the host and other guests ('net/mode' "
        "shared on this kernel; see vserver doctor)",
        guest);
  }
  return code;
}

Result<int> run_running(const Parsed& args) {
  return is_running(VS_TRY(resolve_guest(args.operands[0]))) ? 0 : 1;
}

Result<int> run_list(const Parsed& args) {
  Table table{{{"NAME"}, {"STATE"}, {"XID", true}, {"UPTIME", true}}};
  JsonArray json;
  int code = 0;
  auto guests = VS_TRY(GuestBriefs::open());
  for (auto const& name : VS_TRY(list_guests())) {
    auto const known = guests.read(name);
    if (!known) {  // the others are shown all the same
      code = report_error(known.error());
      continue;
    }
    GuestBrief const& status = *known;
    if (args.has("running") && !status.running) continue;
    if (args.has("stopped") && status.running) continue;
    if (args.has("json")) {
      json.add(to_json(status));
    } else if (args.has("quiet")) {
      fmt::print("{}\n", name);
    } else if (status.running) {
      table.add_row({name, status.stopping ? "stopping" : "running", std::to_string(status.xid),
                     uptime_text(status.uptime_s)});
    } else {
      table.add_row({name, "stopped"});
    }
  }
  if (args.has("json")) {
    fmt::print("{}\n", json.text());
  } else if (!args.has("quiet")) {
    fmt::print("{}", table.text());
  }
  return code;
}

}  // namespace

constexpr Command kStatus{
    .name = "status",
    .operands = "GUEST",
    .summary = "Whether a guest runs, its context, processes and uptime",
    .options = kJson,
    .min_operands = 1,
    .max_operands = 1,
    .run = run_status,
    .details = "Exit status 0 when it runs, 3 when it is stopped. With --silent only that.",
    .program = "vserver",
    .common = kCommonOptions};

constexpr Command kRunning{.name = "running",
                           .operands = "GUEST",
                           .summary = "Exit with 0 when a guest runs, with 1 when not",
                           .min_operands = 1,
                           .max_operands = 1,
                           .run = run_running,
                           .program = "vserver",
                           .common = kCommonOptions};

constexpr Command kList{.name = "list",
                        .operands = "",
                        .summary = "All guests and whether they run",
                        .options = kListOptions,
                        .run = run_list,
                        .program = "vserver",
                        .common = kCommonOptions};

}  // namespace vs
