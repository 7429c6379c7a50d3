// SPDX-License-Identifier: GPL-2.0-or-later
#include "sys/netlink.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <span>
#include <type_traits>

#include "sys/file.h"

namespace vs {

namespace {

constexpr std::uint16_t kCreate = NLM_F_CREATE | NLM_F_EXCL;

constexpr std::size_t align4(std::size_t n) {
  return (n + 3) & ~std::size_t{3};
}

using Bytes = std::span<const std::uint8_t>;

// A message under construction: header, a fixed structure, attributes.
class Request {
 public:
  template <class Body>
  Request(std::uint16_t type, std::uint16_t flags, const Body& body) {
    header_.nlmsg_type = type;
    header_.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | NLM_F_ACK | flags);
    put(header_);
    put(body);
  }

  // Appends a structure, padded to 4 bytes.
  template <class T>
  void put(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    put_bytes(&value, sizeof value);
  }

  void attribute(std::uint16_t type, const void* data, std::size_t size) {
    put(rtattr{static_cast<std::uint16_t>(sizeof(rtattr) + size), type});
    put_bytes(data, size);
  }
  void attribute(std::uint16_t type, std::uint32_t value) { attribute(type, &value, sizeof value); }
  void attribute(std::uint16_t type, const std::string& text) {
    attribute(type, text.c_str(), text.size() + 1);
  }
  void attribute(std::uint16_t type, const Address& address) {
    attribute(type, address.bytes.data(), address.size());
  }

  // Starts an attribute that contains others; give the result to end().
  [[nodiscard]] std::size_t begin(std::uint16_t type) {
    auto const at = buffer_.size();
    put(rtattr{sizeof(rtattr), type});
    return at;
  }
  void end(std::size_t at) {
    auto const size = static_cast<std::uint16_t>(buffer_.size() - at);
    std::memcpy(&buffer_[at], &size, sizeof size);
  }

  // The finished message.
  Bytes finish(std::uint32_t sequence) {
    header_.nlmsg_len = static_cast<std::uint32_t>(buffer_.size());
    header_.nlmsg_seq = sequence;
    std::memcpy(buffer_.data(), &header_, sizeof header_);
    return buffer_;
  }

 private:
  void put_bytes(const void* data, std::size_t size) {
    auto const at = buffer_.size();
    buffer_.resize(at + align4(size));
    std::memcpy(&buffer_[at], data, size);
  }

