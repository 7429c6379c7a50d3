// SPDX-License-Identifier: GPL-2.0-or-later
#include "config/syntax.h"

#include <array>

#include "base/text.h"

namespace vs {

namespace {

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r';
}

struct Suffix {
  char letter;
  std::uint64_t factor;
};

constexpr std::array kSuffixes{Suffix{'k', 1000}, Suffix{'K', 1024}, Suffix{'m', 1'000'000},
                               Suffix{'M', 1'048'576}};

}  // namespace

std::string scalar_of(std::string_view text) {
  std::string out;
  std::size_t keep = 0;  // length up to the last character that is not a blank to trim
  for (std::size_t i = 0; i < text.size() && text[i] != '\n'; ++i) {
    if (text[i] == '\\') {
      if (++i == text.size()) break;
      if (text[i] == '\n') continue;
      out += text[i];
      keep = out.size();
    } else if (!is_blank(text[i])) {
      out += text[i];
      keep = out.size();
    } else if (!out.empty()) {
      out += text[i];
    }
  }
  out.resize(keep);
  return out;
}

std::string scalar_line(std::string_view value) {
  std::string out;
  for (std::size_t i = 0; i < value.size(); ++i) {
    bool const at_end = i == 0 || i + 1 == value.size() || is_blank(value.back());
    if (value[i] == '\\' || (is_blank(value[i]) && at_end)) out += '\\';
    out += value[i];
  }
  out += '\n';
  return out;
}

std::vector<ConfigLine> array_of(std::string_view text) {
  std::vector<ConfigLine> out;
  int number = 0;
  for (auto const line : split_lines(text)) {
    ++number;
    if (!trim(line).empty()) out.push_back(ConfigLine{std::string{line}, number});
  }
  return out;
}

std::vector<ConfigLine> list_of(std::string_view text) {
  std::vector<ConfigLine> out;
  int number = 0;
  for (auto const line : split_lines(text)) {
    ++number;
    auto const item = trim(line);
    if (!item.empty() && item[0] != '#') out.push_back(ConfigLine{std::string{item}, number});
  }
  return out;
}

std::string raw_of(std::string_view text) {
  while (text.ends_with('\n'))
    text.remove_suffix(1);
  return std::string{text};
}

Result<std::int64_t> integer_of(std::string_view value) {
  auto const n = parse_base0(value);
  if (!n) return Error::make(Errc::Config, "'{}' is not a number", value);
  return *n;
}

Result<std::uint64_t> limit_of(std::string_view value) {
  if (value.starts_with("inf")) return kNoLimit;
  std::string_view digits = value;
  std::uint64_t factor = 1;
  for (auto const& suffix : kSuffixes) {
    if (!digits.ends_with(suffix.letter)) continue;
    factor = suffix.factor;
    digits.remove_suffix(1);
    break;
  }
  auto const n = parse_base0(digits);
  if (!n || *n < 0) {
    return Error::make(Errc::Config, "'{}' is not a limit", value)
        .hint("a number, with k or m (1000s) or K or M (1024s) behind it; or inf");
  }
  std::uint64_t out = 0;
  if (__builtin_mul_overflow(static_cast<std::uint64_t>(*n), factor, &out) || out == kNoLimit)
    return Error::make(Errc::Config, "'{}' is too large", value);
  return out;
}

Result<bool> switch_of(std::string_view value) {
  auto const word = to_lower(value);
  if (word == "on" || word == "yes" || word == "true" || word == "1") return true;
  if (word == "off" || word == "no" || word == "false" || word == "0") return false;
  return Error::make(Errc::Config, "'{}' is neither on nor off", value);
}

}  // namespace vs
