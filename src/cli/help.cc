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

std::vector<Option> with_help(const Command& command) {
  std::vector<Option> options{command.options.begin(), command.options.end()};
  Option help = kHelp;
  for (const Option& o : options) {
    if (o.short_name == kHelp.short_name) help.short_name = 0;
  }
  options.push_back(help);
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

std::string scdoc_escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (std::string_view{"\\_*+#"}.find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

bool names_guest(std::string_view operands) {
  return operands.find("GUEST") != std::string_view::npos;
}

std::string completion_options(std::span<const Command> commands) {
  std::string out = "_vserver_options() {\n  case $1 in\n";
  for (const Command& c : commands) {
    std::string names;
    for (const Option& o : with_help(c))
      names += fmt::format(" --{}", o.long_name);
    out += fmt::format("    {}) printf '%s\\n'{} ;;\n", c.name, names);
  }
  return out + "  esac\n}\n\n";
}

// A function that tells what kind of word an option's argument is: guest, or anything.
std::string completion_arguments(std::span<const Command> commands) {
  std::string out = "_vserver_argument() {\n  case $1:$2 in\n";
  for (const Command& c : commands) {
    for (const Option& o : c.options) {
      if (o.argument.empty()) continue;
      out += fmt::format("    {}:--{}", c.name, o.long_name);
      if (o.short_name != 0) out += fmt::format(" | {}:-{}", c.name, o.short_name);
      out += fmt::format(") echo {} ;;\n", names_guest(o.argument) ? "guest" : "other");
    }
  }
  return out + "    *) ;;\n  esac\n}\n\n";
}

std::string completion_guest_commands(std::span<const Command> commands) {
  std::string names;
  for (const Command& c : commands) {
    if (names_guest(c.operands)) names += fmt::format("{}{}", names.empty() ? "" : " | ", c.name);
  }
  if (names.empty()) return "_vserver_wants_guest() { false; }\n\n";
  return fmt::format(
      "_vserver_wants_guest() {{\n  case $1 in\n    {}) ;;\n    *) false ;;\n"
      "  esac\n}}\n\n",
      names);
}

constexpr std::string_view kGuests = R"(_vserver_guests() {
  local dir
  for dir in /etc/vservers/*/; do
    [[ -d $dir ]] || continue
    dir=${dir%/}
    printf '%s\n' "${dir##*/}"
  done
}

)";

// Words are compared here, not by compgen -W, which would expand what stands in them.
constexpr std::string_view kMain = R"(_vserver() {
  local current=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]} list= word
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    list=$(_vserver_commands)
  else
    case $(_vserver_argument "$command" "${COMP_WORDS[COMP_CWORD - 1]}") in
      guest) list=$(_vserver_guests) ;;
      other) return ;;
      *)
        if [[ $current == -* ]]; then
          list=$(_vserver_options "$command")
        elif _vserver_wants_guest "$command"; then
          list=$(_vserver_guests)
        fi
        ;;
    esac
  fi
  while IFS= read -r word; do
    if [[ -n $word && $word == "$current"* ]]; then COMPREPLY+=("$word"); fi
  done <<<"$list"
}

complete -o default -F _vserver vserver
)";

}  // namespace

std::string format_help(std::string_view program, const Command& command) {
  std::string out = "Usage:";
  if (!program.empty() && program != command.name) out += fmt::format(" {}", program);
  out += fmt::format(" {} [OPTION]...", command.name);
  if (!command.operands.empty()) out += fmt::format(" {}", command.operands);
  out += fmt::format("\n{}.\n\nOptions:\n", wrap(command.summary, 0));
  std::vector<std::pair<std::string, std::string_view>> rows;
  const std::vector<Option> options = with_help(command);
  for (const Option& o : options)
    rows.emplace_back(option_names(o), o.help);
  out += two_columns(rows);
  if (!command.details.empty()) out += fmt::format("\n{}\n", trim(command.details));
  return out;
}

std::string format_overview(std::span<const Command> commands) {
  std::vector<std::pair<std::string, std::string_view>> rows;
  for (const Command& c : commands)
    rows.emplace_back(std::string{c.name}, c.summary);
  return fmt::format(
      "Usage: vserver COMMAND [OPTION]... [OPERAND]...\n\nCommands:\n{}\n"
      "See 'vserver COMMAND --help' for one command.\n",
      two_columns(rows));
}

std::string format_bash_completion(std::span<const Command> commands) {
  std::string out = "# bash completion for vserver: made by vserver itself\n\n";
  out += "_vserver_commands() {\n  printf '%s\\n'";
  for (const Command& c : commands)
    out += fmt::format(" {}", c.name);
  out += "\n}\n\n";
  out += completion_options(commands);
  out += completion_arguments(commands);
  out += completion_guest_commands(commands);
  out += kGuests;
  out += kMain;
  return out;
}

std::string format_man_options(const Command& command) {
  std::string out;
  for (const Option& o : with_help(command)) {
    if (!out.empty()) out += '\n';
    if (o.short_name != 0) out += fmt::format("*-{}*, ", o.short_name);
    out += fmt::format("*--{}*", scdoc_escape(o.long_name));
    if (!o.argument.empty()) out += fmt::format("=_{}_", scdoc_escape(o.argument));
    out += fmt::format("\n\t{}.\n", scdoc_escape(o.help));
  }
  return out;
}

}  // namespace vs