  nlmsghdr header_{};
  std::vector<std::uint8_t> buffer_;
};

// The structure at the start of data; empty when data is too short.
template <class T>
std::optional<T> peek(Bytes data) {
  if (data.size() < sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, data.data(), sizeof value);
  return value;
}

Bytes skip(Bytes data, std::size_t n) {
  return data.subspan(std::min(data.size(), align4(n)));
}

// The content of the first attribute of this type; empty when there is none.
Bytes find_attribute(Bytes attributes, std::uint16_t type) {
  while (auto const head = peek<rtattr>(attributes)) {
    if (head->rta_len < sizeof(rtattr) || head->rta_len > attributes.size()) break;
    if ((head->rta_type & NLA_TYPE_MASK) == type) {
      return attributes.subspan(sizeof(rtattr), head->rta_len - sizeof(rtattr));
    }
    attributes = skip(attributes, head->rta_len);
  }
  return {};
}

// What an NLMSG_ERROR says; error 0 is the acknowledgement.
Status parse_ack(const nlmsghdr& header, Bytes body, std::string_view what) {
  auto const ack = peek<nlmsgerr>(body);
  if (!ack) return Error::system(EBADMSG, "{}", what);
  if (ack->error == 0) return {};
  Bytes text;
  if ((header.nlmsg_flags & NLM_F_ACK_TLVS) != 0) {
    // Without NLM_F_CAPPED the kernel quotes the whole request before its explanation.
    auto const quoted =
        (header.nlmsg_flags & NLM_F_CAPPED) != 0 ? 0 : ack->msg.nlmsg_len - sizeof(nlmsghdr);
    text = find_attribute(skip(body, sizeof(nlmsgerr) + quoted), NLMSGERR_ATTR_MSG);
  }
  if (text.empty()) return Error::system(-ack->error, "{}", what);
  std::string const reason(text.begin(), text.end() - 1);  // ends with NUL
  return Error::system(-ack->error, "{}: {}", what, reason);
}

Result<std::vector<std::uint8_t>> receive(FdRef socket, std::string_view what) {
  constexpr std::size_t kSize = 1U << 16U;
  // Not cleared: most answers are one page.
  auto const buffer = std::make_unique_for_overwrite<std::uint8_t[]>(kSize);
  ssize_t got = -1;
  do {
    got = ::recv(socket.get(), buffer.get(), kSize, MSG_TRUNC);
  } while (got < 0 && errno == EINTR);
  if (got < 0) return Error::system(errno, "{}: receive", what);
  auto const size = static_cast<std::size_t>(got);
  if (size > kSize) return Error::system(EMSGSIZE, "{}: receive", what);
  return std::vector<std::uint8_t>(buffer.get(), buffer.get() + size);
}

// Sends a request and hands the body of every message of the answer to on_message.
template <class OnMessage>
Status exchange(FdRef socket, std::uint32_t sequence, Request& request, std::string_view what,
                OnMessage on_message) {
  auto const message = request.finish(sequence);
  if (::send(socket.get(), message.data(), message.size(), 0) < 0) {
    return Error::system(errno, "{}: send", what);
  }
  for (;;) {
    auto const answer = VS_TRY(receive(socket, what));
    Bytes rest = answer;
    while (auto const header = peek<nlmsghdr>(rest)) {
      if (header->nlmsg_len < sizeof(nlmsghdr) || header->nlmsg_len > rest.size()) {
        return Error::system(EBADMSG, "{}", what);
      }
      auto const body = rest.subspan(sizeof(nlmsghdr), header->nlmsg_len - sizeof(nlmsghdr));
      rest = skip(rest, header->nlmsg_len);
      if (header->nlmsg_seq != sequence) continue;  // left over from an earlier failure
      if (header->nlmsg_type == NLMSG_ERROR) return parse_ack(*header, body, what);
      if (header->nlmsg_type == NLMSG_DONE) return {};
      on_message(body);
    }
  }
}

Status exchange(FdRef socket, std::uint32_t sequence, Request& request, std::string_view what) {
  return exchange(socket, sequence, request, what, [](Bytes) {});
}

std::uint8_t byte(unsigned value) {
  return static_cast<std::uint8_t>(value);
}

ifaddrmsg address_body(unsigned link, const Address& address) {
  ifaddrmsg body{};
  body.ifa_family = byte(static_cast<unsigned>(address.family));
  body.ifa_prefixlen = byte(address.prefix);
  body.ifa_index = link;
  return body;
}

Request route_request(std::uint16_t type, std::uint16_t flags, const Route& route) {
  rtmsg body{};
  body.rtm_family = byte(static_cast<unsigned>(route.destination.family));
  body.rtm_dst_len = byte(route.destination.prefix);
  body.rtm_table = RT_TABLE_MAIN;
  body.rtm_protocol = RTPROT_STATIC;
  body.rtm_scope = route.link_scope ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
  body.rtm_type = RTN_UNICAST;
  if (route.gateway) body.rtm_flags = RTNH_F_ONLINK;
  Request request{type, flags, body};
  if (route.destination.prefix > 0) request.attribute(RTA_DST, route.destination);
  request.attribute(RTA_OIF, route.link);
  if (route.gateway) request.attribute(RTA_GATEWAY, *route.gateway);
  if (route.source) request.attribute(RTA_PREFSRC, *route.source);
  return request;
}

Request proxy_request(std::uint16_t type, std::uint16_t flags, unsigned link,
                      const Address& address) {
  ndmsg body{};
  body.ndm_family = byte(static_cast<unsigned>(address.family));
  body.ndm_ifindex = static_cast<int>(link);
  body.ndm_state = NUD_PERMANENT;
  body.ndm_flags = NTF_PROXY;
  Request request{type, flags, body};
  request.attribute(NDA_DST, address);
  return request;
}

ifinfomsg link_body(unsigned link) {
  ifinfomsg body{};
  body.ifi_index = static_cast<int>(link);
  return body;
}

Result<Fd> open_socket() {
  Fd socket{::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)};
  if (!socket) return Error::system(errno, "open netlink socket");
  // Only better messages: a kernel without them does as well.
  int const on = 1;
  (void)::setsockopt(socket.get(), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
  (void)::setsockopt(socket.get(), SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
  return socket;
}

std::optional<LinkAddress> parse_address_message(Bytes message) {
  auto const body = peek<ifaddrmsg>(message);
  if (!body || (body->ifa_family != AF_INET && body->ifa_family != AF_INET6)) return std::nullopt;
  auto const attributes = skip(message, sizeof(ifaddrmsg));
  // On a point-to-point link IFA_ADDRESS is the peer's; IPv6 has IFA_LOCAL only there.
  auto raw = find_attribute(attributes, IFA_LOCAL);
  if (raw.empty()) raw = find_attribute(attributes, IFA_ADDRESS);
  LinkAddress found;
  found.link = body->ifa_index;
  found.address.family = body->ifa_family;
  found.address.prefix = body->ifa_prefixlen;
  if (raw.size() != found.address.size()) return std::nullopt;
  std::memcpy(found.address.bytes.data(), raw.data(), raw.size());
  found.global = body->ifa_scope < RT_SCOPE_LINK;
  found.tentative = (body->ifa_flags & IFA_F_TENTATIVE) != 0;
  return found;
}

}  // namespace

Result<Netlink> Netlink::open() {
  return Netlink{VS_TRY(open_socket())};
}

Result<Netlink> Netlink::open_in(FdRef netns) {
  auto const own = VS_TRY(open_path("/proc/self/ns/net", O_RDONLY));
  if (::setns(netns.get(), CLONE_NEWNET) != 0) {
    return Error::system(errno, "enter network namespace");
  }
  auto socket = open_socket();
  // In the wrong namespace every further request would hit the guest instead of the host.
  VS_CHECK(::setns(own.get(), CLONE_NEWNET) == 0);
  return Netlink{VS_TRY(std::move(socket))};
}

Result<std::optional<unsigned>> Netlink::find_link(std::string_view name) {
  if (name.empty() || name.size() >= IFNAMSIZ) return std::optional<unsigned>{};
  Request request{RTM_GETLINK, 0, ifinfomsg{}};
  request.attribute(IFLA_IFNAME, std::string{name});
  std::optional<unsigned> index;
  auto done = exchange(socket_, ++sequence_, request, "find link", [&](Bytes message) {
    if (auto const body = peek<ifinfomsg>(message)) index = static_cast<unsigned>(body->ifi_index);
  });
  if (!done && done.error().sys() != ENODEV) return std::move(done).error();
  return index;
}

Result<unsigned> Netlink::link_index(std::string_view name) {
  auto const index = VS_TRY(find_link(name), "network device '{}'", name);
  if (!index) return Error::make(Errc::NotFound, "there is no network device '{}'", name);
  return *index;
}

Status Netlink::create_veth(const std::string& name, const std::string& peer, FdRef peer_netns) {
  Request request{RTM_NEWLINK, kCreate, ifinfomsg{}};
  request.attribute(IFLA_IFNAME, name);
  auto const info = request.begin(IFLA_LINKINFO);
  request.attribute(IFLA_INFO_KIND, std::string{"veth"});
  auto const data = request.begin(IFLA_INFO_DATA);
  auto const end = request.begin(VETH_INFO_PEER);
  request.put(ifinfomsg{});
  request.attribute(IFLA_IFNAME, peer);
  request.attribute(IFLA_NET_NS_FD, static_cast<std::uint32_t>(peer_netns.get()));
  request.end(end);
  request.end(data);
  request.end(info);
  return exchange(socket_, ++sequence_, request, "create link pair");
}

Status Netlink::delete_link(unsigned link) {
  Request request{RTM_DELLINK, 0, link_body(link)};
  return exchange(socket_, ++sequence_, request, "delete link");
}

Status Netlink::set_link_up(unsigned link) {
  auto body = link_body(link);
  body.ifi_flags = IFF_UP;
  body.ifi_change = IFF_UP;
  Request request{RTM_NEWLINK, 0, body};
  return exchange(socket_, ++sequence_, request, "set link up");
}

Status Netlink::add_address(unsigned link, const NewAddress& address) {
  auto body = address_body(link, address.address);
  body.ifa_scope = address.link_scope ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
  if (address.no_dad && address.address.family == AF_INET6) body.ifa_flags = IFA_F_NODAD;
  Request request{RTM_NEWADDR, kCreate, body};
  request.attribute(IFA_LOCAL, address.address);
  request.attribute(IFA_ADDRESS, address.peer ? *address.peer : address.address);
  if (address.broadcast) request.attribute(IFA_BROADCAST, *address.broadcast);
  if (!address.label.empty()) request.attribute(IFA_LABEL, address.label);
  return exchange(socket_, ++sequence_, request, "add address");
}

Status Netlink::delete_address(unsigned link, const Address& address) {
  // Without IFA_ADDRESS the kernel finds it whether or not it has a peer.
  Request request{RTM_DELADDR, 0, address_body(link, address)};
  request.attribute(IFA_LOCAL, address);
  return exchange(socket_, ++sequence_, request, "delete address");
}

Result<std::vector<LinkAddress>> Netlink::addresses() {
  Request request{RTM_GETADDR, NLM_F_DUMP, ifaddrmsg{}};
  std::vector<LinkAddress> found;
  VS_TRY(exchange(socket_, ++sequence_, request, "list addresses", [&](Bytes message) {
    if (auto const one = parse_address_message(message)) found.push_back(*one);
  }));
  return found;
}

Status Netlink::add_route(const Route& route) {
  auto request = route_request(RTM_NEWROUTE, kCreate, route);
  return exchange(socket_, ++sequence_, request, "add route");
}

Status Netlink::delete_route(const Route& route) {
  auto request = route_request(RTM_DELROUTE, 0, route);
  return exchange(socket_, ++sequence_, request, "delete route");
}

Status Netlink::add_proxy(unsigned link, const Address& address) {
  auto request = proxy_request(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, link, address);
  return exchange(socket_, ++sequence_, request, "add proxy neighbour");
}

Status Netlink::delete_proxy(unsigned link, const Address& address) {
  auto request = proxy_request(RTM_DELNEIGH, 0, link, address);
  return exchange(socket_, ++sequence_, request, "delete proxy neighbour");
}

}  // namespace vs
