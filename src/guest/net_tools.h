// SPDX-License-Identifier: GPL-2.0-or-later
// Network contexts as the original's tools handle them: by number, with or without a guest.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/flag_table.h"
#include "base/result.h"
#include "net/shared_context.h"

namespace vs {

// What is asked of a context; what is absent stays as it is.
struct NetSettings {
  std::vector<Address> addresses;
  std::optional<Address> lback;
  FlagChange nflags;
  FlagChange ncaps;
};

// "10.0.0.5", "10.0.0.5/24", "10.0.0.5/255.255.255.0", or a device of the host: its first IPv4
// address.
Result<Address> parse_net_address(const std::string& text);

// Fails with Errc::Unsupported naming the flag or capability that this host cannot give.
Status check_settings(const NetSettings& settings);

// Makes a context with a cgroup of its own; a free nid from 49152 on without one. Fails with
// Errc::Busy when there is one with this nid. Contexts of this kind that are empty and not
// persistent are taken away on the occasion.
Result<std::uint32_t> create_net_context(std::optional<std::uint32_t> nid,
                                         const NetSettings& settings);

// Moves the calling process into a context, of a guest or not. Fails with Errc::NotFound when there
// is none, with Errc::Busy when its flag `private` forbids it.
Status enter_net_context(std::uint32_t nid);

// Nid of the context that the calling process is in; 0 on the host.
Result<std::uint32_t> own_net_context();

enum class AddressChange : std::uint8_t { Add, Remove, Set };
Status change_addresses(std::uint32_t nid, AddressChange change,
                        const std::vector<Address>& addresses, const std::optional<Address>& lback);
Status change_attributes(std::uint32_t nid, const FlagChange& nflags, const FlagChange& ncaps);
Result<NetContext> read_net_context(std::uint32_t nid);

// The same and what it counted; none when no shared network knows it.
struct NetReport {
  NetContext context;
  vs_traffic traffic{};
  bool own_names = false;  // abstract unix sockets are its own; else the host's and all guests'
};
Result<std::optional<NetReport>> report_net_context(std::uint32_t nid);

}  // namespace vs
