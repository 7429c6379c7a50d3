// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "cli/command.h"

namespace vs {

// What --help prints. `program` goes in front of the command's name; it may be empty.
std::string format_help(std::string_view program, const Command& command);

// All commands with their summaries.
std::string format_overview(std::span<const Command> commands);

// A script for bash that completes commands, their options, and the names of guests.
std::string format_bash_completion(std::span<const Command> commands);

// The options as a fragment of a manual page in scdoc's format.
std::string format_man_options(const Command& command);

}  // namespace vs
