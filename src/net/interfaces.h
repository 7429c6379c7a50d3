// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "net/address.h"

namespace vs {

// One directory below interfaces/ of a guest's configuration: the texts as they are in its files,
// empty when there is no file, with the defaults of interfaces/ already filled in.
struct InterfaceConfig {
  std::string dir;  // named in errors
  std::string ip;
  std::string dev;
  std::string prefix;
  std::string mask;
  std::string bcast;
  std::string name;
  std::string peer;
  bool nodev = false;
  bool disabled = false;
  bool down = false;
};

// One address of a guest.
struct HostAddress {
  Address address;
  std::string dev;    // the host's device; may be empty with nodev
  std::string label;  // "eth0:web", IPv4 only; empty for none
  std::optional<Address> broadcast;
  std::optional<Address> peer;
  bool nodev = false;  // the administrator has it set up on the host: nothing to add or remove
  bool down = false;   // leave the device as it is instead of setting it up

  bool operator==(const HostAddress&) const = default;
};

// The addresses of a guest in the order of its directories. A prefix wins over a mask, and both
// over one written in `ip`; IPv6 has neither mask nor broadcast, so inherited ones do not matter.
Result<std::vector<HostAddress>> plan_addresses(std::span<const InterfaceConfig> interfaces);

}  // namespace vs
