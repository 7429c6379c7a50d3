// SPDX-License-Identifier: GPL-2.0-or-later
#include "net/interfaces.h"

#include <net/if.h>

#include <fmt/format.h>

namespace vs {

namespace {

Status check_device(const std::string& dev) {
  if (dev.size() >= IFNAMSIZ || dev.find_first_of("/: \t") != std::string::npos) {
    return Error::make(Errc::Config, "'{}' is not the name of a network device", dev);
  }
  return {};
}

Result<std::string> plan_label(const InterfaceConfig& config, const Address& address) {
  // The kernel knows labels for IPv4 only.
  if (config.name.empty() || config.dev.empty() || address.family != AF_INET) return std::string{};
  auto label = fmt::format("{}:{}", config.dev, config.name);
  if (label.size() >= IFNAMSIZ) {
    return Error::make(Errc::Config, "label '{}' has {} characters; the kernel takes {}", label,
                       label.size(), IFNAMSIZ - 1);
  }
  return label;
}

Result<std::optional<Address>> plan_broadcast(const InterfaceConfig& config,
                                              const Address& address) {
  if (config.bcast.empty() || config.bcast == "+") return broadcast_of(address);
  if (address.family != AF_INET) return std::optional<Address>{};
  auto const broadcast = VS_TRY(parse_address(config.bcast), "bcast");
  if (broadcast.family != AF_INET) {
    return Error::make(Errc::Config, "bcast: '{}' is not an IPv4 address", config.bcast);
  }
  return std::optional{broadcast};
}

Result<std::optional<Address>> plan_peer(const InterfaceConfig& config, const Address& address) {
  if (config.peer.empty()) return std::optional<Address>{};
  auto const peer = VS_TRY(parse_address(config.peer), "peer");
  if (peer.family != address.family) {
    return Error::make(Errc::Config, "peer '{}' and ip '{}' are of different kinds", config.peer,
                       config.ip);
  }
  return std::optional{peer};
}

Result<HostAddress> plan_address(const InterfaceConfig& config) {
  if (config.ip.empty()) return Error::make(Errc::Config, "no address: 'ip' is missing");
  if (config.dev.empty() && !config.nodev) {
    return Error::make(Errc::Config, "no device: neither 'dev' nor 'nodev' is there");
  }
  HostAddress planned;
  planned.address = VS_TRY(parse_address(config.ip), "ip");
  auto& address = planned.address;
  if (!config.prefix.empty()) {
    address.prefix = VS_TRY(parse_prefix(config.prefix, address.family), "prefix");
  } else if (!config.mask.empty() && address.family == AF_INET) {
    address.prefix = VS_TRY(parse_mask(config.mask), "mask");
  }
  VS_TRY(check_device(config.dev), "dev");
  planned.dev = config.dev;
  planned.label = VS_TRY(plan_label(config, address), "name");
  planned.broadcast = VS_TRY(plan_broadcast(config, address));
  planned.peer = VS_TRY(plan_peer(config, address));
  planned.nodev = config.nodev;
  planned.down = config.down;
  return planned;
}

}  // namespace

Result<std::vector<HostAddress>> plan_addresses(std::span<const InterfaceConfig> interfaces) {
  std::vector<HostAddress> planned;
  for (auto const& config : interfaces) {
    if (config.disabled) continue;
    planned.push_back(VS_TRY(plan_address(config), "{}", config.dir));
  }
  return planned;
}

}  // namespace vs
