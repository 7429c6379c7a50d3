// SPDX-License-Identifier: GPL-2.0-or-later
// The programs of the shared network between two contexts, their host, and a client on a link.
#include <gtest/gtest.h>

#include "net_rig.h"

namespace vs::rig {
namespace {

class SharedNet : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto made = Host::make();
    ASSERT_TRUE(made) << made.error().message();
    host = std::move(*made).release();
    auto one = host->context(
        28701, {"10.9.0.11/24", "10.9.0.12/24", "10.9.0.13/24", "fd09::11/64", "fd09::12/64"});
    ASSERT_TRUE(one) << one.error().message();
    g1 = *one;
    auto two = host->context(28702, {"10.9.0.21/24", "10.9.0.22/24", "fd09::21/64"});
    ASSERT_TRUE(two) << two.error().message();
    g2 = *two;
  }
  static void TearDownTestSuite() {
    delete host;
    host = nullptr;
  }
  static Host* host;
  static Where g1;
  static Where g2;
};
Host* SharedNet::host = nullptr;
Where SharedNet::g1;
Where SharedNet::g2;

TEST_F(SharedNet, TwoContextsServeTheSamePortOnAnyAddress) {
  for (auto const& kind : {kTcp, kUdp}) {
    SCOPED_TRACE(kind.type);
    bool const tcp = kind.type == SOCK_STREAM;
    Server const one{g1, "one", "0.0.0.0", 80, kind};
    Server const two{g2, "two", "0.0.0.0", 80, kind};
    EXPECT_EQ(one.state(), "up 0.0.0.0");
    EXPECT_EQ(two.state(), "up 0.0.0.0");
    EXPECT_EQ(ask(host->client(), "10.9.0.11", 80, kind).substr(0, 3), "one");
    for (auto const* const other : {"10.9.0.12", "10.9.0.13"}) {
      if (!tcp) continue;
      EXPECT_EQ(ask(host->client(), other, 80), fmt::format("one {} 10.9.0.9", other));
    }
    EXPECT_EQ(ask(host->client(), "10.9.0.21", 80, kind).substr(0, 3), "two");
    EXPECT_EQ(ask(host->client(), "10.9.0.1", 80, kind), "ECONNREFUSED");
  }
}

// The answer of a datagram server without IP_PKTINFO comes from the first address, whichever was
// asked: a connected client does not take it, as with any host that has several addresses.
TEST_F(SharedNet, DatagramsReachAllAddresses) {
  Server const one{g1, "one", "0.0.0.0", 53, kUdp};
  EXPECT_EQ(ask_unconnected(host->client(), "10.9.0.11", 53), "one 10.9.0.9 from 10.9.0.11");
  EXPECT_EQ(ask_unconnected(host->client(), "10.9.0.12", 53), "one 10.9.0.9 from 10.9.0.11");
  Server const six{g2, "six", "::", 53, kUdp};
  EXPECT_EQ(six.state(), "up ::");
  EXPECT_EQ(ask_unconnected(host->client(), "fd09::21", 53), "six fd09::9 from fd09::21");
  EXPECT_EQ(ask_unconnected(host->client(), "10.9.0.22", 53), "six ::ffff:10.9.0.9 from 10.9.0.21");
}

TEST_F(SharedNet, DualStackServersAnswerBothKinds) {
  for (auto const& kind : {Kind{}, Kind{SOCK_STREAM, 0, false, true}, Kind{SOCK_STREAM, 262}}) {
    SCOPED_TRACE(fmt::format("{} {}", kind.protocol, kind.reuseport));
    Server const one{g1, "one", "::", 80, kind};
    Server const two{g2, "two", "::", 80, kind};
    EXPECT_EQ(one.state().substr(0, 2), "up");
    EXPECT_EQ(two.state().substr(0, 2), "up");
    EXPECT_EQ(ask(host->client(), "10.9.0.11", 80), "one ::ffff:10.9.0.11 ::ffff:10.9.0.9");
    EXPECT_EQ(ask(host->client(), "10.9.0.12", 80), "one ::ffff:10.9.0.12 ::ffff:10.9.0.9");
    EXPECT_EQ(ask(host->client(), "fd09::11", 80), "one fd09::11 fd09::9");
    EXPECT_EQ(ask(host->client(), "fd09::12", 80), "one fd09::12 fd09::9");
    EXPECT_EQ(ask(host->client(), "fd09::21", 80), "two fd09::21 fd09::9");
    EXPECT_EQ(ask(host->client(), "fd09::1", 80), "ECONNREFUSED");
    EXPECT_EQ(ask(g1, "::1", 80), "one ::1 ::1");
    EXPECT_EQ(ask(g1, "127.0.0.1", 80), "one ::ffff:127.0.0.1 ::ffff:127.0.0.1");
    EXPECT_EQ(ask(g2, "::1", 80), "two ::1 ::1");
  }
}

