// SPDX-License-Identifier: GPL-2.0-or-later
// What a guest's root tries against the network that it shares. Runs inside, as one static program:
//   net-probe serve WORD HOST PORT [KIND...]    a server that answers "WORD LOCAL PEER"
//   net-probe ask HOST PORT [KIND...]           asks one; KIND: tcp udp mptcp v6only reuseport
//   net-probe bind HOST PORT [KIND...]
//   net-probe echo HOST PORT                    sends back what one connection sends
//   net-probe stream HOST PORT SECONDS          sends and receives: "alive", or how it died
//   net-probe hammer HOST SECONDS               binds all the time
//   net-probe age PINS                          makes pinned programs look old
//   net-probe in-userns ...                     the same as root of a user namespace below
//   net-probe with-socket COMMAND...            runs it with a socket as descriptor 0
//   net-probe try ATTACK [ARGUMENT...]
// Prints what happened: "ok", a text, or the name of an errno.
#include <linux/if_packet.h>
#include <netinet/tcp.h>
#include <sys/syscall.h>

#include <array>
#include <cstdio>
#include <ctime>
#include <string_view>
#include <vector>

#include "../root/net_talk.h"
#include "bpf/abi.h"
#include "net_ways.h"
#include "sys/bpf.h"
#include "uring.h"

namespace vs::rig {
namespace {

Kind kind_of(const Arguments& words, std::size_t from) {
  Kind kind;
  for (std::size_t i = from; i < words.size(); ++i) {
    if (words[i] == "udp") kind.type = SOCK_DGRAM;
    if (words[i] == "mptcp") kind.protocol = 262;
    if (words[i] == "udplite") kind = {SOCK_DGRAM, 136};
    if (words[i] == "v6only") kind.v6only = true;
    if (words[i] == "reuseport") kind.reuseport = true;
  }
  return kind;
}

// ---- sockets of other kinds -------------------------------------------------------------------

std::string open_kind(const Arguments& a) {
  Fd const fd{::socket(port_of(a, 0), port_of(a, 1), port_of(a, 2))};
  return result(fd.get());
}

std::string packet(const Arguments&) {
  Fd const fd{::socket(AF_PACKET, SOCK_RAW, htons(3))};
  return result(fd.get());
}

// Families beyond unix, IPv4, IPv6 and netlink that open.
std::string families(const Arguments&) {
  std::string out;
  for (int family = 0; family < 46; ++family) {
    if (family == AF_UNIX || family == AF_INET || family == AF_INET6 || family == AF_NETLINK)
      continue;
    for (int const type : {SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET}) {
      Fd const fd{::socket(family, type, 0)};
      if (!fd) continue;
      out += fmt::format("{}{}", out.empty() ? "" : " ", family);
      break;
    }
  }
  return out.empty() ? "none" : out;
}

// CALL HOST PORT [polled]: a socket, and its bind or connect, none of them a system call.
std::string io_uring(const Arguments& a) {
  Uring ring{argument(a, 3) == "polled"};
  if (ring.state() != 0) return errno_name(ring.state());
  auto const host = argument(a, 1);
  io_uring_sqe open{};
  open.opcode = IORING_OP_SOCKET;
  open.fd = host.find(':') == std::string::npos ? AF_INET : AF_INET6;
  open.off = SOCK_STREAM;
  int const made = ring.call(open);
  if (made < 0) return "socket: " + errno_name(-made);
  Fd const fd{made};
  Name name = name_of(host, port_of(a, 2));
  io_uring_sqe call{};
  call.opcode = argument(a, 0) == "bind" ? 56 /* IORING_OP_BIND, Linux 6.11 */ : IORING_OP_CONNECT;
  call.fd = fd.get();
  call.addr = reinterpret_cast<std::uint64_t>(name.get());
  call.off = name.size;
  int const done = ring.call(call);
  if (done < 0) return errno_name(-done);
  return argument(a, 0) == "bind" ? "ok" : answer(fd.get());
}

// ---- options ----------------------------------------------------------------------------------

// LEVEL NAME VALUE, after which foreign addresses may be in reach.
std::string option(const Arguments& a) {
  bool const v6 = port_of(a, 0) == IPPROTO_IPV6;
  Fd const fd{::socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM, 0)};
  int const value = port_of(a, 2);
  return result(::setsockopt(fd.get(), port_of(a, 0), port_of(a, 1), &value, sizeof value));
}

std::string bind_to_device(const Arguments& a) {
  Fd const fd{::socket(AF_INET, SOCK_DGRAM, 0)};
  auto const dev = argument(a, 0);
  return result(::setsockopt(fd.get(), SOL_SOCKET, SO_BINDTODEVICE, dev.c_str(),
                             static_cast<socklen_t>(dev.size())));
}

std::string join_group(const Arguments& a) {
  if (argument(a, 0) == "6") {
    Fd const fd{::socket(AF_INET6, SOCK_DGRAM, 0)};
    ipv6_mreq request{};
    ::inet_pton(AF_INET6, "ff02::1234", &request.ipv6mr_multiaddr);
    request.ipv6mr_interface = 1;
    return result(
        ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &request, sizeof request));
  }
  Fd const fd{::socket(AF_INET, SOCK_DGRAM, 0)};
  ip_mreqn request{};
  request.imr_multiaddr.s_addr = htonl(0xef010203);
  request.imr_ifindex = 1;
  return result(::setsockopt(fd.get(), IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof request));
}

