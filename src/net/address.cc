// SPDX-License-Identifier: GPL-2.0-or-later
#include "net/address.h"

#include <arpa/inet.h>

#include <bit>

#include <fmt/format.h>

#include "base/text.h"

namespace vs {

namespace {

constexpr unsigned max_prefix(int family) {
  return family == AF_INET ? 32 : 128;
}

}  // namespace

Result<Address> parse_address(std::string_view text) {
  auto const slash = text.find('/');
  std::string const host{text.substr(0, slash)};
  Address address;
  address.family = host.find(':') == std::string::npos ? AF_INET : AF_INET6;
  if (::inet_pton(address.family, host.c_str(), address.bytes.data()) != 1) {
    return Error::make(Errc::Config, "'{}' is not an IPv4 or IPv6 address", text);
  }
  address.prefix = max_prefix(address.family);
  if (slash != std::string_view::npos) {
    address.prefix = VS_TRY(parse_prefix(text.substr(slash + 1), address.family), "'{}'", text);
  }
  return address;
}

Result<unsigned> parse_prefix(std::string_view text, int family) {
  auto const number = parse_decimal(text);
  if (!number || *number > max_prefix(family)) {
    return Error::make(Errc::Config, "'{}' is not a prefix length of {} (0 to {})", text,
                       family == AF_INET ? "IPv4" : "IPv6", max_prefix(family));
  }
  return static_cast<unsigned>(*number);
}

Result<unsigned> parse_mask(std::string_view text) {
  in_addr parsed{};
  if (::inet_pton(AF_INET, std::string{text}.c_str(), &parsed) != 1) {
    return Error::make(Errc::Config, "'{}' is not a network mask such as 255.255.255.0", text);
  }
  auto const bits = ntohl(parsed.s_addr);
  auto const ones = std::countl_one(bits);
  if (ones != std::popcount(bits)) {
    return Error::make(Errc::Config, "'{}' is not a network mask: its ones are not contiguous",
                       text);
  }
  return static_cast<unsigned>(ones);
}

std::string format_host(const Address& address) {
  char text[INET6_ADDRSTRLEN] = "";
  VS_CHECK(::inet_ntop(address.family, address.bytes.data(), text, sizeof text) != nullptr);
  return text;
}

std::string format_address(const Address& address) {
  return fmt::format("{}/{}", format_host(address), address.prefix);
}

bool is_in(const Address& address, const Address& network) {
  if (address.family != network.family) return false;
  for (unsigned bit = 0; bit < network.prefix; ++bit) {
    unsigned const mask = 0x80U >> (bit % 8);
    if (((address.bytes[bit / 8] ^ network.bytes[bit / 8]) & mask) != 0) return false;
  }
  return true;
}

std::optional<Address> broadcast_of(const Address& address) {
  if (address.family != AF_INET || address.prefix > 30) return std::nullopt;
  Address result = address;
  for (unsigned bit = address.prefix; bit < 32; ++bit) {
    auto& byte = result.bytes[bit / 8];
    byte = static_cast<std::uint8_t>(byte | (0x80U >> (bit % 8)));
  }
  return result;
}

}  // namespace vs
