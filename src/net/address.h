// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "sys/netlink.h"

namespace vs {

// "10.0.0.3", "10.0.0.3/24", "2001:db8::3/64". Without a prefix it is a host's: 32 or 128.
Result<Address> parse_address(std::string_view text);

// A prefix length for this family: 0 to 32, or 0 to 128.
Result<unsigned> parse_prefix(std::string_view text, int family);

// "255.255.255.0" gives 24; a mask with holes is refused.
Result<unsigned> parse_mask(std::string_view text);

// "10.0.0.3"
std::string format_host(const Address& address);
// "10.0.0.3/24"
std::string format_address(const Address& address);

// Is it in the other's network, as far as that one's prefix goes?
bool is_in(const Address& address, const Address& network);

// The highest address of an IPv4 network; none for IPv6 and for networks of one or two addresses.
std::optional<Address> broadcast_of(const Address& address);

}  // namespace vs