// ---- addresses of others ----------------------------------------------------------------------

std::string free_bind(const Arguments& a) {
  auto const host = argument(a, 0);
  bool const v6 = host.find(':') != std::string::npos;
  Fd const fd{open_socket(host, kTcp)};
  int const on = 1;
  ::setsockopt(fd.get(), v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_FREEBIND : IP_FREEBIND, &on,
               sizeof on);
  Name name = name_of(host, 7001);
  return result(::bind(fd.get(), name.get(), name.size));
}

// SOURCE DEST PORT [connected]: names its source in a control message.
std::string packet_info(const Arguments& a) {
  auto const source = argument(a, 0);
  bool const v6 = source.find(':') != std::string::npos;
  Fd const fd{open_socket(source, kUdp)};
  Name to = name_of(argument(a, 1), port_of(a, 2));
  bool const connected = argument(a, 3) == "connected";
  if (connected && ::connect(fd.get(), to.get(), to.size) != 0) return errno_name(errno);
  char text = '?';
  iovec part{&text, 1};
  alignas(cmsghdr) std::array<char, 128> control{};
  msghdr message{};
  if (!connected) {
    message.msg_name = to.get();
    message.msg_namelen = to.size;
  }
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  auto* const head = reinterpret_cast<cmsghdr*>(control.data());
  Name const from = name_of(source, 0);
  if (v6) {
    in6_pktinfo info{};
    info.ipi6_addr = reinterpret_cast<const sockaddr_in6*>(&from.storage)->sin6_addr;
    head->cmsg_level = IPPROTO_IPV6;
    head->cmsg_type = IPV6_PKTINFO;
    head->cmsg_len = CMSG_LEN(sizeof info);
    std::memcpy(CMSG_DATA(head), &info, sizeof info);
    message.msg_controllen = CMSG_SPACE(sizeof info);
  } else {
    in_pktinfo info{};
    info.ipi_spec_dst = reinterpret_cast<const sockaddr_in*>(&from.storage)->sin_addr;
    head->cmsg_level = IPPROTO_IP;
    head->cmsg_type = IP_PKTINFO;
    head->cmsg_len = CMSG_LEN(sizeof info);
    std::memcpy(CMSG_DATA(head), &info, sizeof info);
    message.msg_controllen = CMSG_SPACE(sizeof info);
  }
  if (::sendmsg(fd.get(), &message, 0) < 0) return errno_name(errno);
  return answer(fd.get());
}

// The same by an option of the socket: SOURCE DEST PORT.
std::string sticky_info(const Arguments& a) {
  Fd const fd{open_socket("::", kUdp)};
  in6_pktinfo info{};
  ::inet_pton(AF_INET6, argument(a, 0).c_str(), &info.ipi6_addr);
  if (::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info) != 0)
    return "option: " + errno_name(errno);
  Name to = name_of(argument(a, 1), port_of(a, 2));
  if (::sendto(fd.get(), "?", 1, 0, to.get(), to.size) != 1) return errno_name(errno);
  return answer(fd.get());
}

// FIRST HOST PORT: a datagram by way of a source route.
std::string source_route(const Arguments& a) {
  Fd const fd{open_socket("0.0.0.0", kUdp)};
  std::array<unsigned char, 8> route{131, 7, 4};
  in_addr hop{};
  ::inet_pton(AF_INET, argument(a, 0).c_str(), &hop);
  std::memcpy(&route[3], &hop, 4);
  route[7] = 0;
  if (::setsockopt(fd.get(), IPPROTO_IP, IP_OPTIONS, route.data(), route.size()) != 0)
    return "option: " + errno_name(errno);
  Name to = name_of(argument(a, 1), port_of(a, 2));
  if (::sendto(fd.get(), "?", 1, 0, to.get(), to.size) != 1) return errno_name(errno);
  return answer(fd.get());
}

