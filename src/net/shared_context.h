// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/flag_table.h"
#include "net/address.h"
#include "net/shared_set.h"

namespace vs {

// A network context: whose sockets may use which addresses of the shared network.
struct NetContext {
  std::uint64_t cgroup = 0;  // id of its cgroup
  std::uint32_t nid = 0;
  std::uint64_t nflags = 0;
  std::uint32_t ncaps = 0;
  bool host = false;         // uses the host's network without any rule
  bool raw = false;          // has CAP_NET_RAW
  std::uint32_t userns = 0;  // inode of its user namespace; 0: the host's
  Address lback;
  std::optional<Address> lback6;
  std::vector<Address> addresses;  // the first of each kind is what wildcard sockets send from

  bool operator==(const NetContext&) const = default;
};

// 127.A.B.1 where A.B is the nid, as the original's.
Address default_lback(std::uint32_t nid);
// fd76:7365:7276:6572::NID: the original has no IPv6 loopback address.
Address default_lback6(std::uint32_t nid);

// What a new context has: nflags lback_remap and hide_lback, ncaps raw_icmp.
std::uint64_t default_nflags();
std::uint32_t default_ncaps();

// What the maps have for it, apart from the list of members.
vs_context encode_context(const NetContext& context, const vs_context* before);
NetContext decode_context(std::uint64_t cgroup, const vs_context& record);

// Adds the context, or makes an existing one of this cgroup as described, while its sockets are in
// use: what it keeps it has at every moment. A wildcard socket goes on serving when the first
// address changes. Fails with Errc::Config when more contexts share an address than the maps hold.
Status put_context(SharedSet& set, const NetContext& context);

// Takes it away with its counters; nothing there is success.
Status erase_context(SharedSet& set, std::uint64_t cgroup);

// All contexts with their addresses: those that source selection knows in their order, then others.
Result<std::vector<NetContext>> list_contexts(SharedSet& set);
Result<std::optional<NetContext>> find_context(SharedSet& set, std::uint32_t nid);

}  // namespace vs
