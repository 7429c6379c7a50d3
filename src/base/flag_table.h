// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace vs {

// One name of a bit set; several names may share bits (aliases come after the main name).
struct FlagName {
  std::string_view name;
  std::uint64_t bits;
  std::string_view help;
};

// A change to a bit set: new = (old & ~mask) | (value & mask).
struct FlagChange {
  std::uint64_t value = 0;
  std::uint64_t mask = 0;

  [[nodiscard]] std::uint64_t applied_to(std::uint64_t old) const noexcept {
    return (old & ~mask) | (value & mask);
  }
  bool operator==(const FlagChange&) const = default;
};

// True when no name is empty, given twice, or without bits. For static_assert beside each table.
constexpr bool is_flag_table(std::span<const FlagName> table) {
  for (std::size_t i = 0; i < table.size(); ++i) {
    if (table[i].name.empty() || table[i].bits == 0) return false;
    for (std::size_t j = 0; j < i; ++j) {
      if (table[i].name == table[j].name) return false;
    }
  }
  return true;
}

// A list as Linux-VServer's tools accept it: items separated by commas; each may carry any number
// of '~' or '!', each of which toggles between setting and clearing; an item is a name (any case,
// with or without `prefix`), "all"/"any", "none", "^N" (bit N), or a C integer. An empty text
// changes nothing. Fails with Errc::Usage naming the item and its position.
Result<FlagChange> parse_flags(std::span<const FlagName> table, std::string_view prefix,
                               std::string_view text);

// Names of the set bits, comma separated; bits without a name as one hexadecimal number.
// parse_flags of the result gives the same bits.
std::string format_flags(std::span<const FlagName> table, std::uint64_t bits);

}  // namespace vs
