// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "guest/config.h"

namespace vs {

// What a stop will have to take away, one word list an item; written into the run state before
// anything is made. Also checks the configuration, so a bad address stops a start at once.
Result<std::vector<std::string>> describe_network(const GuestConfig& config, std::uint32_t xid);

// Gives the starting guest its addresses; init_pid names its network namespace.
Status apply_network(const GuestConfig& config, std::uint32_t xid, int init_pid);

// The cgroup id in an item of a guest that has the host's network.
std::optional<std::uint64_t> host_context_of(std::string_view item);

// Takes away what the items name; what is gone already is no error.
void undo_network(const std::vector<std::string>& items) noexcept;

// The addresses of a guest as they would be set up, "10.0.0.2/24 on eth0", in their order; nothing
// is done. Fails like a start would when an interface is wrong.
Result<std::vector<std::string>> list_addresses(const GuestConfig& config);

}  // namespace vs
