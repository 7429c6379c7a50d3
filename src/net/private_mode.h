// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "net/interfaces.h"
#include "sys/fd.h"
#include "sys/netlink.h"

namespace vs {

// The network of a guest that has a network namespace of its own. It is joined to the host by a
// routed pair of virtual Ethernet links, without bridge and without address translation:
//
//   host: vs<xid>  169.254.1.1/32, fe80::1/64     route ADDRESS dev vs<xid>
//   guest: eth0    each ADDRESS/32 or /128        default via 169.254.1.1, fe80::1
//
// Only what the guest's addresses need is set up: without IPv6 addresses there is no IPv6 on the
// link. The device of an address is where the host answers for it, so that the neighbours there
// find the guest.
struct PrivateNet {
  std::uint32_t xid = 0;
  std::vector<HostAddress> addresses;
};

// Name of the host's end: "vs28700".
std::string private_link_name(std::uint32_t xid);

// Joins the guest's namespace to the host. `host` must be a socket in the namespace of the caller.
// Gives warnings: what the host's administrator must still do for traffic beyond the host. An
// address that the host itself has is refused. On failure nothing stays.
Result<std::vector<std::string>> connect_private(Netlink& host, FdRef guest_netns,
                                                 const PrivateNet& net);

// Removes the pair with its addresses and routes, and the host's answers for the guest; what is
// gone already does not matter, what cannot be removed is warned about.
void disconnect_private(Netlink& host, const PrivateNet& net) noexcept;

}  // namespace vs
