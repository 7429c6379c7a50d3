// SPDX-License-Identifier: GPL-2.0-or-later
#include "context/xid.h"

#include <algorithm>

#include "base/text.h"

namespace vs {

Result<Xid> Xid::make(std::uint64_t n) {
  if (n < kMin || n > kMax)
    return Error::make(Errc::Config, "'{}' is not a context id ({}..{})", n, kMin, kMax);
  return Xid{static_cast<std::uint32_t>(n)};
}

Result<Xid> Xid::parse(std::string_view text) {
  auto const n = parse_decimal(text);
  if (!n || *n < kMin || *n > kMax)
    return Error::make(Errc::Config, "'{}' is not a context id ({}..{})", text, kMin, kMax);
  return Xid{static_cast<std::uint32_t>(*n)};
}

std::vector<IdRange> parse_subid(std::string_view text) {
  std::vector<IdRange> out;
  for (auto const line : split_lines(text)) {
    auto const fields = split(line, ':');
    if (fields.size() != 3) continue;
    auto const first = parse_decimal(fields[1]);
    auto const count = parse_decimal(fields[2]);
    if (first && count && *count != 0) out.push_back({*first, *count});
  }
  return out;
}

std::vector<IdRange> parse_id_map(std::string_view text) {
  std::vector<IdRange> out;
  for (auto const line : split_lines(text)) {
    auto const fields = split_words(line);
    if (fields.size() != 3) continue;
    auto const outside = parse_decimal(fields[1]);
    auto const count = parse_decimal(fields[2]);
    // Root and single users mapped by tools such as unshare -r are nobody's range.
    if (outside && count && *outside >= Xid::kIdCount) out.push_back({*outside, *count});
  }
  return out;
}

bool collides(Xid xid, const std::vector<IdRange>& ranges) {
  std::uint64_t const first = xid.base_id();
  std::uint64_t const end = first + Xid::kIdCount;
  return std::any_of(ranges.begin(), ranges.end(), [&](const IdRange& range) {
    return range.first < end && first < range.first + range.count;
  });
}

Result<Xid> choose_xid(const std::vector<std::uint32_t>& used, const std::vector<IdRange>& ranges) {
  auto const free = [&](std::uint32_t n) {
    if (std::find(used.begin(), used.end(), n) != used.end()) return false;
    auto const xid = Xid::make(n);
    return xid && !collides(*xid, ranges);
  };
  for (std::uint32_t n = Xid::kFirstNew; n <= Xid::kLastNew; ++n) {
    if (free(n)) return Xid::make(n);
  }
  // 8..28671 is the range that systemd hands out ids from.
  for (std::uint32_t n = Xid::kFirstNew - 1; n > 28671; --n) {
    if (free(n)) return Xid::make(n);
  }
  return Error::make(Errc::Busy, "no free context id between 28672 and {}", Xid::kLastNew);
}

}  // namespace vs
