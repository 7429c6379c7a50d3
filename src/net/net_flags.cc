// SPDX-License-Identifier: GPL-2.0-or-later
#include "net/net_flags.h"

#include <span>

#include <fmt/format.h>

namespace vs {

namespace {

struct Missing {
  std::string_view name;
  std::string_view reason;
};

constexpr std::array kMissingFlags{
    Missing{"hide_netif",
            "the kernel shows all devices and addresses to everybody who shares them; "
            "'net/mode' private hides them"},
    Missing{"state_setup",
            "a state of the original's kernel; a context is set up in one step here"},
    Missing{"state_admin", "a state of the original's kernel; only the host's root administers"},
    Missing{"sc_helper", "vshelper is not called for network contexts"},
};

constexpr std::array kMissingCapabilities{
    Missing{"tun_create", "it would need CAP_NET_ADMIN over the host's network"},
};

std::string why_not(std::span<const FlagName> table, std::span<const Missing> missing,
                    const FlagChange& change) {
  for (auto const& one : missing) {
    for (auto const& row : table) {
      if (row.name == one.name && (change.value & change.mask & row.bits) != 0)
        return fmt::format("{}: {}", one.name, one.reason);
    }
  }
  return {};
}

}  // namespace

Result<FlagChange> parse_net_flags(std::string_view text) {
  return parse_flags(kNetFlags, "NXF_", text);
}

Result<FlagChange> parse_net_capabilities(std::string_view text) {
  return parse_flags(kNetCapabilities, "NXC_", text);
}

std::string format_net_flags(std::uint64_t flags) {
  return format_flags(kNetFlags, flags);
}

std::string format_net_capabilities(std::uint32_t capabilities) {
  return format_flags(kNetCapabilities, capabilities);
}

std::string unsupported_net_flags(const FlagChange& change) {
  return why_not(kNetFlags, kMissingFlags, change);
}

std::string unsupported_net_capabilities(const FlagChange& change) {
  return why_not(kNetCapabilities, kMissingCapabilities, change);
}

}  // namespace vs
