// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace vs {

// The text of configuration files to values, without files: every function takes any bytes.

// One element of a file and the line where it stands, counted from 1.
struct ConfigLine {
  std::string text;
  int line;
};

// First line as the shell's read gives it: no blanks at the ends, a backslash takes the next
// character literally and joins lines.
std::string scalar_of(std::string_view text);
// One line that scalar_of reads back as value, with its newline.
std::string scalar_line(std::string_view value);

// Lines without blank ones; nothing is a comment.
std::vector<ConfigLine> array_of(std::string_view text);
// Lines without blanks at the ends; blank ones and those that start with '#' are skipped.
std::vector<ConfigLine> list_of(std::string_view text);
// All of it without newlines at the end.
std::string raw_of(std::string_view text);

// Decimal, 0x.. or 0.. number.
Result<std::int64_t> integer_of(std::string_view value);

inline constexpr std::uint64_t kNoLimit = ~std::uint64_t{0};
// "inf..." (kNoLimit), or a number with k (1000), K (1024), m (1000^2) or M (1024^2) behind it.
Result<std::uint64_t> limit_of(std::string_view value);

// on, yes, true, 1 or off, no, false, 0.
Result<bool> switch_of(std::string_view value);

}  // namespace vs
