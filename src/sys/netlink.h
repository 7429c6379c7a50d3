// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sys/fd.h"

namespace vs {

// An IPv4 or IPv6 address with its prefix length, in network byte order; IPv4 uses 4 bytes, the
// rest is 0.
struct Address {
  int family = AF_INET;
  std::array<std::uint8_t, 16> bytes{};
  unsigned prefix = 32;

  [[nodiscard]] std::size_t size() const noexcept { return family == AF_INET ? 4 : 16; }
  // True for the same address, whatever the prefixes.
  [[nodiscard]] bool same_host(const Address& o) const noexcept {
    return family == o.family && bytes == o.bytes;
  }
  bool operator==(const Address&) const = default;
};

// One address that a link has.
struct LinkAddress {
  unsigned link = 0;
  Address address;
  bool global = false;     // usable beyond the link
  bool tentative = false;  // IPv6: duplicate detection still runs, nobody can bind to it
};

// An address to be given to a link.
struct NewAddress {
  Address address;
  std::optional<Address> peer;  // the other end of a point-to-point link
  std::optional<Address> broadcast;
  std::string label;
  bool link_scope = false;
  bool no_dad = false;  // IPv6: usable at once, without duplicate detection
};

struct Route {
  Address destination;  // prefix 0: the default route
  unsigned link = 0;
  std::optional<Address> gateway;  // taken to be on the link, whatever the routes say
  std::optional<Address> source;   // preferred source address
  bool link_scope = false;
};

// A socket for requests about links, addresses, routes and neighbours of one network namespace:
// the one it was opened in. Errors carry the kernel's explanation where it gives one.
class Netlink {
 public:
  static Result<Netlink> open();
  // A socket inside another namespace. The calling thread is there for a moment and comes back,
  // so the program must be single-threaded.
  static Result<Netlink> open_in(FdRef netns);

  // Index of a link; empty when there is no such link.
  Result<std::optional<unsigned>> find_link(std::string_view name);
  // The same, but a missing link is Errc::NotFound.
  Result<unsigned> link_index(std::string_view name);

  // Makes a pair of virtual Ethernet links: `name` here, `peer` in `peer_netns`.
  Status create_veth(const std::string& name, const std::string& peer, FdRef peer_netns);
  Status delete_link(unsigned link);
  Status set_link_up(unsigned link);

  // EEXIST when the link has it.
  Status add_address(unsigned link, const NewAddress& address);
  // EADDRNOTAVAIL when the link does not have it.
  Status delete_address(unsigned link, const Address& address);
  Result<std::vector<LinkAddress>> addresses();

  // EEXIST when there is a route to this destination.
  Status add_route(const Route& route);
  // ESRCH when there is none.
  Status delete_route(const Route& route);

  // Makes the host answer on this link when somebody asks who has the address.
  Status add_proxy(unsigned link, const Address& address);
  // ENOENT when there is none.
  Status delete_proxy(unsigned link, const Address& address);

 private:
  explicit Netlink(Fd socket) : socket_{std::move(socket)} {}

  Fd socket_;
  std::uint32_t sequence_ = 0;
};

}  // namespace vs