// Connects, disconnects, and looks which address is left: HOST PORT NEXT.
std::string unspecified(const Arguments& a) {
  Fd const fd{open_socket("0.0.0.0", kUdp)};
  Name to = name_of(argument(a, 0), port_of(a, 1));
  if (::connect(fd.get(), to.get(), to.size) != 0) return errno_name(errno);
  sockaddr none{};
  none.sa_family = AF_UNSPEC;
  if (::connect(fd.get(), &none, sizeof none) != 0) return "disconnect: " + errno_name(errno);
  if (::sendto(fd.get(), "?", 1, 0, to.get(), to.size) != 1) return errno_name(errno);
  return answer(fd.get());
}

std::string fast_open(const Arguments& a) {
  auto const host = argument(a, 0);
  Fd const fd{open_socket(host, kTcp)};
  Name to = name_of(host, port_of(a, 1));
  ::fcntl(fd.get(), F_SETFL, O_NONBLOCK);
  if (::sendto(fd.get(), "?", 1, MSG_FASTOPEN, to.get(), to.size) < 0 && errno != EINPROGRESS)
    return errno_name(errno);
  return answer(fd.get());
}

// Listens without bind(2) and serves: prints the port.
std::string auto_listen(const Arguments& a) {
  Fd const fd{open_socket("0.0.0.0", kTcp)};
  if (::listen(fd.get(), 4) != 0) return errno_name(errno);
  Name name;
  name.size = sizeof name.storage;
  ::getsockname(fd.get(), name.get(), &name.size);
  std::printf("%d\n", ntohs(reinterpret_cast<sockaddr_in*>(&name.storage)->sin_port));
  std::fflush(stdout);
  ::alarm(static_cast<unsigned>(port_of(a, 0)));
  for (;;) {
    int const one = ::accept4(fd.get(), nullptr, nullptr, SOCK_CLOEXEC);
    if (one < 0) continue;
    (void)!::write(one, "auto", 4);
    ::close(one);
  }
}

// A ping socket: HOST, by default from where routing says, or [FROM].
std::string ping(const Arguments& a) {
  bool const v6 = argument(a, 0).find(':') != std::string::npos;
  Fd const fd{::socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM, v6 ? 58 : 1)};
  if (!fd) return "socket: " + errno_name(errno);
  if (!argument(a, 1).empty()) {
    Name from = name_of(argument(a, 1), 0);
    if (::bind(fd.get(), from.get(), from.size) != 0) return "bind: " + errno_name(errno);
  }
  std::array<unsigned char, 16> echo{static_cast<unsigned char>(v6 ? 128 : 8)};
  Name to = name_of(argument(a, 0), 0);
  if (::sendto(fd.get(), echo.data(), echo.size(), 0, to.get(), to.size) < 0)
    return errno_name(errno);
  auto const text = answer(fd.get());
  return text.size() == echo.size() ? "pong" : text;
}

struct Attack {
  std::string_view name;
  std::string (*run)(const Arguments&);
};
constexpr std::array kAttacks{
    Attack{"socket", open_kind},
    Attack{"packet", packet},
    Attack{"families", families},
    Attack{"io_uring", io_uring},
    Attack{"option", option},
    Attack{"bindtodevice", bind_to_device},
    Attack{"join", join_group},
    Attack{"freebind", free_bind},
    Attack{"pktinfo", packet_info},
    Attack{"sticky", sticky_info},
    Attack{"sourceroute", source_route},
    Attack{"unspec", unspecified},
    Attack{"fastopen", fast_open},
    Attack{"autolisten", auto_listen},
    Attack{"ping", ping},
    Attack{"abstract", abstract_name},
    Attack{"pathname", path_name},
    Attack{"newaddr", add_address},
    Attack{"ioctladdr", set_address_by_ioctl},
    Attack{"inherited", inherited},
    Attack{"nested", nested},
    Attack{"bindunspec", bind_unspecified},
    Attack{"newroute", add_route},
    Attack{"lowport-nested", low_port_in_nested},
    Attack{"lowport-nobody", low_port_as_nobody},
};

