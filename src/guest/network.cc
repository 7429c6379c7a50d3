// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/network.h"

#include <fcntl.h>
#include <sched.h>

#include <algorithm>
#include <cerrno>

#include "base/log.h"
#include "base/text.h"
#include "guest/net_context.h"
#include "guest/state.h"
#include "net/host_mode.h"
#include "net/private_mode.h"
#include "sys/cgroup.h"
#include "sys/file.h"

namespace vs {

namespace {

constexpr std::string_view kAddress = "address ";
constexpr std::string_view kPrivate = "private ";
constexpr std::string_view kContext = "context ";
constexpr std::string_view kHostContext = "host-context ";

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

// How many running guests have put this address on its device, or would take it away: several may
// share one, and the last one's stop removes it.
std::size_t holders(const std::string& item) {
  auto const guests = list_guests();
  if (!guests) return 0;
  auto const holds = [&](const std::string& name) {
    auto const state = RunDir::read_state(name);
    if (!state || !*state) return false;
    auto const& items = (*state)->cleanup;
    return std::find(items.begin(), items.end(), item) != items.end();
  };
  return static_cast<std::size_t>(std::count_if(guests->begin(), guests->end(), holds));
}

Result<std::vector<std::string>> describe_addresses(const std::vector<HostAddress>& addresses) {
  Netlink netlink = VS_TRY(Netlink::open());
  auto const there = VS_TRY(netlink.addresses());
  std::vector<std::string> items;
  for (auto const& entry : addresses) {
    if (entry.nodev) continue;
    auto item = fmt::format("{}{}", kAddress, format_added({entry.dev, entry.address}));
    bool const known = std::any_of(there.begin(), there.end(), [&](const LinkAddress& one) {
      return one.address.same_host(entry.address);
    });
    // The administrator's: a stop leaves it.
    if (!known || holders(item) > 0) items.push_back(std::move(item));
  }
  return items;
}

Result<std::uint64_t> cgroup_of(const GuestConfig& config) {
  return ContextCgroup{VS_TRY(CgroupHost::find()), config.name}.id();
}

std::optional<std::uint64_t> number_behind(std::string_view item, std::string_view word) {
  if (!item.starts_with(word)) return std::nullopt;
  return parse_decimal(item.substr(word.size()));
}

Status undo_item(Netlink& netlink, std::string_view item) {
  if (item.starts_with(kPrivate))
    disconnect_private(netlink, parse_private(item.substr(kPrivate.size())));
  if (auto const cgroup = number_behind(item, kContext)) VS_TRY(leave_shared(*cgroup));
  if (auto const cgroup = host_context_of(item)) VS_TRY(leave_shared(*cgroup));
  // The guest itself still has it in its run state.
  if (!item.starts_with(kAddress) || holders(std::string{item}) > 1) return {};
  if (auto const added = parse_added(item.substr(kAddress.size())))
    remove_host_addresses(netlink, {&*added, 1});
  return {};
}

}  // namespace

std::optional<std::uint64_t> host_context_of(std::string_view item) {
  return number_behind(item, kHostContext);
}

Result<std::vector<std::string>> describe_network(const GuestConfig& config, std::uint32_t xid) {
  auto const addresses = VS_TRY(plan(config));
  if (config.net == NetMode::Private) {
    if (addresses.empty()) return std::vector<std::string>{};  // its namespace goes with it
    return std::vector<std::string>{format_private({xid, addresses})};
  }
  auto items = VS_TRY(describe_addresses(addresses));
  auto const cgroup = VS_TRY(cgroup_of(config));
  if (config.net == NetMode::Host) {
    items.insert(items.begin(), fmt::format("{}{}", kHostContext, cgroup));
    return items;
  }
  VS_TRY(plan_context(config, xid, addresses));
  items.insert(items.begin(), fmt::format("{}{}", kContext, cgroup));
  items.push_back(fmt::format("{}{}", kAddress, format_added({"lo", default_lback6(xid)})));
  return items;
}

namespace {

// The groups of the guest may ping in a network of its own: without raw sockets, which take a
// capability, and as on hosts with systemd.
Status allow_ping(FdRef netns, std::uint32_t first_gid) {
  constexpr std::uint32_t kLastGid = 0x7fffffff;  // the kernel takes no higher one there
  if (first_gid > kLastGid - 0xffff) return {};
  Fd const own = VS_TRY(open_path("/proc/self/ns/net", O_RDONLY));
  if (::setns(netns.get(), CLONE_NEWNET) != 0)
    return Error::system(errno, "enter network namespace");
  auto done = write_knob("/proc/sys/net/ipv4/ping_group_range",
                         fmt::format("{} {}", first_gid, first_gid + 0xffff));
  VS_CHECK(::setns(own.get(), CLONE_NEWNET) == 0);
  return done;
}

}  // namespace

Status apply_network(const GuestConfig& config, std::uint32_t xid, int init_pid) {
  auto const addresses = VS_TRY(plan(config));
  Fd netns;
  if (config.net == NetMode::Private) {
    netns = VS_TRY(open_path(fmt::format("/proc/{}/ns/net", init_pid), O_RDONLY));
    auto const ping = allow_ping(netns, config.userns ? xid << 16U : 0);
    if (!ping) warn("guest '{}': no ping: {}", config.name, ping.error().message());
  }
  // A network of its own without addresses is there already, its loopback up.
  if (config.net == NetMode::Private && addresses.empty()) return {};
  Netlink netlink = VS_TRY(Netlink::open());
  if (config.net != NetMode::Private) {
    VS_TRY(add_host_addresses(netlink, addresses), "add addresses");
    if (config.net == NetMode::Host) return join_as_host(config.name, xid);
    return join_shared(config, xid, init_pid, addresses);
  }
  for (auto const& text :
       VS_TRY(connect_private(netlink, netns, {xid, addresses}), "private network"))
    warn("{}", text);
  return cover_new_devices();
}

void undo_network(const std::vector<std::string>& items) noexcept {
  if (items.empty()) return;
  auto netlink = Netlink::open();
  if (!netlink) return warn("take the network away: {}", netlink.error().message());
  for (std::string_view const item : items) {
    if (auto const done = undo_item(*netlink, item); !done)
      warn("take the network away: {}", done.error().message());
  }
}

Result<std::vector<std::string>> list_addresses(const GuestConfig& config) {
  std::vector<std::string> out;
  for (auto const& entry : VS_TRY(plan(config))) {
    auto text = format_address(entry.address);
    if (!entry.dev.empty()) text += " on " + entry.dev;
    if (!entry.label.empty()) text += fmt::format(" as {}", entry.label);
    if (config.net == NetMode::Host && entry.nodev) text += " (there already)";
    out.push_back(std::move(text));
  }
  return out;
}

}  // namespace vs
