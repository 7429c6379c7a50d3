// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace vs {

// A context id: 0 is the host, 1 the spectator, guests have 2 and up. The network context's id and
// the file tag are the same number.
class Xid {
 public:
  static constexpr std::uint32_t kMin = 2;
  static constexpr std::uint32_t kMax = 65534;  // the owner ids of 65535 would end in (uid_t)-1
  // New guests take a free one from here; below 2^31 as owner ids, outside systemd's own range.
  static constexpr std::uint32_t kFirstNew = 28700;
  static constexpr std::uint32_t kLastNew = 32767;
  static constexpr std::uint32_t kIdCount = 65536;

  static Result<Xid> make(std::uint64_t n);
  static Result<Xid> parse(std::string_view text);

  [[nodiscard]] std::uint32_t value() const noexcept { return n_; }
  // First uid and gid of the guest on the host: the upper half of an owner id is the xid.
  [[nodiscard]] std::uint32_t base_id() const noexcept { return n_ << 16U; }
  auto operator<=>(const Xid&) const = default;

 private:
  explicit Xid(std::uint32_t n) : n_{n} {}
  std::uint32_t n_;
};

// A range of ids on the host that belongs to somebody: first id and how many.
struct IdRange {
  std::uint64_t first;
  std::uint64_t count;
  bool operator==(const IdRange&) const = default;
};

// The ranges of a subuid(5) or subgid(5) file; lines that do not parse are skipped.
std::vector<IdRange> parse_subid(std::string_view text);

// The host's ids that a /proc/PID/uid_map or gid_map hands out, read in the host's user namespace;
// the host's own map gives none.
std::vector<IdRange> parse_id_map(std::string_view text);

// True when the 65536 owner ids of this xid touch any of the ranges.
bool collides(Xid xid, const std::vector<IdRange>& ranges);

// The first free xid from kFirstNew to kLastNew, then downwards from there to kMin, that is not in
// `used` and whose ids are nobody's. Fails with Errc::Busy when there is none.
Result<Xid> choose_xid(const std::vector<std::uint32_t>& used, const std::vector<IdRange>& ranges);

}  // namespace vs