TEST_F(SharedNet, OneKindOnly) {
  Server const six{g1, "six", "::", 80, {SOCK_STREAM, 0, true}};
  Server const four{g1, "four", "0.0.0.0", 80};
  EXPECT_EQ(six.state(), "up ::");
  EXPECT_EQ(four.state(), "up 0.0.0.0");
  EXPECT_EQ(ask(host->client(), "fd09::12", 80), "six fd09::12 fd09::9");
  EXPECT_EQ(ask(host->client(), "10.9.0.12", 80), "four 10.9.0.12 10.9.0.9");
  EXPECT_EQ(ask(g1, "127.0.0.1", 80), "four 127.0.0.1 127.0.0.1");
}

TEST_F(SharedNet, AServerOnOneAddressAnswersThereOnly) {
  Server const one{g1, "one", "10.9.0.12", 8080};
  EXPECT_EQ(one.state(), "up 10.9.0.12");
  EXPECT_EQ(ask(host->client(), "10.9.0.12", 8080), "one 10.9.0.12 10.9.0.9");
  EXPECT_EQ(ask(host->client(), "10.9.0.11", 8080), "ECONNREFUSED");
  EXPECT_EQ(ask(g1, "127.0.0.1", 8080), "ECONNREFUSED");
}

TEST_F(SharedNet, ForeignAddressesCannotBeBound) {
  for (auto const& kind : {kTcp, kUdp}) {
    for (auto const* const address :
         {"10.9.0.21", "10.9.0.1", "8.8.8.8", "127.64.0.2", "127.0.0.2", "fd09::21", "fd09::1",
          "::ffff:10.9.0.21", "fd76:7365:7276:6572::701e", "224.0.0.1", "255.255.255.255"}) {
      EXPECT_EQ(try_bind(g1, address, 7000, kind), "EADDRNOTAVAIL") << address;
    }
    for (auto const* const address : {"10.9.0.11", "10.9.0.13", "fd09::12", "127.0.0.1", "::1",
                                      "::ffff:10.9.0.12", "::ffff:127.0.0.1", "127.112.29.1"}) {
      EXPECT_EQ(try_bind(g1, address, 7000, kind), "") << address;
    }
  }
}

