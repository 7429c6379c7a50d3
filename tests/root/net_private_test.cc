// SPDX-License-Identifier: GPL-2.0-or-later
// Every test runs in a forked child with a network namespace of its own as "the host".
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "net/host_mode.h"
#include "net/private_mode.h"
#include "sys/file.h"

namespace vs {
namespace {

// Runs the body in new namespaces; its text is the failure.
template <class Body>
std::string in_new_host(Body body) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return "pipe";
  pid_t const pid = ::fork();
  if (pid == 0) {
    std::string text = "unshare";
    if (::unshare(CLONE_NEWNET | CLONE_NEWNS) == 0) {
      Status const done = body();
      text = done ? "" : done.error().message();
    }
    (void)!::write(ends[1], text.data(), text.size());
    ::_exit(0);
  }
  ::close(ends[1]);
  auto text = read_all(FdRef::raw(ends[0]));
  ::close(ends[0]);
  int status = 0;
  ::waitpid(pid, &status, 0);
  if (status != 0) return fmt::format("child died with {}", status);
  return text ? *text : text.error().message();
}

Status expect(bool condition, std::string_view what) {
  if (condition) return {};
  return Error::make(Errc::Internal, "failed: {}", what);
}

Result<Fd> own_netns() {
  return open_path("/proc/self/ns/net", O_RDONLY);
}

// Runs the body inside a namespace.
template <class Body>
auto inside(FdRef netns, Body body) {
  auto own = own_netns();
  VS_CHECK(own.has_value() && ::setns(netns.get(), CLONE_NEWNET) == 0);
  auto result = body();
  VS_CHECK(::setns(own->get(), CLONE_NEWNET) == 0);
  return result;
}

Result<Fd> new_netns() {
  auto const own = VS_TRY(own_netns());
  VS_CHECK(::unshare(CLONE_NEWNET) == 0);
  auto fresh = own_netns();
  VS_CHECK(::setns(own.get(), CLONE_NEWNET) == 0);
  return fresh;
}

// A TCP connection to this address, both ends given by the namespaces they are in.
Status tcp(FdRef server_ns, FdRef client_ns, const char* host) {
  auto const address = VS_TRY(parse_address(host));
  sockaddr_storage name{};
  socklen_t size = sizeof(sockaddr_in);
  auto* const in4 = reinterpret_cast<sockaddr_in*>(&name);
  auto* const in6 = reinterpret_cast<sockaddr_in6*>(&name);
  name.ss_family = static_cast<sa_family_t>(address.family);
  if (address.family == AF_INET) {
    std::memcpy(&in4->sin_addr, address.bytes.data(), 4);
    in4->sin_port = htons(7777);
  } else {
    std::memcpy(&in6->sin6_addr, address.bytes.data(), 16);
    in6->sin6_port = htons(7777);
    size = sizeof(sockaddr_in6);
  }
  auto const* const at = reinterpret_cast<const sockaddr*>(&name);
  auto const make = [&] { return Fd{::socket(address.family, SOCK_STREAM | SOCK_CLOEXEC, 0)}; };
  Fd const server = inside(server_ns, make);
  Fd const client = inside(client_ns, make);
  int const on = 1;
  timeval const limit{6, 0};
  ::setsockopt(server.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  ::setsockopt(client.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  if (::bind(server.get(), at, size) != 0) return Error::system(errno, "bind {}", host);
  if (::listen(server.get(), 1) != 0) return Error::system(errno, "listen {}", host);
  if (::connect(client.get(), at, size) != 0) return Error::system(errno, "connect {}", host);
  return {};
}

Status give(Netlink& netlink, std::string_view dev, std::string_view address) {
  auto const link = VS_TRY(netlink.link_index(dev));
  NewAddress request;
  request.address = VS_TRY(parse_address(address));
  request.no_dad = true;
  VS_TRY(netlink.set_link_up(link));
  return netlink.add_address(link, request);
}

// Without the link-local ones, which come by themselves some time after a link is up.
Result<std::size_t> addresses_in_use(Netlink& host) {
  auto const all = VS_TRY(host.addresses());
  return static_cast<std::size_t>(
      std::count_if(all.begin(), all.end(), [](const LinkAddress& one) { return one.global; }));
}

HostAddress wanted(std::string_view text, std::string dev) {
  HostAddress result;
  result.address = parse_address(text).value();
  result.nodev = dev.empty();
  result.dev = std::move(dev);
  return result;
}

// A host with a LAN: lan0 here, eth0 in the LAN's namespace.
Result<Fd> make_lan(Netlink& host) {
  auto lan = VS_TRY(new_netns());
  VS_TRY(host.create_veth("lan0", "eth0", lan));
  VS_TRY(give(host, "lan0", "192.0.2.1/24"));
  VS_TRY(give(host, "lan0", "2001:db8::1/64"));
  auto inner = VS_TRY(Netlink::open_in(lan));
  VS_TRY(give(inner, "eth0", "192.0.2.9/24"));
  VS_TRY(give(inner, "eth0", "2001:db8::9/64"));
  return lan;
}

template <class Body>
void expect_in_host(Body body) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  EXPECT_EQ(in_new_host(body), "");
}

TEST(PrivateMode, HostAndGuestReachEachOther) {
  expect_in_host([]() -> Status {
    auto host = VS_TRY(Netlink::open());
    auto const self = VS_TRY(own_netns());
    auto const guest = VS_TRY(new_netns());
    PrivateNet const net{
        28700, {wanted("10.9.0.5/24", ""), wanted("2001:db8:9::5/64", ""), wanted("10.9.0.6", "")}};
    VS_TRY(give(host, "lo", "10.8.0.1/32"));
    VS_TRY(give(host, "lo", "2001:db8:8::1"));
    auto const before = VS_TRY(addresses_in_use(host));
    auto const warnings = VS_TRY(connect_private(host, guest, net));
    VS_TRY(expect(warnings.size() == 2, "warnings about forwarding"));
    VS_TRY(expect(warnings[0].ends_with("sysctl net.ipv4.ip_forward=1"), warnings[0]));
    for (auto const* address : {"10.9.0.5", "10.9.0.6", "2001:db8:9::5"}) {
      VS_TRY(tcp(guest, self, address));
      VS_TRY(tcp(guest, guest, address));
    }
    for (auto const* address : {"10.8.0.1", "2001:db8:8::1"})
      VS_TRY(tcp(self, guest, address));

    disconnect_private(host, net);
    disconnect_private(host, net);
    VS_TRY(expect(!VS_TRY(host.find_link("vs28700")), "link is gone"));
    VS_TRY(expect(VS_TRY(addresses_in_use(host)) == before, "addresses are gone"));
    auto const routes = VS_TRY(read_file("/proc/net/route"));
    VS_TRY(expect(routes.find("vs28700") == std::string::npos, routes));
    // The same again: nothing is in the way.
    VS_TRY(connect_private(host, guest, net));
    return tcp(guest, self, "10.9.0.5");
  });
}

TEST(PrivateMode, HostWithoutAddressReachesGuest) {
  expect_in_host([]() -> Status {
    auto host = VS_TRY(Netlink::open());
    auto const self = VS_TRY(own_netns());
    auto const guest = VS_TRY(new_netns());
    VS_TRY(connect_private(host, guest, {7, {wanted("10.9.0.5", "")}}));
    VS_TRY(expect(VS_TRY(read_file("/proc/sys/net/ipv6/conf/vs7/disable_ipv6")) == "1\n",
                  "no IPv6 where the guest has none"));
    return tcp(guest, self, "10.9.0.5");
  });
}

TEST(PrivateMode, LanFindsGuest) {
  expect_in_host([]() -> Status {
    auto host = VS_TRY(Netlink::open());
    auto const lan = VS_TRY(make_lan(host));
    auto const guest = VS_TRY(new_netns());
    VS_TRY(write_knob("/proc/sys/net/ipv4/ip_forward", "1"));
    VS_TRY(write_knob("/proc/sys/net/ipv6/conf/all/forwarding", "1"));
    PrivateNet const net{7, {wanted("192.0.2.50", "lan0"), wanted("2001:db8::50", "lan0")}};
    VS_TRY(expect(VS_TRY(connect_private(host, guest, net)).empty(), "no warnings"));
    for (auto const* address : {"192.0.2.50", "2001:db8::50"})
      VS_TRY(tcp(guest, lan, address));
    for (auto const* address : {"192.0.2.9", "2001:db8::9"})
      VS_TRY(tcp(lan, guest, address));
    disconnect_private(host, net);
    auto const link = VS_TRY(host.link_index("lan0"));
    for (auto const& one : net.addresses) {
      auto const done = host.delete_proxy(link, one.address);
      VS_TRY(expect(!done && done.error().sys() == ENOENT, "proxy is gone"));
    }
    return {};
  });
}

TEST(PrivateMode, HostIsProtected) {
  expect_in_host([]() -> Status {
    auto host = VS_TRY(Netlink::open());
    auto const guest = VS_TRY(new_netns());
    VS_TRY(connect_private(host, guest, {7, {wanted("10.9.0.5", ""), wanted("fd00::5", "")}}));
    VS_TRY(expect(VS_TRY(read_file("/proc/sys/net/ipv4/conf/vs7/rp_filter")) == "1\n", "rp"));
    return expect(VS_TRY(read_file("/proc/sys/net/ipv6/conf/vs7/accept_ra")) == "0\n", "ra");
  });
}

TEST(PrivateMode, RefusesAddressOfHost) {
  expect_in_host([]() -> Status {
    auto host = VS_TRY(Netlink::open());
    auto const lan = VS_TRY(make_lan(host));
    auto const guest = VS_TRY(new_netns());
    auto const done = connect_private(host, guest, {7, {wanted("192.0.2.1", "lan0")}});
    VS_TRY(expect(!done && done.error().code() == Errc::Config, "refused"));
    VS_TRY(expect(done.error().message().starts_with("address 192.0.2.1 belongs to the host"),
                  done.error().message()));
    return expect(!VS_TRY(host.find_link("vs7")), "nothing made");
  });
}

TEST(PrivateMode, SecondGuestWithSameAddressLeavesFirstAlone) {
  expect_in_host([]() -> Status {
    auto host = VS_TRY(Netlink::open());
    auto const self = VS_TRY(own_netns());
    auto const lan = VS_TRY(make_lan(host));
    auto const first = VS_TRY(new_netns());
    auto const second = VS_TRY(new_netns());
    for (auto const* address : {"192.0.2.50", "2001:db8::50"}) {
      VS_TRY(connect_private(host, first, {7, {wanted(address, "lan0")}}));
      auto const done = connect_private(host, second, {8, {wanted(address, "lan0")}});
      VS_TRY(expect(!done && done.error().code() == Errc::Busy, "second is refused"));
      auto const again = connect_private(host, first, {7, {wanted("10.1.1.1", "")}});
      VS_TRY(expect(!again && again.error().code() == Errc::Busy, "same xid is refused"));
      VS_TRY(expect(!VS_TRY(host.find_link("vs8")), "nothing stays of the second"));
      VS_TRY(tcp(first, self, address));
      VS_TRY(host.delete_proxy(VS_TRY(host.link_index("lan0")), VS_TRY(parse_address(address))),
             "the first's proxy");
      disconnect_private(host, {7, {wanted(address, "")}});
    }
    return {};
  });
}

TEST(PrivateMode, MissingDeviceIsAWarning) {
  expect_in_host([]() -> Status {
    auto host = VS_TRY(Netlink::open());
    auto const guest = VS_TRY(new_netns());
    auto const warnings = VS_TRY(connect_private(host, guest, {7, {wanted("10.9.0.5", "no0")}}));
    return expect(warnings.size() == 2 && warnings[0].find("'no0'") != std::string::npos, "warns");
  });
}

TEST(HostMode, RemovesOnlyWhatItAdded) {
  expect_in_host([]() -> Status {
    auto host = VS_TRY(Netlink::open());
    auto const lan = VS_TRY(make_lan(host));
    auto const before = VS_TRY(addresses_in_use(host));
    std::vector<HostAddress> all{wanted("192.0.2.1/24", "lan0"), wanted("192.0.2.3/24", "lan0"),
                                 wanted("198.51.100.3/24", "lan0"),
                                 wanted("2001:db8::3/64", "lan0"), wanted("203.0.113.1", "")};
    all[1].label = "lan0:web";
    all[2].broadcast = broadcast_of(all[2].address);
    auto const added = VS_TRY(add_host_addresses(host, all));
    VS_TRY(expect(added.size() == 3, "three are new"));
    VS_TRY(expect(format_added(added[0]) == "lan0 192.0.2.3/24", format_added(added[0])));
    VS_TRY(expect(VS_TRY(addresses_in_use(host)) == before + 3, "three more"));
    VS_TRY(expect(VS_TRY(add_host_addresses(host, all)).empty(), "all there already"));
    remove_host_addresses(host, added);
    remove_host_addresses(host, added);
    return expect(VS_TRY(addresses_in_use(host)) == before, "as before");
  });
}

TEST(HostMode, KeepsOtherAddressesOfTheSubnet) {
  expect_in_host([]() -> Status {
    auto host = VS_TRY(Netlink::open());
    auto const lan = VS_TRY(make_lan(host));
    std::vector<HostAddress> const first{wanted("198.51.100.3/24", "lan0")};
    std::vector<HostAddress> const second{wanted("198.51.100.4/24", "lan0")};
    auto const added = VS_TRY(add_host_addresses(host, first));
    VS_TRY(add_host_addresses(host, second));
    auto const before = VS_TRY(addresses_in_use(host));
    remove_host_addresses(host, added);
    return expect(VS_TRY(addresses_in_use(host)) == before - 1, "the second stays");
  });
}

TEST(HostMode, FailureUndoesEverything) {
  expect_in_host([]() -> Status {
    auto host = VS_TRY(Netlink::open());
    auto const lan = VS_TRY(make_lan(host));
    auto const before = VS_TRY(addresses_in_use(host));
    std::vector<HostAddress> const all{wanted("192.0.2.3/24", "lan0"), wanted("10.0.0.1", "no0")};
    auto const done = add_host_addresses(host, all);
    VS_TRY(expect(!done, "fails"));
    VS_TRY(expect(
        done.error().message() == "address 10.0.0.1/32 on 'no0': there is no network device 'no0'",
        done.error().message()));
    return expect(VS_TRY(addresses_in_use(host)) == before, "as before");
  });
}

TEST(Netlink, SocketsAreCloseOnExecAndErrorsExplain) {
  expect_in_host([]() -> Status {
    auto host = VS_TRY(Netlink::open());
    auto const guest = VS_TRY(new_netns());
    auto inner = VS_TRY(Netlink::open_in(guest));
    // The test's caller may have left descriptors open: only sockets are looked at.
    auto const fds = VS_TRY(open_path("/proc/self/fd", O_RDONLY));
    int sockets = 0;
    for (auto const& name : VS_TRY(list_dir(fds))) {
      auto const fd = static_cast<int>(std::stol(name));
      int domain = -1;
      socklen_t size = sizeof domain;
      if (::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0) continue;
      if (domain != AF_NETLINK) continue;
      ++sockets;
      VS_TRY(expect((::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0, name));
    }
    VS_TRY(expect(sockets == 2, "two sockets"));
    auto const done = host.set_link_up(4711);
    VS_TRY(expect(!done && done.error().sys() == ENODEV, "no such link"));
    VS_TRY(expect(!VS_TRY(host.find_link("a-name-that-is-too-long")), "too long"));
    return expect(host.link_index("no0").error().code() == Errc::NotFound, "not found");
  });
}

}  // namespace
}  // namespace vs
