// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "guest/config.h"
#include "net/interfaces.h"
#include "net/shared_context.h"

namespace vs {

// Where this host's shared network has its parts. Makes the parent cgroup if it is not there.
Result<SharedPlace> shared_place();

// The network context of a guest with these addresses, as its configuration wants it. What a flag
// of it cannot have here is warned about.
Result<NetContext> plan_context(const GuestConfig& config, std::uint32_t xid,
                                const std::vector<HostAddress>& addresses);

// Puts the guest's context in force before its init runs.
Status join_shared(const GuestConfig& config, std::uint32_t xid, int init_pid,
                   const std::vector<HostAddress>& addresses);

// The same for a guest with the host's network, when there is a shared network: nothing below the
// contexts' parent gets a socket of the host's namespace unknown.
Status join_as_host(const std::string& name, std::uint32_t xid);

// Takes the context of a cgroup away, and the whole set with the last one.
Status leave_shared(std::uint64_t cgroup);

// Lets the steering see devices that have come since; nothing without a shared network.
Status cover_new_devices();

}  // namespace vs
