// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace vs {

struct GuestConfig;

// How a guest is started and stopped (apps/init/style).
struct InitStyle {
  std::string_view name;
  bool own_init;                   // the start command is process 1; else ours is, and runs it
  std::string_view start_level;    // default of runlevel
  std::string_view stop_level;     // default of runlevel.stop
  std::string_view start_program;  // alternatives separated by blanks: the last one there counts
  std::string_view stop_program;   // the same; empty: init gets a signal
};

// The style of `start --rescue`: with a command of its own, nothing of the configuration's.
const InitStyle& rescue_style(bool own_init);
// The style of this name, "" included; null for any other.
const InitStyle* find_style(std::string_view name);
// "plain, sysv, ...": for messages.
std::string style_names();

// What a style and the tree make of a start and a stop.
struct InitPlan {
  bool own_init = true;
  std::vector<std::string> start;
  std::vector<std::string> start_environment;
  std::vector<std::string> stop;  // empty: init gets a signal
  std::vector<std::string> stop_environment;
};

// Looks for the style's programs in the guest's root. Fails with Errc::Config when the guest has
// none of them and no cmd.start.
Result<InitPlan> plan_init(const GuestConfig& config);

// What a style needs done in the guest's root before its start: sysv guests lose the files below
// /var/run and /var/lock that a crash may have left.
Status prepare_root(const GuestConfig& config);

}  // namespace vs