TEST_F(SharedNet, LoopbackIsPrivate) {
  for (auto const& kind : {kTcp, kUdp}) {
    SCOPED_TRACE(kind.type);
    bool const tcp = kind.type == SOCK_STREAM;
    Server const one{g1, "one", "127.0.0.1", 5432, kind};
    Server const six{g1, "one", "::1", 5432, kind};
    Server const two{g2, "two", "127.0.0.1", 5432, kind};
    Server const hosts{Host::host(), "host", "127.0.0.1", 5432, kind};
    EXPECT_EQ(one.state(), "up 127.0.0.1");
    EXPECT_EQ(six.state(), "up ::1");
    auto const expected = [&](const char* word, const char* address) {
      return tcp ? fmt::format("{} {} {}", word, address, address)
                 : fmt::format("{} {}", word, address);
    };
    for (auto const* const address : {"127.0.0.1", "0.0.0.0", "127.0.1.1", "::ffff:127.0.0.1"})
      EXPECT_EQ(ask(g1, address, 5432, kind), expected("one", "127.0.0.1")) << address;
    EXPECT_EQ(ask(g1, "::1", 5432, kind), expected("one", "::1"));
    EXPECT_EQ(ask(g1, "::", 5432, kind), expected("one", "::1"));
    EXPECT_EQ(ask(g2, "127.0.0.1", 5432, kind), expected("two", "127.0.0.1"));
    EXPECT_EQ(ask(Host::host(), "127.0.0.1", 5432, kind), expected("host", "127.0.0.1"));
    EXPECT_EQ(ask(g2, "::1", 5432, kind), "ECONNREFUSED");
    // The host and others know the real addresses and get nowhere.
    EXPECT_EQ(ask(Host::host(), "127.112.29.1", 5432, kind), tcp ? "timeout" : "no answer");
    EXPECT_EQ(ask(Host::host(), "fd76:7365:7276:6572::701d", 5432, kind),
              tcp ? "timeout" : "no answer");
    EXPECT_EQ(ask(g2, "fd76:7365:7276:6572::701d", 5432, kind), "ECONNREFUSED");
    EXPECT_EQ(ask(g2, "127.112.29.1", 5432, kind), expected("two", "127.0.0.1"));
    if (!tcp) {
      EXPECT_EQ(ask_unconnected(g1, "127.0.0.1", 5432), "one 127.0.0.1 from 127.0.0.1");
      EXPECT_EQ(ask_unconnected(g1, "::1", 5432), "one ::1 from ::1");
      EXPECT_EQ(ask_unconnected(g2, "fd76:7365:7276:6572::701d", 5432), "ECONNREFUSED");
    }
  }
}

TEST_F(SharedNet, AHostServerOnAnyAddressIsNotTheGuestsLocalhost) {
  for (auto const& kind : {kTcp, kUdp}) {
    Server const hosts{Host::host(), "host", "0.0.0.0", 25, kind};
    Server const six{Host::host(), "host", "::", 25, {kind.type, 0, true}};
    EXPECT_EQ(hosts.state(), "up 0.0.0.0");
    EXPECT_EQ(ask(g1, "127.0.0.1", 25, kind), "ECONNREFUSED");
    EXPECT_EQ(ask(g1, "::1", 25, kind), "ECONNREFUSED");
    // As with the original, it takes the port from all contexts, and serves their addresses.
    EXPECT_EQ(try_bind(g1, "0.0.0.0", 25, kind), "EADDRINUSE");
    EXPECT_EQ(ask(g1, "10.9.0.1", 25, kind).substr(0, 4), "host");
  }
}

TEST_F(SharedNet, SourceAddresses) {
  Server const client{host->client(), "client", "0.0.0.0", 99};
  Server const client6{host->client(), "client", "::", 99, {SOCK_STREAM, 0, true}};
  Server const datagram{host->client(), "client", "::", 99, kUdp};
  EXPECT_EQ(ask(g1, "10.9.0.9", 99), "client 10.9.0.9 10.9.0.11");
  EXPECT_EQ(ask(g2, "10.9.0.9", 99), "client 10.9.0.9 10.9.0.21");
  EXPECT_EQ(ask(g1, "fd09::9", 99), "client fd09::9 fd09::11");
  EXPECT_EQ(ask(g1, "::ffff:10.9.0.9", 99), "client 10.9.0.9 10.9.0.11");
  EXPECT_EQ(ask(g1, "10.9.0.9", 99, {SOCK_STREAM, 262}), "client 10.9.0.9 10.9.0.11");
  EXPECT_EQ(ask(g1, "10.9.0.9", 99, kUdp), "client ::ffff:10.9.0.11");
  EXPECT_EQ(ask_unconnected(g1, "10.9.0.9", 99), "client ::ffff:10.9.0.11 from 10.9.0.9");
  EXPECT_EQ(ask_unconnected(g1, "fd09::9", 99), "client fd09::11 from fd09::9");
  // To an address of its own: that address, as on any host.
  Server const own{g1, "one", "0.0.0.0", 99};
  EXPECT_EQ(ask(g1, "10.9.0.12", 99), "one 10.9.0.12 10.9.0.12");
  EXPECT_EQ(ask(g2, "10.9.0.12", 99), "one 10.9.0.12 10.9.0.21");
}

