// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace vs {

// One option of a command. Every command has -h, --help and --version without naming them.
struct Option {
  char short_name = 0;  // 0: only the long name
  std::string_view long_name;
  std::string_view argument;  // what the help calls its argument; empty: a flag
  std::string_view help;
};

// A command line taken apart.
class Parsed {
 public:
  // Was the option given?
  [[nodiscard]] bool has(std::string_view long_name) const;
  // The argument of its last occurrence. Valid as long as this object stays where it is.
  [[nodiscard]] std::optional<std::string_view> get(std::string_view long_name) const;
  // The arguments of all its occurrences, in order. Valid like get().
  [[nodiscard]] std::vector<std::string_view> all(std::string_view long_name) const;

  void add(std::string_view long_name, std::string_view value);

  std::vector<std::string> operands;
  bool help_wanted = false;  // then nothing behind --help was looked at
  bool version_wanted = false;

 private:
  struct Occurrence {
    std::string name;
    std::string value;
  };
  std::vector<Occurrence> occurrences_;
};

inline constexpr std::size_t kAnyNumber = SIZE_MAX;

// A command as data: the parser, the help, the manual and the completion all read this table.
struct Command {
  std::string_view name;
  std::string_view operands;  // "GUEST...", for the usage line
  std::string_view summary;
  std::span<const Option> options = {};
  std::size_t min_operands = 0;
  std::size_t max_operands = 0;
  bool stop_at_operand = false;  // options end at the first operand: what follows is a command line
  bool verbatim = false;         // no word is an option of ours, but --help and --version in front
  Result<int> (*run)(const Parsed&) = nullptr;
  std::string_view details = {};        // paragraphs below the options
  std::string_view program = {};        // whose verb it is; empty: a program of its own
  std::span<const Option> common = {};  // options that it shares with the program's other verbs
  int failure = 1;                      // exit status when it fails
};

// Verbs take their guest in front of them as well: `vserver web1 start`, `vserver start web1`.
constexpr bool wants_guest(const Command& command) {
  return command.operands.starts_with("GUEST") || command.operands.starts_with("[GUEST]");
}
// True when it does the same for several guests, one after the other.
constexpr bool takes_many(const Command& command) {
  return command.operands == "GUEST..." || command.operands == "[GUEST]...";
}
// "vserver start", or "vserver-stat".
std::string full_name(const Command& command);

// True when every option has a long name and no name is given twice. For static_assert beside each
// table.
constexpr bool is_option_table(std::span<const Option> table) {
  for (std::size_t i = 0; i < table.size(); ++i) {
    if (table[i].long_name.empty() || table[i].long_name == "help" ||
        table[i].long_name == "version")
      return false;
    for (std::size_t j = 0; j < i; ++j) {
      if (table[i].long_name == table[j].long_name) return false;
      if (table[i].short_name != 0 && table[i].short_name == table[j].short_name) return false;
    }
  }
  return true;
}

// Takes apart the words behind the command's name, by getopt_long. Long options may be abbreviated;
// options and operands may be mixed unless the command says otherwise. Fails with Errc::Usage
// naming the word. Uses getopt's globals: one thread at a time.
//   leading   operands that are known already; they count and come first
Result<Parsed> parse_command(const Command& command, std::vector<std::string> args,
                             std::vector<std::string> leading = {});

}  // namespace vs
