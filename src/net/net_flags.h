// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/flag_table.h"
#include "bpf/abi.h"

namespace vs {

inline constexpr std::uint64_t kNetLock = 1ULL << 0U;
inline constexpr std::uint64_t kNetPrivate = 1ULL << 3U;
inline constexpr std::uint64_t kNetHideNetif = 1ULL << 25U;
inline constexpr std::uint64_t kNetPersistent = 1ULL << 38U;

// The original's flags of a network context.
inline constexpr std::array kNetFlags{
    FlagName{"lock", kNetLock, "its addresses do not change any more"},
    FlagName{"private", kNetPrivate, "nobody may enter it"},
    FlagName{"single_ip", VS_NXF_SINGLE_IP, "everything is sent from the first address"},
    FlagName{"lback_remap", VS_NXF_LBACK_REMAP, "127.0.0.1 and ::1 are its own"},
    FlagName{"remap_lback", VS_NXF_LBACK_REMAP, "another name of lback_remap"},
    FlagName{"lback_allow", VS_NXF_LBACK_ALLOW, "the host's 127.0.0.0/8 and ::1 may be used"},
    FlagName{"hide_netif", kNetHideNetif, "devices and addresses of others are hidden"},
    FlagName{"hide_lback", VS_NXF_HIDE_LBACK, "its loopback address is shown as 127.0.0.1"},
    FlagName{"state_setup", 1ULL << 32U, "it is being set up"},
    FlagName{"state_admin", 1ULL << 34U, "it may be administered"},
    FlagName{"sc_helper", 1ULL << 36U, "vshelper is called when it comes and goes"},
    FlagName{"persistent", kNetPersistent, "it stays without processes"},
};
static_assert(is_flag_table(kNetFlags));

inline constexpr std::array kNetCapabilities{
    FlagName{"tun_create", 0x1, "may make tun and tap devices"},
    FlagName{"raw_icmp", VS_NXC_RAW_ICMP, "may ping"},
    FlagName{"multicast", VS_NXC_MULTICAST, "may join multicast groups and bind to them"},
};
static_assert(is_flag_table(kNetCapabilities));

// Lists as the original's tools take them: "single_ip,~hide_lback", "NXF_LOCK", "^8".
Result<FlagChange> parse_net_flags(std::string_view text);
Result<FlagChange> parse_net_capabilities(std::string_view text);
std::string format_net_flags(std::uint64_t flags);
std::string format_net_capabilities(std::uint32_t capabilities);

// Why what this change turns on cannot be had here, "NAME: reason"; empty when all of it can.
// Taking away what nobody has is fine.
std::string unsupported_net_flags(const FlagChange& change);
std::string unsupported_net_capabilities(const FlagChange& change);

}  // namespace vs