std::string echo(const Arguments& words) {
  Fd const listener{open_socket(words[1], kTcp)};
  Name name = name_of(words[1], port_of(words, 2));
  if (::bind(listener.get(), name.get(), name.size) != 0 || ::listen(listener.get(), 1) != 0)
    return errno_name(errno);
  Fd const one{::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC)};
  std::array<char, 64> buffer{};
  for (;;) {
    auto const n = ::recv(one.get(), buffer.data(), buffer.size(), 0);
    if (n <= 0) return "";
    (void)!::send(one.get(), buffer.data(), static_cast<std::size_t>(n), MSG_NOSIGNAL);
  }
}

std::string stream(const Arguments& words) {
  Fd fd;
  std::string failed;
  for (int i = 0; i < 50; ++i) {
    fd.reset(open_socket(words[1], kTcp));
    failed = connect_to(fd.get(), words[1], port_of(words, 2));
    if (failed.empty()) break;
    ::poll(nullptr, 0, 50);
  }
  if (!failed.empty()) return failed;
  for (int i = 0; i < port_of(words, 3) * 20; ++i) {
    if (::send(fd.get(), "x", 1, MSG_NOSIGNAL) != 1) return "send: " + errno_name(errno);
    if (answer(fd.get()) != "x") return "lost";
    ::poll(nullptr, 0, 50);
  }
  return "alive";
}

// Binds without pause to HOST for SECONDS, again and again: how often that worked.
std::string hammer(const Arguments& words) {
  Name const name = name_of(words[1], 0);
  auto const end = std::time(nullptr) + port_of(words, 2);
  long tries = 0;
  long bound = 0;
  while (std::time(nullptr) < end) {
    Fd const fd{open_socket(words[1], kUdp)};
    Name to = name;
    bound += ::bind(fd.get(), to.get(), to.size) == 0 ? 1 : 0;
    ++tries;
  }
  return tries < 1000 ? fmt::format("only {} tries", tries) : fmt::format("bound {} times", bound);
}

// The programs pinned in this directory look like those of another version.
std::string age(const Arguments& words) {
  auto map = BpfMap<std::uint32_t, vs_state>::open(words[1] + "/state");
  if (!map) return map.error().message();
  auto state = map->get(0);
  if (!state || !*state) return "no state";
  (*state)->programs = 0;
  auto const done = map->put(0, **state);
  return done ? "" : done.error().message();
}

std::string run(const Arguments& words) {
  auto const verb = argument(words, 0);
  if (verb == "serve") {
    Server const server{{}, words[1], words[2], port_of(words, 3), kind_of(words, 4)};
    std::puts(server.state().c_str());
    std::fflush(stdout);
    if (!server.state().starts_with("up")) return "";
    for (;;)
      ::pause();
  }
  if (verb == "echo") return echo(words);
  if (verb == "hammer") return hammer(words);
  if (verb == "age") return age(words);
  if (verb == "in-userns") {
    if (::unshare(CLONE_NEWUSER) != 0) return "unshare: " + errno_name(errno);
    return run({words.begin() + 1, words.end()});
  }
  if (verb == "with-socket") {
    ::dup2(::socket(AF_INET, SOCK_DGRAM, 0), 0);
    std::vector<char*> command;
    for (std::size_t i = 1; i < words.size(); ++i)
      command.push_back(const_cast<char*>(words[i].c_str()));
    command.push_back(nullptr);
    ::execvp(command[0], command.data());
    return errno_name(errno);
  }
  if (verb == "stream") return stream(words);
  auto const kind = kind_of(words, 3);
  if (verb == "ask") return ask({}, argument(words, 1), port_of(words, 2), kind);
  if (verb == "ask-unconnected") return ask_unconnected({}, argument(words, 1), port_of(words, 2));
  if (verb == "bind") {
    auto const text = try_bind({}, argument(words, 1), port_of(words, 2), kind);
    return text.empty() ? "ok" : text;
  }
  for (auto const& attack : kAttacks) {
    if (verb == "try" && attack.name == argument(words, 1)) {
      auto const text = attack.run({words.begin() + 2, words.end()});
      return text.empty() ? "ok" : text;
    }
  }
  return "usage: net-probe serve|ask|bind|try ...";
}

}  // namespace
}  // namespace vs::rig

int main(int argc, char** argv) {
  auto const text = vs::rig::run({argv + 1, argv + argc});
  if (!text.empty()) std::puts(text.c_str());
  return 0;
}
