// SPDX-License-Identifier: GPL-2.0-or-later
#include <string>
#include <vector>

#include <fmt/core.h>

#include "cli/help.h"

namespace vs {
namespace {

// Names between quotes, so that nothing in them is read by the shell.
std::string quoted(std::string_view text) {
  return fmt::format("'{}'", text);
}

std::string option_words(const Command& command) {
  std::string out = "--help --version";
  for (const auto options : {command.options, command.common}) {
    for (const Option& o : options)
      out += fmt::format(" --{}", o.long_name);
  }
  return out;
}

// A function that prints the words for one name: `case $1 in NAME) printf ... ;;`.
template <class Each>
std::string lookup(std::string_view function, std::span<const Command* const> commands,
                   Each&& words_of) {
  std::string out = fmt::format("{}() {{\n  case $1 in\n", function);
  for (const Command* c : commands) {
    const std::string words = words_of(*c);
    if (!words.empty()) out += fmt::format("    {}) printf '%s\\n' {} ;;\n", c->name, words);
  }
  return out + "  esac\n}\n\n";
}

// What kind of word follows an option that takes an argument: guest, file, or anything.
std::string_view argument_kind(std::string_view argument) {
  if (argument.find("GUEST") != std::string_view::npos) return "guest";
  if (argument.find("FILE") != std::string_view::npos ||
      argument.find("DIR") != std::string_view::npos)
    return "file";
  return "other";
}

std::string arguments(std::span<const Command* const> commands) {
  std::string out = "_vserver_argument() {\n  case $1:$2 in\n";
  for (const Command* c : commands) {
    for (const Option& o : c->options) {
      if (o.argument.empty()) continue;
      out += fmt::format("    {}:--{}", c->name, o.long_name);
      if (o.short_name != 0) out += fmt::format(" | {}:-{}", c->name, o.short_name);
      out += fmt::format(") echo {} ;;\n", argument_kind(o.argument));
    }
  }
  return out + "    *) ;;\n  esac\n}\n\n";
}

std::string_view operand_kind(const Command& c) {
  if (takes_many(c)) return "many";
  return wants_guest(c) ? "one" : "";
}

template <class Texts>
std::string list(std::string_view function, const Texts& texts) {
  std::string out = fmt::format("{}() {{\n  :", function);
  if (!texts.empty()) {
    out = fmt::format("{}() {{\n  printf '%s\\n'", function);
    for (const auto& t : texts)
      out += fmt::format(" {}", quoted(t));
  }
  return out + "\n}\n\n";
}

constexpr std::string_view kGuests = R"BASH(_vserver_guests() {
  local dir
  for dir in "${VSERVER_CONFDIR:-/etc/vservers}"/*/; do
    [[ -e $dir/vdir ]] || continue
    dir=${dir%/}
    printf '%s\n' "${dir##*/}"
  done
}

)BASH";

// Words are compared here, not by compgen -W, which would expand what stands in them.
constexpr std::string_view kMain = R"BASH(_vserver_offer() {
  local word
  COMPREPLY=()
  while IFS= read -r word; do
    if [[ -n $word && $word == "$2"* ]]; then COMPREPLY+=("$word"); fi
  done <<<"$1"
}

# _vserver_command NAME GUESTS: the words of one verb or program, of which GUESTS guests are given
_vserver_command() {
  local current=${COMP_WORDS[COMP_CWORD]} kind
  case $(_vserver_argument "$1" "${COMP_WORDS[COMP_CWORD - 1]}") in
    guest) _vserver_offer "$(_vserver_guests)" "$current"; return ;;
    file) COMPREPLY=(); compopt -o default 2>/dev/null; return ;;
    other) COMPREPLY=(); return ;;
  esac
  if [[ $current == -* ]]; then
    _vserver_offer "$(_vserver_options "$1")" "$current"
    return
  fi
  kind=$(_vserver_operands "$1")
  if [[ $kind == many || ($kind == one && $2 == 0) ]]; then
    _vserver_offer "$(_vserver_guests)" "$current"
  else
    COMPREPLY=()
  fi
}

_vserver() {
  local current=${COMP_WORDS[COMP_CWORD]} i words=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    if [[ ${COMP_WORDS[i]} != -* ]]; then words+=("${COMP_WORDS[i]}"); fi
  done
  if ((${#words[@]} == 0)); then
    if [[ $current == -* ]]; then
      _vserver_offer "$(_vserver_options vserver)" "$current"
    else
      _vserver_offer "$(_vserver_verbs; _vserver_guests)" "$current"
    fi
  elif [[ -n $(_vserver_operands "${words[0]}") ]]; then
    _vserver_command "${words[0]}" $((${#words[@]} - 1))
  elif ((${#words[@]} == 1)); then
    _vserver_offer "$(_vserver_verbs)" "$current"
  elif [[ ${words[1]} == config ]] && ((${#words[@]} == 2)); then
    _vserver_offer "$(_vserver_config; _vserver_options config)" "$current"
  elif [[ ${words[1]} == config ]] && ((${#words[@]} == 3)); then
    _vserver_offer "$(_vserver_keys)" "$current"
  elif [[ $(_vserver_operands "${words[1]}") == many && $current != -* ]]; then
    COMPREPLY=()
  else
    _vserver_command "${words[1]}" 1
  fi
}

_vserver_tool() {
  local i given=0
  for ((i = 1; i < COMP_CWORD; i++)); do
    if [[ ${COMP_WORDS[i]} != -* ]]; then given=$((given + 1)); fi
  done
  _vserver_command "${COMP_WORDS[0]##*/}" "$given"
}

)BASH";

}  // namespace

std::string format_bash_completion(const Completion& from) {
  const Command program{
      .name = from.program, .operands = "", .summary = "", .options = from.options};
  std::vector<const Command*> all{from.verbs.begin(), from.verbs.end()};
  all.insert(all.end(), from.tools.begin(), from.tools.end());
  const std::vector<const Command*> named = all;
  all.push_back(&program);
  std::vector<std::string_view> verbs;
  for (const Command* c : from.verbs)
    verbs.push_back(c->name);
  std::string out = "# bash completion for vserver: made from the tables of its commands\n\n";
  out += list("_vserver_verbs", verbs);
  out += list("_vserver_config", from.subcommands);
  out += list("_vserver_keys", from.keys);
  out += lookup("_vserver_options", all, option_words);
  out += lookup("_vserver_operands", named,
                [](const Command& c) { return std::string{operand_kind(c)}; });
  out += arguments(all);
  out += kGuests;
  out += kMain;
  out += fmt::format("complete -F _vserver {}\n", from.program);
  for (const Command* c : from.tools)
    out += fmt::format("complete -F _vserver_tool {}\n", c->name);
  return out;
}

}  // namespace vs
