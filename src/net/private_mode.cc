// SPDX-License-Identifier: GPL-2.0-or-later
#include "net/private_mode.h"

#include <errno.h>

#include <algorithm>

#include <fmt/format.h>

#include "base/log.h"
#include "base/scope_exit.h"
#include "base/text.h"
#include "sys/file.h"

namespace vs {

namespace {

constexpr const char* kGuestLink = "eth0";

// The host's addresses on every pair: link-local, so they may repeat.
constexpr Address kHost4{AF_INET, {169, 254, 1, 1}, 32};
constexpr Address kHost6{AF_INET6, {0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 64};

constexpr Address host_address(int family) {
  return family == AF_INET ? kHost4 : kHost6;
}

std::string knob(int family, std::string_view link, std::string_view name) {
  return fmt::format("/proc/sys/net/{}/conf/{}/{}", family == AF_INET ? "ipv4" : "ipv6", link,
                     name);
}

// The address alone, without its network.
Address alone(const Address& address) {
  Address result = address;
  result.prefix = address.family == AF_INET ? 32 : 128;
  return result;
}

const Address* first_of(const PrivateNet& net, int family) {
  for (auto const& one : net.addresses) {
    if (one.address.family == family) return &one.address;
  }
  return nullptr;
}

// The host answers for this address on its device.
bool is_announced(const HostAddress& one) {
  return !one.nodev && !one.dev.empty();
}

Status refuse_own(std::span<const LinkAddress> own, const PrivateNet& net) {
  for (auto const& one : net.addresses) {
    auto const same = [&](const LinkAddress& o) { return o.address.same_host(one.address); };
    if (std::none_of(own.begin(), own.end(), same)) continue;
    return Error::make(Errc::Config,
                       "address {} belongs to the host: a guest with a network of its own cannot "
                       "have it too",
                       format_host(one.address))
        .hint("take the address off the host's device, or use the host's network for the guest");
  }
  return {};
}

// What the guest must not do to the host over the pair. All before the link is up.
Status protect_host(const std::string& link, const PrivateNet& net) {
  // Only addresses routed to the guest may come from it (IPv6 has no such knob), and it cannot
  // redirect the host's routes.
  VS_TRY(write_knob(knob(AF_INET, link, "rp_filter"), "1"));
  VS_TRY(write_knob(knob(AF_INET, link, "accept_redirects"), "0"));
  if (!exists("/proc/sys/net/ipv6")) return {};
  if (first_of(net, AF_INET6) == nullptr) {
    return write_knob(knob(AF_INET6, link, "disable_ipv6"), "1");
  }
  // A router advertisement from the guest would give the host a new default route.
  VS_TRY(write_knob(knob(AF_INET6, link, "accept_ra"), "0"));
  VS_TRY(write_knob(knob(AF_INET6, link, "accept_redirects"), "0"));
  // No link-local address but ours.
  return write_knob(knob(AF_INET6, link, "addr_gen_mode"), "1");
}

Status set_up_host(Netlink& host, unsigned link, const std::string& name, const PrivateNet& net,
                   std::span<const LinkAddress> own) {
  VS_TRY(protect_host(name, net));
  if (first_of(net, AF_INET) != nullptr) VS_TRY(write_knob(knob(AF_INET, name, "forwarding"), "1"));
  VS_TRY(host.set_link_up(link));
  for (int const family : {AF_INET, AF_INET6}) {
    if (first_of(net, family) == nullptr) continue;
    NewAddress address;
    address.address = host_address(family);
    address.link_scope = true;
    address.no_dad = true;
    VS_TRY(host.add_address(link, address), "{}", format_address(address.address));
  }
  // The scope of a route decides which address the host itself speaks from: with a global one it
  // is an address of the host. A host that has none yet can only use the one on the pair.
  auto const is_global4 = [](const LinkAddress& o) {
    return o.global && o.address.family == AF_INET;
  };
  bool const has_global4 = std::any_of(own.begin(), own.end(), is_global4);
  for (auto const& one : net.addresses) {
    Route route;
    route.destination = alone(one.address);
    route.link = link;
    route.link_scope = one.address.family == AF_INET && !has_global4;
    auto done = host.add_route(route);
    if (!done && done.error().sys() == EEXIST) {
      return Error::make(Errc::Busy, "another guest or route has address {} already",
                         format_host(one.address));
    }
    VS_TRY(std::move(done), "{}", format_host(one.address));
  }
  return {};
}

Status set_up_guest(Netlink& guest, const PrivateNet& net) {
  VS_TRY(guest.set_link_up(VS_TRY(guest.link_index("lo"))), "lo");
  auto const link = VS_TRY(guest.link_index(kGuestLink));
  VS_TRY(guest.set_link_up(link), "{}", kGuestLink);
  for (auto const& one : net.addresses) {
    NewAddress address;
    address.address = alone(one.address);
    address.no_dad = true;
    VS_TRY(guest.add_address(link, address), "{}", format_address(address.address));
  }
  for (int const family : {AF_INET, AF_INET6}) {
    auto const* first = first_of(net, family);
    if (first == nullptr) continue;
    Route route;
    route.destination = Address{family, {}, 0};
    route.link = link;
    route.gateway = host_address(family);
    route.source = *first;
    VS_TRY(guest.add_route(route), "default route via {}", format_host(*route.gateway));
  }
  return {};
}

// Makes the neighbours on the address's device find the guest.
Status announce(Netlink& host, const HostAddress& one, std::vector<std::string>& warnings) {
  auto const link = VS_TRY(host.find_link(one.dev));
  if (!link) {
    warnings.push_back(fmt::format("there is no network device '{}': {} is not announced on it",
                                   one.dev, format_host(one.address)));
    return {};
  }
  VS_TRY(host.add_proxy(*link, alone(one.address)));
  // An IPv4 entry works on every device that forwards; an IPv6 entry also needs this, which
  // affects no address without an entry.
  if (one.address.family == AF_INET) return {};
  return write_knob(knob(AF_INET6, one.dev, "proxy_ndp"), "1");
}

// Forwarding makes the host a router for everybody, so it is its administrator's to switch on.
void check_forwarding(const PrivateNet& net, std::vector<std::string>& warnings) {
  for (int const family : {AF_INET, AF_INET6}) {
    if (first_of(net, family) == nullptr) continue;
    auto const value = read_file(knob(family, "all", "forwarding"));
    if (!value || trim(*value) != "0") continue;
    warnings.push_back(
        fmt::format("{} of the guest ends at this host until forwarding is on: sysctl {}=1",
                    family == AF_INET ? "IPv4" : "IPv6",
                    family == AF_INET ? "net.ipv4.ip_forward" : "net.ipv6.conf.all.forwarding"));
  }
}

void warn_unless(const Status& done, int harmless, std::string_view what) noexcept {
  if (done || done.error().sys() == harmless) return;
  warn("{}: {}", what, done.error().message());
}

void remove_pair(Netlink& host, const std::string& name) noexcept {
  auto const link = host.find_link(name);
  if (!link) return warn("{}: {}", name, link.error().message());
  if (*link) warn_unless(host.delete_link(**link), ENODEV, name);
}

void remove_proxies(Netlink& host, const PrivateNet& net) noexcept {
  for (auto const& one : net.addresses) {
    if (!is_announced(one)) continue;
    auto const link = host.find_link(one.dev);
    if (!link || !*link) continue;
    warn_unless(host.delete_proxy(**link, alone(one.address)), ENOENT, format_host(one.address));
  }
}

}  // namespace

std::string private_link_name(std::uint32_t xid) {
  return fmt::format("vs{}", xid);
}

Result<std::vector<std::string>> connect_private(Netlink& host, FdRef guest_netns,
                                                 const PrivateNet& net) {
  auto const own = VS_TRY(host.addresses());
  VS_TRY(refuse_own(own, net));
  auto const name = private_link_name(net.xid);
  auto made = host.create_veth(name, kGuestLink, guest_netns);
  if (!made && made.error().sys() == EEXIST) {
    return Error::make(Errc::Busy, "there is a network device '{}' or '{}' of the guest already",
                       name, kGuestLink);
  }
  VS_TRY(std::move(made), "network device '{}'", name);
  ScopeExit undo_pair{[&]() noexcept { remove_pair(host, name); }};

  auto const link = VS_TRY(host.link_index(name));
  VS_TRY(set_up_host(host, link, name, net, own), "network device '{}'", name);
  auto guest = VS_TRY(Netlink::open_in(guest_netns), "network of the guest");
  VS_TRY(set_up_guest(guest, net), "network of the guest");

  // Only now: the routes have shown that the addresses are nobody else's, so an undo takes no
  // other guest's entries.
  ScopeExit undo_proxies{[&]() noexcept { remove_proxies(host, net); }};
  std::vector<std::string> warnings;
  for (auto const& one : net.addresses) {
    if (!is_announced(one)) continue;
    VS_TRY(announce(host, one, warnings), "{} on '{}'", format_host(one.address), one.dev);
  }
  check_forwarding(net, warnings);
  undo_proxies.release();
  undo_pair.release();
  return warnings;
}

void disconnect_private(Netlink& host, const PrivateNet& net) noexcept {
  remove_pair(host, private_link_name(net.xid));
  remove_proxies(host, net);
}

}  // namespace vs
