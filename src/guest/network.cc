// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/network.h"

#include <algorithm>

#include "base/log.h"
#include "base/text.h"
#include "net/host_mode.h"
#include "net/private_mode.h"
#include "sys/file.h"

namespace vs {

namespace {

constexpr std::string_view kAddress = "address ";
constexpr std::string_view kPrivate = "private ";

Result<std::vector<HostAddress>> plan(const GuestConfig& config) {
  std::vector<InterfaceConfig> raw;
  for (auto const& entry : config.interfaces) {
    InterfaceConfig one;
    one.dir = entry.dir;
    one.ip = entry.ip;
    one.dev = entry.dev;
    one.prefix = entry.prefix;
    one.mask = entry.mask;
    one.bcast = entry.bcast;
    one.name = entry.name;
    // Behind a link pair of its own an address needs no device of the host.
    one.nodev = entry.nodev || (config.net == NetMode::Private && entry.dev.empty());
    one.down = entry.down;
    raw.push_back(std::move(one));
  }
  return plan_addresses(raw);
}

// "private XID ADDR/PREFIX@DEV ...": DEV empty where there is none.
std::string format_private(const PrivateNet& net) {
  std::string out = fmt::format("{}{}", kPrivate, net.xid);
  for (auto const& entry : net.addresses)
    out += fmt::format(" {}@{}", format_address(entry.address), entry.nodev ? "" : entry.dev);
  return out;
}

PrivateNet parse_private(std::string_view text) {
  PrivateNet net;
  auto const words = split_words(text);
  if (words.empty()) return net;
  net.xid = static_cast<std::uint32_t>(parse_decimal(words[0]).value_or(0));
  for (std::size_t i = 1; i < words.size(); ++i) {
    auto const at = words[i].find('@');
    auto const slash = words[i].find('/');
    if (at == std::string_view::npos || slash == std::string_view::npos) continue;
    auto address = parse_address(words[i].substr(0, slash));
    if (!address) continue;
    HostAddress entry;
    entry.address = *address;
    entry.dev = words[i].substr(at + 1);
    entry.nodev = entry.dev.empty();
    net.addresses.push_back(std::move(entry));
  }
  return net;
}

}  // namespace

Result<std::vector<std::string>> describe_network(const GuestConfig& config, std::uint32_t xid) {
  auto const addresses = VS_TRY(plan(config));
  if (config.net == NetMode::Private)
    return std::vector<std::string>{format_private({xid, addresses})};
  Netlink netlink = VS_TRY(Netlink::open());
  auto const there = VS_TRY(netlink.addresses());
  std::vector<std::string> items;
  for (auto const& entry : addresses) {
    bool const known = std::any_of(there.begin(), there.end(), [&](const LinkAddress& one) {
      return one.address.same_host(entry.address);
    });
    if (entry.nodev || known) continue;  // the administrator's: a stop leaves it
    items.push_back(fmt::format("{}{}", kAddress, format_added({entry.dev, entry.address})));
  }
  return items;
}

Status apply_network(const GuestConfig& config, std::uint32_t xid, int init_pid) {
  auto const addresses = VS_TRY(plan(config));
  Netlink netlink = VS_TRY(Netlink::open());
  if (config.net == NetMode::Host) {
    VS_TRY(add_host_addresses(netlink, addresses), "add addresses");
    return {};
  }
  Fd const netns = VS_TRY(open_path(fmt::format("/proc/{}/ns/net", init_pid), O_RDONLY));
  if (addresses.empty()) {
    Netlink inside = VS_TRY(Netlink::open_in(netns));
    return inside.set_link_up(1);
  }
  for (auto const& text :
       VS_TRY(connect_private(netlink, netns, {xid, addresses}), "private network"))
    warn("{}", text);
  return {};
}

void undo_network(const std::vector<std::string>& items) noexcept {
  auto netlink = Netlink::open();
  if (!netlink) return warn("take the network away: {}", netlink.error().message());
  for (std::string_view const item : items) {
    if (item.starts_with(kPrivate))
      disconnect_private(*netlink, parse_private(item.substr(kPrivate.size())));
    if (!item.starts_with(kAddress)) continue;
    if (auto const added = parse_added(item.substr(kAddress.size())))
      remove_host_addresses(*netlink, {&*added, 1});
  }
}

}  // namespace vs
