// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/flag_table.h"

namespace vs {

// What becomes of a flag or context capability of the original.
enum class Support : std::uint8_t {
  Always,   // holds for every guest, asked for or not
  Chosen,   // does what it says when it is set
  Refused,  // cannot be had; `how` says why
};

// One of them, in the original's numbering.
struct ContextFlag {
  std::string_view name;
  std::uint64_t bits;
  Support support;
  std::string_view how;  // by what it holds, or why it cannot
};

// cflags and ccaps with how each is kept; aliases stand behind the main name.
std::span<const ContextFlag> context_flags();
std::span<const ContextFlag> context_capabilities();
// The same names for parse_flags and format_flags (prefixes "vxf_" and "vxc_").
std::span<const FlagName> context_flag_names();
std::span<const FlagName> context_capability_names();

namespace cflag {
inline constexpr std::uint64_t kNproc = 1ULL << 2U;
inline constexpr std::uint64_t kPrivate = 1ULL << 3U;
inline constexpr std::uint64_t kUlimit = 1ULL << 6U;
inline constexpr std::uint64_t kFakeInit = 1ULL << 4U;
inline constexpr std::uint64_t kSchedHard = 1ULL << 8U;
inline constexpr std::uint64_t kSchedPrio = 1ULL << 9U;
inline constexpr std::uint64_t kSchedPause = 1ULL << 10U;
inline constexpr std::uint64_t kStateSetup = 1ULL << 32U;
inline constexpr std::uint64_t kPersistent = 1ULL << 38U;
inline constexpr std::uint64_t kIgnegNice = 1ULL << 52U;
inline constexpr std::uint64_t kIgnegIonice = 1ULL << 53U;
}  // namespace cflag

namespace ccap {
inline constexpr std::uint64_t kSetUtsname = 1ULL << 0U;
inline constexpr std::uint64_t kTiocsti = 1ULL << 4U;
inline constexpr std::uint64_t kSyslog = 1ULL << 12U;
}  // namespace ccap

// What a guest has without a line in its configuration: the original's secure set.
inline constexpr std::uint64_t kDefaultContextCapabilities = 0x4101;
// fakeinit, virt_uptime, hide_netif, sc_helper.
inline constexpr std::uint64_t kDefaultContextFlags = 0x1002020010;

// "NAME: why" for each set bit that is refused.
std::vector<std::string> refused_flags(std::span<const ContextFlag> table, std::uint64_t bits);

}  // namespace vs
