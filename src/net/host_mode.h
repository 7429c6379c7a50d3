// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "net/interfaces.h"
#include "sys/netlink.h"

namespace vs {

// An address that a guest's start gave to a device of the host, to be taken away by its stop.
struct AddedAddress {
  std::string dev;
  Address address;

  bool operator==(const AddedAddress&) const = default;
};

// "eth0 10.0.0.3/24"
std::string format_added(const AddedAddress& added);
Result<AddedAddress> parse_added(std::string_view line);

// Gives the addresses to their devices and sets these up. The result has those that were not there
// before: what the administrator configured stays when the guest stops. On failure everything
// added is removed again.
Result<std::vector<AddedAddress>> add_host_addresses(Netlink& netlink,
                                                     std::span<const HostAddress> addresses);

// Where a new guest's address belongs: the device whose network has it, else lo; none when the host
// has the address itself, which is the administrator's then.
Result<std::optional<std::string>> choose_device(Netlink& netlink, const Address& address);

// Takes added addresses away, last first; what is gone already does not matter, what cannot be
// removed is warned about.
void remove_host_addresses(Netlink& netlink, std::span<const AddedAddress> added) noexcept;

}  // namespace vs
