// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <array>
#include <cstdio>

#include "build/build.h"
#include "cmd/commands.h"
#include "guest/config.h"
#include "guest/empty_net.h"
#include "guest/guard.h"
#include "guest/net_context.h"
#include "guest/sweep.h"

namespace vs {

namespace {

constexpr std::array kRepairOptions{
    Option{'a', "all", "", "All guests, and what is left of others"},
    Option{0, "network", "",
           "The programs of the shared network: put back what is missing, cover new devices"}};

// False when there was nothing to do.
Result<bool> repair(const std::string& guest) {
  auto const done = VS_TRY(repair_guest(guest));
  for (auto const& text : done)
    fmt::print("guest '{}': {}\n", guest, text);
  return !done.empty();
}

Status repair_one(const std::string& guest) {
  bool const found = VS_TRY(repair(guest));
  if (!found && !is_silent()) fmt::print("guest '{}': nothing to repair\n", guest);
  return {};
}

Result<int> repair_all() {
  bool found = sweep_leftovers("");
  VS_TRY(cover_new_devices());
  auto guests = VS_TRY(known_runs());
  if (guests.empty()) drop_empty_network();
  for (auto& guest : VS_TRY(list_guests())) {
    if (std::find(guests.begin(), guests.end(), guest) == guests.end())
      guests.push_back(std::move(guest));
  }
  int status = 0;
  for (auto const& guest : guests) {
    auto const done = repair(guest);
    if (!done) status = report_error(done.error());
    found = found || !done || *done;
  }
  for (auto const& sweep : {sweep_claims, sweep_locks}) {
    for (auto const& text : sweep()) {
      fmt::print("{}\n", text);
      found = true;
    }
  }
  if (!found && !is_silent()) fmt::print("nothing to repair\n");
  return status;
}

// Without a guest: what udev calls for a device that has come.
Result<int> repair_network(const Parsed& args) {
  if (!args.operands.empty())
    return Error::make(Errc::Usage, "--network is about all guests: it takes no name");
  VS_TRY(cover_new_devices());
  return 0;
}

Result<int> run_repair(const Parsed& args) {
  if (args.has("network") && !args.has("all")) return repair_network(args);
  if (!args.has("all")) {
    if (args.operands.empty())
      return Error::make(Errc::Usage, "which guest?").hint("vserver NAME repair, or repair --all");
    return for_each_guest(args, repair_one);
  }
  if (!args.operands.empty())
    return Error::make(Errc::Usage, "--all and names of guests exclude each other");
  return repair_all();
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
