// SPDX-License-Identifier: GPL-2.0-or-later
// For net_probe.cc: attacks by other ways than the addresses of its own sockets.
#pragma once

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/un.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "../root/net_talk.h"

namespace vs::rig {

using Arguments = std::vector<std::string>;

inline std::string result(int done) {
  return done < 0 ? errno_name(errno) : "ok";
}

inline std::string argument(const Arguments& a, std::size_t i) {
  return i < a.size() ? a[i] : "";
}

inline int port_of(const Arguments& a, std::size_t i) {
  return std::atoi(argument(a, i).c_str());
}

inline std::string abstract_name(const Arguments& a) {
  int const type = argument(a, 0) == "dgram" ? SOCK_DGRAM : SOCK_STREAM;
  Fd const fd{::socket(AF_UNIX, type, 0)};
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  auto const text = argument(a, 1);
  text.copy(&name.sun_path[1], sizeof name.sun_path - 1);
  auto const size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + text.size());
  if (argument(a, 2) == "serve") {
    if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&name), size) != 0) return errno_name(errno);
    if (type == SOCK_STREAM) ::listen(fd.get(), 4);
    std::puts("up");
    std::fflush(stdout);
    ::alarm(60);
    for (;;)
      ::pause();
  }
  return result(::connect(fd.get(), reinterpret_cast<sockaddr*>(&name), size));
}

// A datagram server on a pathname, its client with a name that the kernel chose, an answer; a pair.
inline std::string path_name(const Arguments& a) {
  auto const path = argument(a, 0);
  Fd const server{::socket(AF_UNIX, SOCK_DGRAM, 0)};
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  path.copy(name.sun_path, sizeof name.sun_path - 1);
  ::unlink(path.c_str());
  if (::bind(server.get(), reinterpret_cast<sockaddr*>(&name), sizeof name) != 0)
    return errno_name(errno);
  Fd const client{::socket(AF_UNIX, SOCK_DGRAM, 0)};
  sa_family_t const any = AF_UNIX;
  if (::bind(client.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any) != 0 ||
      ::connect(client.get(), reinterpret_cast<sockaddr*>(&name), sizeof name) != 0 ||
      ::send(client.get(), "x", 1, 0) != 1)
    return errno_name(errno);
  ::unlink(path.c_str());
  sockaddr_un from{};
  socklen_t size = sizeof from;
  char text = 0;
  if (::recvfrom(server.get(), &text, 1, 0, reinterpret_cast<sockaddr*>(&from), &size) != 1 ||
      ::sendto(server.get(), "y", 1, 0, reinterpret_cast<sockaddr*>(&from), size) != 1 ||
      ::recv(client.get(), &text, 1, 0) != 1 || text != 'y')
    return errno_name(errno);
  std::array<int, 2> pair{};
  if (::socketpair(AF_UNIX, SOCK_DGRAM, 0, pair.data()) != 0 || ::send(pair[0], "x", 1, 0) != 1)
    return errno_name(errno);
  return "ok";
}

inline std::string acknowledged(int fd, const void* request, std::size_t size) {
  ::send(fd, request, size, 0);
  struct {
    nlmsghdr head;
    nlmsgerr body;
  } reply{};
  if (::recv(fd, &reply, sizeof reply, 0) < 0) return errno_name(errno);
  return reply.body.error == 0 ? "ok" : errno_name(-reply.body.error);
}

// Adds an address to lo by rtnetlink.
inline std::string add_address(const Arguments& a) {
  Fd const fd{::socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)};
  struct {
    nlmsghdr head;
    ifaddrmsg body;
    rtattr attribute;
    in_addr address;
  } request{};
  request.head.nlmsg_len = sizeof request;
  request.head.nlmsg_type = RTM_NEWADDR;
  request.head.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE;
  request.body.ifa_family = AF_INET;
  request.body.ifa_prefixlen = 32;
  request.body.ifa_index = 1;
  request.attribute = {sizeof(rtattr) + 4, IFA_LOCAL};
  ::inet_pton(AF_INET, argument(a, 0).c_str(), &request.address);
  return acknowledged(fd.get(), &request, sizeof request);
}

inline std::string set_address_by_ioctl(const Arguments& a) {
  Fd const fd{::socket(AF_INET, SOCK_DGRAM, 0)};
  ifreq request{};
  std::strcpy(request.ifr_name, "lo:9");
  Name name = name_of(argument(a, 0), 0);
  std::memcpy(&request.ifr_addr, &name.storage, sizeof request.ifr_addr);
  return result(::ioctl(fd.get(), SIOCSIFADDR, &request));
}

// Descriptor 0 is a socket that the host made.
inline std::string inherited(const Arguments& a) {
  Name name = name_of(argument(a, 0), port_of(a, 1));
  return result(::bind(0, name.get(), name.size));
}

// In a network namespace of its own: HOST PORT of the host's.
inline std::string nested(const Arguments& a) {
  if (::unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) return "unshare: " + errno_name(errno);
  Fd const fd{open_socket(argument(a, 0), kTcp)};
  if (!fd) return "socket: " + errno_name(errno);
  return connect_to(fd.get(), argument(a, 0), port_of(a, 1));
}

inline std::string low_port_in_nested(const Arguments& a) {
  if (::unshare(CLONE_NEWUSER) != 0) return "unshare: " + errno_name(errno);
  return try_bind({}, argument(a, 0), port_of(a, 1));
}

inline std::string low_port_as_nobody(const Arguments& a) {
  if (::setresuid(1000, 1000, 1000) != 0) return "setuid: " + errno_name(errno);
  return try_bind({}, argument(a, 0), port_of(a, 1));
}

// A family that no address names: bind(2) takes it for IPv4 when the address is any.
inline std::string bind_unspecified(const Arguments& a) {
  Fd const fd{open_socket("0.0.0.0", kTcp)};
  sockaddr_in any{};
  any.sin_port = htons(static_cast<std::uint16_t>(port_of(a, 0)));
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&any), sizeof any) != 0)
    return errno_name(errno);
  return own_name(fd.get());
}

// A route by rtnetlink: HOST by way of lo.
inline std::string add_route(const Arguments& a) {
  Fd const fd{::socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)};
  struct {
    nlmsghdr head;
    rtmsg body;
    rtattr to;
    in_addr address;
    rtattr by;
    int device;
  } request{};
  request.head = {sizeof request, RTM_NEWROUTE, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE, 0, 0};
  request.body.rtm_family = AF_INET;
  request.body.rtm_dst_len = 32;
  request.body.rtm_table = RT_TABLE_MAIN;
  request.body.rtm_scope = RT_SCOPE_LINK;
  request.body.rtm_type = RTN_UNICAST;
  request.to = {sizeof(rtattr) + 4, RTA_DST};
  ::inet_pton(AF_INET, argument(a, 0).c_str(), &request.address);
  request.by = {sizeof(rtattr) + 4, RTA_OIF};
  request.device = 1;
  return acknowledged(fd.get(), &request, sizeof request);
}

}  // namespace vs::rig