TEST_F(SharedNet, AddressesChangeWhileTheyAreUsed) {
  auto const made = host->context(28703, {"10.9.0.31/24", "10.9.0.32/24"});
  ASSERT_TRUE(made) << made.error().message();
  Server const server{*made, "three", "0.0.0.0", 80};
  EXPECT_EQ(ask(host->client(), "10.9.0.32", 80), "three 10.9.0.32 10.9.0.9");
  // The first address goes, a new one comes: the server that is bound to the first goes on.
  ASSERT_TRUE(host->change(28703, [](NetContext& c) {
    c.addresses = {*parse_address("10.9.0.32/24"), *parse_address("10.9.0.1/24")};
  }));
  EXPECT_EQ(ask(host->client(), "10.9.0.32", 80), "three 10.9.0.32 10.9.0.9");
  EXPECT_EQ(ask(host->client(), "10.9.0.1", 80), "three 10.9.0.1 10.9.0.9");
  EXPECT_EQ(ask(host->client(), "10.9.0.31", 80), "timeout");
  EXPECT_EQ(try_bind(*made, "10.9.0.31", 0), "EADDRNOTAVAIL");
  auto const context = find_context(host->set(), 28703);
  ASSERT_TRUE(context && *context);
  ASSERT_TRUE(erase_context(host->set(), (*context)->cgroup));
  EXPECT_EQ(ask(*made, "10.9.0.9", 1), "EPERM");
  EXPECT_EQ(ask(host->client(), "10.9.0.1", 80), "ECONNREFUSED");
}

TEST_F(SharedNet, TheHostIsLeftAlone) {
  Server const server{Host::host(), "host", "10.9.0.1", 80};
  Server const one{g1, "one", "0.0.0.0", 80};
  EXPECT_EQ(ask(host->client(), "10.9.0.1", 80), "host 10.9.0.1 10.9.0.9");
  EXPECT_EQ(ask(g1, "10.9.0.1", 80), "host 10.9.0.1 10.9.0.11");
  EXPECT_EQ(ask(Host::host(), "10.9.0.12", 80), "one 10.9.0.12 10.9.0.1");
  EXPECT_EQ(try_bind(Host::host(), "10.9.0.11", 81), "");
}

TEST_F(SharedNet, CountersAreExact) {
  auto const context = find_context(host->set(), 28702);
  ASSERT_TRUE(context && *context);
  auto const before = host->set().traffic((*context)->cgroup);
  ASSERT_TRUE(before);
  {
    Server const two{g2, "two", "0.0.0.0", 4000, kUdp};
    EXPECT_EQ(ask(host->client(), "10.9.0.21", 4000, kUdp), "two 10.9.0.9");
  }
  auto const after = host->set().traffic((*context)->cgroup);
  ASSERT_TRUE(after);
  EXPECT_EQ(after->ipv4[VS_UDP].in_packets - before->ipv4[VS_UDP].in_packets, 1U);
  EXPECT_EQ(after->ipv4[VS_UDP].in_bytes - before->ipv4[VS_UDP].in_bytes, 29U);
  EXPECT_EQ(after->ipv4[VS_UDP].out_packets - before->ipv4[VS_UDP].out_packets, 1U);
  EXPECT_EQ(after->ipv4[VS_UDP].out_bytes - before->ipv4[VS_UDP].out_bytes, 28U + 12U);
  EXPECT_EQ(after->sockets_made - before->sockets_made, 1U);
  EXPECT_EQ(after->sockets_gone - before->sockets_gone, 1U);
}

TEST_F(SharedNet, StaysInForceWithoutAProcess) {
  host->let_go();  // a process that is forked would keep the lock
  Server const one{g1, "one", "0.0.0.0", 80};
  EXPECT_EQ(ask(host->client(), "10.9.0.12", 80), "one 10.9.0.12 10.9.0.9");
  EXPECT_EQ(try_bind(g1, "10.9.0.1", 0), "EADDRNOTAVAIL");
  auto const again = host->again();
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ(ask(host->client(), "10.9.0.12", 80), "one 10.9.0.12 10.9.0.9");
}

}  // namespace
}  // namespace vs::rig
