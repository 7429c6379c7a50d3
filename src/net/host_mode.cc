// SPDX-License-Identifier: GPL-2.0-or-later
#include "net/host_mode.h"

#include <errno.h>
#include <net/if.h>

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/log.h"
#include "base/scope_exit.h"
#include "base/text.h"
#include "sys/file.h"

namespace vs {

namespace {

// Adds one address; false when the device has it already.
Result<bool> add_one(Netlink& netlink, const HostAddress& wanted,
                     std::span<const LinkAddress> present) {
  auto const link = VS_TRY(netlink.link_index(wanted.dev));
  auto const same = [&](const LinkAddress& one) {
    return one.link == link && one.address.same_host(wanted.address);
  };
  bool added = false;
  if (std::none_of(present.begin(), present.end(), same)) {
    NewAddress request;
    request.address = wanted.address;
    request.peer = wanted.peer;
    request.broadcast = wanted.broadcast;
    request.label = wanted.label;
    // The guest's servers bind to it at once; a second owner would be the administrator's mistake.
    request.no_dad = true;
    auto done = netlink.add_address(link, request);
    if (!done && done.error().sys() != EEXIST) return std::move(done).error();
    added = done.has_value();
  }
  if (wanted.down) return added;
  auto up = netlink.set_link_up(link);
  if (!up && added) (void)netlink.delete_address(link, wanted.address).has_value();
  if (!up) return std::move(up).error();
  return added;
}

Status remove_one(Netlink& netlink, const AddedAddress& added) {
  auto const link = VS_TRY(netlink.find_link(added.dev));
  if (!link) return {};
  if (added.address.family == AF_INET) {
    // When the first address of a subnet goes, the kernel takes the others of this subnet along
    // unless this is set: other guests would lose theirs.
    VS_TRY(
        write_knob(fmt::format("/proc/sys/net/ipv4/conf/{}/promote_secondaries", added.dev), "1"));
  }
  auto done = netlink.delete_address(*link, added.address);
  if (!done && done.error().sys() != EADDRNOTAVAIL) return std::move(done).error();
  return {};
}

}  // namespace

std::string format_added(const AddedAddress& added) {
  return fmt::format("{} {}", added.dev, format_address(added.address));
}

Result<AddedAddress> parse_added(std::string_view line) {
  auto const words = split_words(line);
  if (words.size() != 2) {
    return Error::make(Errc::Config, "'{}' is not a device and an address", line);
  }
  return AddedAddress{std::string{words[0]}, VS_TRY(parse_address(words[1]))};
}

Result<std::vector<AddedAddress>> add_host_addresses(Netlink& netlink,
                                                     std::span<const HostAddress> addresses) {
  auto const present = VS_TRY(netlink.addresses());
  std::vector<AddedAddress> added;
  ScopeExit undo{[&]() noexcept { remove_host_addresses(netlink, added); }};
  for (auto const& wanted : addresses) {
    if (wanted.nodev) continue;
    auto const is_new = VS_TRY(add_one(netlink, wanted, present), "address {} on '{}'",
                               format_address(wanted.address), wanted.dev);
    if (is_new) added.push_back({wanted.dev, wanted.address});
  }
  undo.release();
  return added;
}

Result<std::optional<std::string>> choose_device(Netlink& netlink, const Address& address) {
  std::optional<std::string> chosen = "lo";
  for (auto const& one : VS_TRY(netlink.addresses())) {
    if (one.address.same_host(address)) return std::optional<std::string>{};
    std::array<char, IF_NAMESIZE> name{};
    if (one.global && is_in(address, one.address) && ::if_indextoname(one.link, name.data()))
      chosen = name.data();
  }
  return chosen;
}

void remove_host_addresses(Netlink& netlink, std::span<const AddedAddress> added) noexcept {
  for (auto i = added.size(); i-- > 0;) {
    if (auto const done = remove_one(netlink, added[i]); !done) {
      warn("address {} stays on '{}': {}", format_address(added[i].address), added[i].dev,
           done.error().message());
    }
  }
}

}  // namespace vs
