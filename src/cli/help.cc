// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/help.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "base/text.h"

namespace vs {
namespace {

constexpr std::size_t kWidth = 80;
constexpr std::size_t kMaxNames = 28;

constexpr Option kHelp{'h', "help", "", "Show this help and exit"};
constexpr Option kVersion{0, "version", "", "Show version and licence and exit"};

std::vector<Option> with_help(std::span<const Option> own) {
  std::vector<Option> options{own.begin(), own.end()};
  Option help = kHelp;
  for (const Option& o : options) {
    if (o.short_name == kHelp.short_name) help.short_name = 0;
  }
  options.push_back(help);
  options.push_back(kVersion);
  return options;
}

// `text` in lines of at most kWidth, all but the first indented; the first starts at `column`.
std::string wrap(std::string_view text, std::size_t column) {
  std::string out;
  std::size_t at = column;
  for (const std::string_view word : split_words(text)) {
    if (at > column && at + 1 + word.size() > kWidth) {
      out += '\n';
      out.append(column, ' ');
      at = column;
    }
    if (at > column) {
      out += ' ';
      ++at;
    }
    out += word;
    at += word.size();
  }
  return out;
}

std::string option_names(const Option& o) {
  std::string out = o.short_name != 0 ? fmt::format("-{}, ", o.short_name) : "    ";
  out += fmt::format("--{}", o.long_name);
  if (!o.argument.empty()) out += fmt::format("={}", o.argument);
  return out;
}

// Two columns: names and their help; a name too long for its column gets its own line.
std::string two_columns(const std::vector<std::pair<std::string, std::string_view>>& rows) {
  std::size_t width = 0;
  for (const auto& row : rows) {
    if (row.first.size() <= kMaxNames) width = std::max(width, row.first.size());
  }
  std::string out;
  for (const auto& [name, help] : rows) {
    out += fmt::format("  {:<{}}", name, width);
    if (name.size() > width) {
      out += '\n';
      out.append(width + 2, ' ');
    }
    out += fmt::format("  {}\n", wrap(help, width + 4));
  }
  return out;
}

std::string option_rows(std::span<const Option> options) {
  std::vector<std::pair<std::string, std::string_view>> rows;
  for (const Option& o : options)
    rows.emplace_back(option_names(o), o.help);
  return two_columns(rows);
}

// The operands behind GUEST.
std::string_view behind_guest(const Command& command) {
  return takes_many(command) ? std::string_view{} : trim(command.operands.substr(5));
}

std::string usage_lines(const Command& command) {
  const std::string_view options =
      command.options.empty() && command.common.empty() ? "" : " [OPTION]...";
  const auto operands = [](std::string_view text) {
    return text.empty() ? std::string{} : fmt::format(" {}", text);
  };
  if (command.program.empty() || !wants_guest(command))
    return fmt::format("Usage: {}{}{}\n", full_name(command), options, operands(command.operands));
  return fmt::format("Usage: {} GUEST {}{}{}\n       {} {}{}{}\n", command.program, command.name,
                     options, operands(behind_guest(command)), command.program, command.name,
                     options, operands(command.operands));
}

}  // namespace

std::string format_help(const Command& command) {
  std::string out = usage_lines(command);
  out += fmt::format("{}.\n\nOptions:\n{}", wrap(command.summary, 0),
                     option_rows(with_help(command.options)));
  if (!command.common.empty()) {
    std::string names;
    for (const Option& o : command.common)
      names += fmt::format("{}--{}", names.empty() ? "" : ", ", o.long_name);
    out += fmt::format("\n{}\n",
                       wrap(fmt::format("Also {}: see '{} --help'.", names, command.program), 0));
  }
  if (!command.details.empty()) out += fmt::format("\n{}\n", trim(command.details));
  return out;
}

std::string format_overview(const Command& program, std::span<const Command* const> verbs) {
  std::vector<std::pair<std::string, std::string_view>> rows;
  for (const Command* c : verbs)
    rows.emplace_back(std::string{c->name}, c->summary);
  return fmt::format(
      "Usage: {0} [OPTION]... GUEST COMMAND [ARGUMENT]...\n"
      "       {0} [OPTION]... COMMAND GUEST... [ARGUMENT]...\n"
      "{1}.\n\nCommands:\n{2}\nOptions:\n{3}\n{4}\n",
      program.name, program.summary, two_columns(rows), option_rows(with_help(program.options)),
      trim(program.details));
}

std::string man_escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (std::string_view{"\\_*+#"}.find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

std::string format_man_options(std::span<const Option> options) {
  std::string out;
  for (const Option& o : options) {
    if (!out.empty()) out += '\n';
    if (o.short_name != 0) out += fmt::format("*-{}*, ", o.short_name);
    out += fmt::format("*--{}*", man_escape(o.long_name));
    if (!o.argument.empty()) out += fmt::format("=_{}_", man_escape(o.argument));
    out += fmt::format("\n\t{}.\n", man_escape(o.help));
  }
  return out;
}

}  // namespace vs
