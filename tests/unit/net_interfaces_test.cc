// SPDX-License-Identifier: GPL-2.0-or-later
#include <gtest/gtest.h>

#include "net/host_mode.h"
#include "net/interfaces.h"
#include "net/private_mode.h"

namespace vs {
namespace {

InterfaceConfig config(std::string ip) {
  InterfaceConfig result;
  result.dir = "interfaces/0";
  result.ip = std::move(ip);
  result.dev = "eth0";
  return result;
}

HostAddress plan(const InterfaceConfig& one) {
  auto const planned = plan_addresses({&one, 1});
  EXPECT_TRUE(planned) << planned.error().message();
  return planned ? planned->at(0) : HostAddress{};
}

std::string error_of(const InterfaceConfig& one) {
  auto const planned = plan_addresses({&one, 1});
  return planned ? "no error" : planned.error().message();
}

TEST(PlanAddresses, PrefixWinsOverMaskOverText) {
  auto one = config("10.0.0.3/8");
  EXPECT_EQ(format_address(plan(one).address), "10.0.0.3/8");
  one.mask = "255.255.0.0";
  EXPECT_EQ(format_address(plan(one).address), "10.0.0.3/16");
  one.prefix = "24";
  EXPECT_EQ(format_address(plan(one).address), "10.0.0.3/24");
  EXPECT_EQ(format_address(plan(config("10.0.0.3")).address), "10.0.0.3/32");
}

TEST(PlanAddresses, Ipv6IgnoresInheritedIpv4Settings) {
  auto one = config("2001:db8::3");
  one.mask = "255.255.255.0";
  one.bcast = "10.0.0.255";
  one.name = "web";
  auto const planned = plan(one);
  EXPECT_EQ(format_address(planned.address), "2001:db8::3/128");
  EXPECT_FALSE(planned.broadcast);
  EXPECT_EQ(planned.label, "");
}

TEST(PlanAddresses, Broadcast) {
  auto one = config("10.0.0.3/24");
  EXPECT_EQ(format_host(*plan(one).broadcast), "10.0.0.255");
  one.bcast = "10.0.0.127";
  EXPECT_EQ(format_host(*plan(one).broadcast), "10.0.0.127");
  one.bcast = "+";
  EXPECT_EQ(format_host(*plan(one).broadcast), "10.0.0.255");
  one.bcast = "all";
  EXPECT_EQ(error_of(one), "interfaces/0: bcast: 'all' is not an IPv4 or IPv6 address");
}

TEST(PlanAddresses, LabelHasAtMost15Characters) {
  auto one = config("10.0.0.3");
  one.name = "0123456789";
  EXPECT_EQ(plan(one).label, "eth0:0123456789");
  one.name = "0123456789a";
  EXPECT_EQ(error_of(one),
            "interfaces/0: name: label 'eth0:0123456789a' has 16 characters; the kernel takes 15");
}

TEST(PlanAddresses, NamesTheDirectory) {
  EXPECT_EQ(error_of(config("")), "interfaces/0: no address: 'ip' is missing");
  EXPECT_EQ(error_of(config("10.0.0.300")),
            "interfaces/0: ip: '10.0.0.300' is not an IPv4 or IPv6 address");
  auto one = config("10.0.0.3");
  one.dev = "";
  EXPECT_EQ(error_of(one), "interfaces/0: no device: neither 'dev' nor 'nodev' is there");
  one.nodev = true;
  EXPECT_EQ(plan(one).dev, "");
  one = config("10.0.0.3");
  one.mask = "255.0.255.0";
  EXPECT_EQ(error_of(one).substr(0, 20), "interfaces/0: mask: ");
  one = config("10.0.0.3");
  one.dev = "../all";
  EXPECT_EQ(error_of(one), "interfaces/0: dev: '../all' is not the name of a network device");
}

TEST(PlanAddresses, Peer) {
  auto one = config("10.0.0.3");
  one.peer = "10.0.0.4";
  EXPECT_EQ(format_host(*plan(one).peer), "10.0.0.4");
  one.peer = "::1";
  EXPECT_EQ(error_of(one), "interfaces/0: peer '::1' and ip '10.0.0.3' are of different kinds");
}

TEST(PlanAddresses, KeepsOrderAndSkipsDisabled) {
  std::vector<InterfaceConfig> all{config("10.0.0.2"), config(""), config("10.0.0.1")};
  all[1].disabled = true;
  auto const planned = plan_addresses(all);
  ASSERT_TRUE(planned);
  ASSERT_EQ(planned->size(), 2U);
  EXPECT_EQ(format_host(planned->at(0).address), "10.0.0.2");
  EXPECT_EQ(format_host(planned->at(1).address), "10.0.0.1");
}

TEST(AddedAddress, RoundTrip) {
  for (std::string_view const line : {"eth0 10.0.0.3/24", "eth0.7 2001:db8::3/64"}) {
    auto const added = parse_added(line);
    ASSERT_TRUE(added);
    EXPECT_EQ(format_added(*added), line);
  }
  EXPECT_FALSE(parse_added(""));
  EXPECT_FALSE(parse_added("eth0"));
  EXPECT_FALSE(parse_added("eth0 10.0.0.3/24 more"));
}

TEST(PrivateNet, LinkNameFits) {
  EXPECT_EQ(private_link_name(28700), "vs28700");
  EXPECT_LE(private_link_name(0xffffffffU).size(), 15U);
}

}  // namespace
}  // namespace vs
