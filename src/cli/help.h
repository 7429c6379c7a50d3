// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "cli/command.h"

namespace vs {

// What --help prints.
std::string format_help(const Command& command);

// All verbs of a program with their summaries, behind its own usage and options.
std::string format_overview(const Command& program, std::span<const Command* const> verbs);

// What completion is made from.
struct Completion {
  std::string_view program;  // "vserver": takes verbs
  std::span<const Option> options;
  std::span<const Command* const> verbs;
  std::span<const Command* const> tools;          // programs of their own
  std::span<const std::string_view> subcommands;  // what the verb `config` takes, then a key
  std::span<const std::string> keys;
};

// A script for bash that completes verbs, options, the names of guests and configuration keys.
std::string format_bash_completion(const Completion& from);

// Text that scdoc shall take as it is.
std::string man_escape(std::string_view text);

// The options as a fragment of a manual page in scdoc's format.
std::string format_man_options(std::span<const Option> options);

}  // namespace vs
