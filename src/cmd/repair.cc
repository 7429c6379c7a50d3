// SPDX-License-Identifier: GPL-2.0-or-later
#include <array>
#include <cstdio>

#include "build/build.h"
#include "cmd/commands.h"
#include "guest/empty_net.h"
#include "guest/guard.h"

namespace vs {

namespace {

constexpr std::array kRepairOptions{
    Option{'a', "all", "", "Every guest of which anything runs or is left"}};

Status repair(const std::string& guest) {
  auto const done = VS_TRY(repair_guest(guest));
  for (auto const& text : done)
    fmt::print("guest '{}': {}\n", guest, text);
  if (done.empty() && !is_silent()) fmt::print("guest '{}': nothing to repair\n", guest);
  return {};
}

Result<int> run_repair(const Parsed& args) {
  if (!args.has("all")) {
    if (args.operands.empty())
      return Error::make(Errc::Usage, "which guest?").hint("vserver NAME repair, or repair --all");
    return for_each_guest(args, repair);
  }
  if (!args.operands.empty())
    return Error::make(Errc::Usage, "--all and names of guests exclude each other");
  sweep_leftovers("");
  int status = 0;
  auto const runs = VS_TRY(known_runs());
  if (runs.empty()) drop_empty_network();
  for (auto const& guest : runs) {
    auto const done = repair(guest);
    if (!done && status == 0) status = report_error(done.error());
  }
  return status;
}

}  // namespace

constexpr Command kRepair{
    .name = "repair",
    .operands = "GUEST...",
    .summary = "Bring lost guards back, clear what dead runs left",
    .options = kRepairOptions,
    .max_operands = kAnyNumber,
    .run = run_repair,
    .details =
        "A guest goes on without its guard, but its end and its wish to reboot go unseen.\n"
        "Nothing that runs is harmed; what was done is printed.",
    .program = "vserver",
    .common = kCommonOptions};

}  // namespace vs
