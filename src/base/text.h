// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vs {

// Text without blanks, tabs, CR and newlines at both ends.
std::string_view trim(std::string_view text);

// Parts between separators; empty parts are kept: "a,,b" gives three.
std::vector<std::string_view> split(std::string_view text, char separator);

// Words between runs of blanks, tabs and newlines; no empty ones.
std::vector<std::string_view> split_words(std::string_view text);

// Lines without their newline; a missing last newline makes no difference.
std::vector<std::string_view> split_lines(std::string_view text);

// First line, without its newline.
std::string_view first_line(std::string_view text);

// The whole of text as a decimal number, no sign, no blanks.
std::optional<std::uint64_t> parse_decimal(std::string_view text);
// C's base 0: 0x10, 010, 16, with an optional minus.
std::optional<std::int64_t> parse_base0(std::string_view text);

// Text with control characters as '?': what others named must not steer the terminal.
std::string printable(std::string_view text);

std::string to_lower(std::string_view text);

// Parts joined with separator.
std::string join(const std::vector<std::string>& parts, std::string_view separator);

// "1.5G": 1024-based, at most one decimal, for people.
std::string format_bytes(std::uint64_t bytes);

// Name nearest to wanted by edit distance, if it is near enough to be a slip of the finger.
std::optional<std::string_view> nearest(std::string_view wanted,
                                        const std::vector<std::string_view>& names);

}  // namespace vs
