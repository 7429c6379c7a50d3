// SPDX-License-Identifier: GPL-2.0-or-later
#include <gtest/gtest.h>

#include "net/address.h"

namespace vs {
namespace {

std::string round_trip(std::string_view text) {
  auto const address = parse_address(text);
  return address ? format_address(*address) : address.error().message();
}

TEST(Address, ParsesBothFamilies) {
  EXPECT_EQ(round_trip("10.0.0.3"), "10.0.0.3/32");
  EXPECT_EQ(round_trip("10.0.0.3/24"), "10.0.0.3/24");
  EXPECT_EQ(round_trip("0.0.0.0/0"), "0.0.0.0/0");
  EXPECT_EQ(round_trip("2001:db8::3"), "2001:db8::3/128");
  EXPECT_EQ(round_trip("2001:DB8:0:0::3/64"), "2001:db8::3/64");
}

TEST(Address, RefusesWhatIsNone) {
  for (std::string_view const text :
       {"", "10.0.0.300", "10.0.0", "10.0.0.1 ", "fe80::1::2", "eth0", "/24", "010.0.0.1"}) {
    EXPECT_EQ(round_trip(text), fmt::format("'{}' is not an IPv4 or IPv6 address", text));
  }
  EXPECT_EQ(round_trip("10.0.0.1/33"),
            "'10.0.0.1/33': '33' is not a prefix length of IPv4 (0 to 32)");
  EXPECT_EQ(round_trip("::1/129"), "'::1/129': '129' is not a prefix length of IPv6 (0 to 128)");
  EXPECT_FALSE(parse_address("10.0.0.1/"));
  EXPECT_FALSE(parse_address("10.0.0.1/-1"));
}

TEST(Address, SameHostIgnoresPrefix) {
  EXPECT_TRUE(parse_address("10.0.0.1/8")->same_host(*parse_address("10.0.0.1/24")));
  EXPECT_FALSE(parse_address("10.0.0.1")->same_host(*parse_address("10.0.0.2")));
  EXPECT_FALSE(parse_address("0.0.0.0")->same_host(*parse_address("::")));
}

TEST(Address, Masks) {
  EXPECT_EQ(*parse_mask("255.255.255.0"), 24U);
  EXPECT_EQ(*parse_mask("255.255.255.255"), 32U);
  EXPECT_EQ(*parse_mask("255.128.0.0"), 9U);
  EXPECT_EQ(*parse_mask("0.0.0.0"), 0U);
  for (std::string_view const text : {"255.0.255.0", "0.0.0.255", "255.255.255.1", "24", "", "x"}) {
    EXPECT_FALSE(parse_mask(text)) << text;
  }
}

TEST(Address, Broadcast) {
  EXPECT_EQ(format_host(*broadcast_of(*parse_address("10.1.2.3/8"))), "10.255.255.255");
  EXPECT_EQ(format_host(*broadcast_of(*parse_address("10.1.2.3/23"))), "10.1.3.255");
  EXPECT_EQ(format_host(*broadcast_of(*parse_address("10.1.2.3/30"))), "10.1.2.3");
  EXPECT_FALSE(broadcast_of(*parse_address("10.1.2.3/31")));
  EXPECT_FALSE(broadcast_of(*parse_address("10.1.2.3")));
  EXPECT_FALSE(broadcast_of(*parse_address("2001:db8::1/64")));
}

}  // namespace
}  // namespace vs
