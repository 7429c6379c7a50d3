// SPDX-License-Identifier: GPL-2.0-or-later
// The decisions that the kernel makes for contexts, compiled here from the same header.
#include <arpa/inet.h>

#include <cstring>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "bpf/rules.h"
#include "net/shared_context.h"

namespace vs {
namespace {

std::uint32_t ip4(const char* text) {
  in_addr out{};
  EXPECT_EQ(::inet_pton(AF_INET, text, &out), 1) << text;
  return out.s_addr;
}

vs_addr ip6(const char* text) {
  vs_addr out{};
  EXPECT_EQ(::inet_pton(AF_INET6, text, &out), 1) << text;
  return out;
}

NetContext example() {
  NetContext c;
  c.cgroup = 7;
  c.nid = 1001;
  c.nflags = default_nflags();
  c.ncaps = default_ncaps();
  c.lback = default_lback(1001);
  c.lback6 = default_lback6(1001);
  for (auto const* text :
       {"10.0.0.1/24", "192.168.7.1/16", "10.0.0.2/24", "2001:db8::1/64", "2001:db8:1::1/48"})
    c.addresses.push_back(*parse_address(text));
  return c;
}

vs_context record() {
  return encode_context(example(), nullptr);
}

TEST(NetRules, TheLoopbackAddressIsTheOriginals) {
  EXPECT_EQ(format_host(default_lback(1001)), "127.3.233.1");
  EXPECT_EQ(format_host(default_lback6(1001)), "fd76:7365:7276:6572::3e9");
  auto const inside = ip6("fd76:7365:7276:6572::3e9");
  EXPECT_TRUE(vs_is_lback6(&inside));
  auto const outside = ip6("fd76:7365:7276:6573::3e9");
  EXPECT_FALSE(vs_is_lback6(&outside));
}

TEST(NetRules, TheFirstAddressNeedsNoLookup) {
  auto c = record();
  auto const first6 = ip6("2001:db8::1");
  auto const second6 = ip6("2001:db8:1::1");
  auto const mapped = ip6("::ffff:10.0.0.1");
  EXPECT_TRUE(vs_is_first4(&c, ip4("10.0.0.1")));
  EXPECT_TRUE(vs_is_first6(&c, &first6));
  EXPECT_FALSE(vs_is_first4(&c, ip4("10.0.0.2")));
  EXPECT_FALSE(vs_is_first4(&c, c.lback4));
  EXPECT_FALSE(vs_is_first6(&c, &second6));
  EXPECT_FALSE(vs_is_first6(&c, &mapped));
  EXPECT_FALSE(vs_is_first6(&c, &c.lback6));
}

TEST(NetRules, AFormerFirstAddressIsNoLongerOne) {
  auto const before = record();
  auto moved = example();
  moved.addresses = {*parse_address("10.0.0.2/24")};
  auto c = encode_context(moved, &before);
  auto const former6 = ip6("2001:db8::1");
  EXPECT_FALSE(vs_is_first4(&c, ip4("10.0.0.1")));
  EXPECT_TRUE(vs_is_first4(&c, ip4("10.0.0.2")));
  EXPECT_FALSE(vs_is_first6(&c, &former6));
}

TEST(NetRules, NoAddressIsNotTheFirst) {
  auto bare = example();
  bare.addresses.clear();
  auto c = encode_context(bare, nullptr);
  vs_addr const any{};
  EXPECT_FALSE(vs_is_first4(&c, 0));
  EXPECT_FALSE(vs_is_first6(&c, &any));
  EXPECT_FALSE(vs_is_first4(&c, c.lback4));
}

TEST(NetRules, BindToIpv4) {
  struct Case {
    const char* address;
    bool member;
    vs_verdict expected;
  };
  auto const c = record();
  for (auto const& one :
       {Case{"0.0.0.0", false, VS_TO_ANY}, Case{"10.0.0.1", true, VS_AS_IT_IS},
        Case{"10.0.0.9", false, VS_REFUSED}, Case{"127.0.0.1", false, VS_TO_LBACK},
        Case{"127.3.233.1", false, VS_AS_IT_IS}, Case{"127.0.0.2", false, VS_REFUSED},
        Case{"127.3.234.1", false, VS_REFUSED}, Case{"224.0.0.1", false, VS_REFUSED}}) {
    EXPECT_EQ(vs_bind4(&c, ip4(one.address), one.member), one.expected) << one.address;
  }
  auto free = c;
  free.nflags = VS_NXF_LBACK_ALLOW;
  free.ncaps = VS_NXC_MULTICAST;
  EXPECT_EQ(vs_bind4(&free, ip4("127.0.0.1"), 0), VS_AS_IT_IS);
  EXPECT_EQ(vs_bind4(&free, ip4("224.0.0.1"), 0), VS_AS_IT_IS);
  auto strict = c;
  strict.nflags = 0;
  EXPECT_EQ(vs_bind4(&strict, ip4("127.0.0.1"), 0), VS_REFUSED);
}

TEST(NetRules, BindToIpv6) {
  struct Case {
    const char* address;
    bool member;
    vs_verdict expected;
  };
  auto const c = record();
  for (auto const& one :
       {Case{"::", false, VS_TO_ANY}, Case{"2001:db8::1", true, VS_AS_IT_IS},
        Case{"2001:db8::2", false, VS_REFUSED}, Case{"::1", false, VS_TO_LBACK},
        Case{"fd76:7365:7276:6572::3e9", false, VS_AS_IT_IS},
        Case{"fd76:7365:7276:6572::3ea", false, VS_REFUSED}, Case{"ff02::1", false, VS_REFUSED}}) {
    auto const address = ip6(one.address);
    EXPECT_EQ(vs_bind6(&c, &address, one.member), one.expected) << one.address;
  }
  auto without = c;
  without.lback6 = vs_addr{};
  auto const loopback = ip6("::1");
  EXPECT_EQ(vs_bind6(&without, &loopback, 0), VS_REFUSED);
}

TEST(NetRules, Destinations) {
  auto const c = record();
  EXPECT_EQ(vs_to4(&c, ip4("8.8.8.8")), VS_AS_IT_IS);
  EXPECT_EQ(vs_to4(&c, ip4("127.0.0.1")), VS_TO_LBACK);
  EXPECT_EQ(vs_to4(&c, ip4("127.9.9.9")), VS_TO_LBACK);
  EXPECT_EQ(vs_to4(&c, 0), VS_TO_LBACK);
  auto strict = c;
  strict.nflags = 0;
  EXPECT_EQ(vs_to4(&strict, ip4("127.0.0.1")), VS_REFUSED);
  strict.nflags = VS_NXF_LBACK_ALLOW;
  EXPECT_EQ(vs_to4(&strict, ip4("127.0.0.1")), VS_AS_IT_IS);
  for (auto const* text : {"::", "::1", "fd76:7365:7276:6572::3e9"}) {
    auto const address = ip6(text);
    EXPECT_EQ(vs_to6(&c, &address), VS_TO_LBACK) << text;
  }
  auto const foreign = ip6("fd76:7365:7276:6572::3ea");
  EXPECT_EQ(vs_to6(&c, &foreign), VS_REFUSED);
}

TEST(NetRules, TheSourceIsTheNearestAddress) {
  auto c = record();
  EXPECT_EQ(vs_source_for4(&c, ip4("8.8.8.8")), ip4("10.0.0.1"));
  EXPECT_EQ(vs_source_for4(&c, ip4("192.168.9.9")), ip4("192.168.7.1"));
  EXPECT_EQ(vs_source_for4(&c, ip4("10.0.0.2")), ip4("10.0.0.2"));
  EXPECT_EQ(vs_source_for4(&c, ip4("10.0.0.77")), ip4("10.0.0.1"));
  c.nflags |= VS_NXF_SINGLE_IP;
  EXPECT_EQ(vs_source_for4(&c, ip4("192.168.9.9")), ip4("10.0.0.1"));
  auto const near = ip6("2001:db8:1:2::3");
  auto const far = ip6("2001:4860::8888");
  EXPECT_EQ(vs_source_for6(&c, &near), 1U);
  EXPECT_EQ(vs_source_for6(&c, &far), 0U);
  c.n6 = 0;
  EXPECT_EQ(vs_source_for6(&c, &far), +VS_NET_SOURCES);
}

TEST(NetRules, Sockets) {
  auto c = record();
  EXPECT_EQ(vs_may_open(&c, AF_INET, SOCK_STREAM, 6), 0);
  EXPECT_EQ(vs_may_open(&c, AF_INET6, SOCK_DGRAM, 17), 0);
  EXPECT_EQ(vs_may_open(&c, AF_INET, SOCK_STREAM, 262), 0);
  EXPECT_EQ(vs_may_open(&c, AF_INET, SOCK_DGRAM, 1), 0);
  EXPECT_EQ(vs_may_open(&c, AF_INET, SOCK_RAW, 1), 0);
  EXPECT_EQ(vs_may_open(&c, AF_INET, SOCK_RAW, 6), EPERM);
  EXPECT_EQ(vs_may_open(&c, AF_INET, SOCK_DGRAM, 136), EPROTONOSUPPORT);
  c.ncaps = 0;
  EXPECT_EQ(vs_may_open(&c, AF_INET, SOCK_RAW, 1), EPERM);
  c.n4 = c.n6 = 0;
  EXPECT_EQ(vs_may_open(&c, AF_INET, SOCK_STREAM, 6), 0);  // its loopback address
  c.nflags = 0;
  EXPECT_EQ(vs_may_open(&c, AF_INET, SOCK_STREAM, 6), EAFNOSUPPORT);
  EXPECT_EQ(vs_may_open(&c, AF_INET6, SOCK_STREAM, 6), EAFNOSUPPORT);
}

TEST(NetRules, SocketOptions) {
  auto c = record();
  EXPECT_EQ(vs_may_set(&c, SOL_SOCKET, SO_BINDTODEVICE), EPERM);
  EXPECT_EQ(vs_may_set(&c, SOL_SOCKET, SO_REUSEADDR), 0);
  EXPECT_EQ(vs_may_set(&c, IPPROTO_IP, IP_FREEBIND), EPERM);
  EXPECT_EQ(vs_may_set(&c, IPPROTO_IP, IP_TRANSPARENT), EPERM);
  EXPECT_EQ(vs_may_set(&c, IPPROTO_IP, IP_ADD_MEMBERSHIP), EPERM);
  EXPECT_EQ(vs_may_set(&c, IPPROTO_IP, IP_TTL), 0);
  EXPECT_EQ(vs_may_set(&c, IPPROTO_IPV6, IPV6_V6ONLY), 0);
  EXPECT_EQ(vs_may_set(&c, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP), EPERM);
  c.ncaps |= VS_NXC_MULTICAST;
  EXPECT_EQ(vs_may_set(&c, IPPROTO_IP, IP_ADD_MEMBERSHIP), 0);
  EXPECT_EQ(vs_may_set(&c, IPPROTO_IP, IP_TRANSPARENT), EPERM);
}

TEST(NetRules, Packets) {
  auto const c = record();
  auto const own = ip4("10.0.0.1");
  auto const lback = ip4("127.3.233.1");
  auto const peer = ip4("8.8.8.8");
  auto const localhost = ip4("127.0.0.1");
  EXPECT_TRUE(vs_packet4(&c, own, peer, 1, 1, 0, 0));
  EXPECT_FALSE(vs_packet4(&c, ip4("10.0.0.9"), peer, 0, 1, 0, 0));
  EXPECT_FALSE(vs_packet4(&c, ip4("10.0.0.9"), peer, 0, 0, 1, 0));
  EXPECT_FALSE(vs_packet4(&c, own, localhost, 1, 1, 0, 0));
  EXPECT_FALSE(vs_packet4(&c, own, ip4("127.3.234.1"), 1, 1, 0, 0));
  EXPECT_TRUE(vs_packet4(&c, own, lback, 1, 1, 0, 0));
  EXPECT_TRUE(vs_packet4(&c, lback, lback, 0, 1, 0, 0));
  EXPECT_FALSE(vs_packet4(&c, lback, peer, 0, 1, 0, 0));
  EXPECT_TRUE(vs_packet4(&c, lback, own, 1, 1, 0, 0));
  EXPECT_TRUE(vs_packet4(&c, lback, lback, 0, 0, 1, 0));
  EXPECT_FALSE(vs_packet4(&c, lback, lback, 0, 0, 0, 0));
  EXPECT_FALSE(vs_packet4(&c, localhost, localhost, 0, 1, 0, 0));
  EXPECT_TRUE(vs_packet4(&c, localhost, localhost, 0, 1, 0, 1));
  EXPECT_FALSE(vs_packet4(&c, ip4("239.1.1.1"), peer, 0, 0, 0, 0));
}

TEST(NetContexts, RecordsKeepWhatTheyDescribe) {
  auto const context = example();
  auto const back = decode_context(7, record());
  EXPECT_EQ(back, context);
}

TEST(NetContexts, AFormerFirstAddressStaysAnAnchor) {
  auto context = example();
  auto const first = encode_context(context, nullptr);
  EXPECT_EQ(first.anchor4[0], ip4("10.0.0.1"));
  EXPECT_EQ(first.anchor4[1], 0U);
  std::rotate(context.addresses.begin(), context.addresses.begin() + 1, context.addresses.end());
  auto const second = encode_context(context, &first);
  EXPECT_EQ(second.anchor4[0], ip4("192.168.7.1"));
  EXPECT_EQ(second.anchor4[1], ip4("10.0.0.1"));
  auto const third = encode_context(example(), &second);
  EXPECT_EQ(third.anchor4[0], ip4("10.0.0.1"));
  EXPECT_EQ(third.anchor4[1], ip4("192.168.7.1"));
  EXPECT_EQ(third.anchor4[2], 0U);
}

}  // namespace
}  // namespace vs
