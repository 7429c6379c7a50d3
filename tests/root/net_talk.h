// SPDX-License-Identifier: GPL-2.0-or-later
// Small servers and clients for tests of the network, and what they saw as text.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <string>

#include <fmt/format.h>

#include "sys/file.h"

namespace vs::rig {

inline std::string errno_name(int err) {
  const char* name = ::strerrorname_np(err);
  return name != nullptr ? name : std::to_string(err);
}

struct Name {
  sockaddr_storage storage{};
  socklen_t size = 0;
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

// "10.0.0.1", "::", "::ffff:10.0.0.1"
inline Name name_of(const std::string& host, int port) {
  Name name;
  if (host.find(':') == std::string::npos) {
    auto* in = reinterpret_cast<sockaddr_in*>(&name.storage);
    in->sin_family = AF_INET;
    in->sin_port = htons(static_cast<std::uint16_t>(port));
    ::inet_pton(AF_INET, host.c_str(), &in->sin_addr);
    name.size = sizeof *in;
  } else {
    auto* in6 = reinterpret_cast<sockaddr_in6*>(&name.storage);
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(static_cast<std::uint16_t>(port));
    ::inet_pton(AF_INET6, host.c_str(), &in6->sin6_addr);
    name.size = sizeof *in6;
  }
  return name;
}

inline std::string text_of(const sockaddr_storage& name) {
  char text[INET6_ADDRSTRLEN] = "?";
  if (name.ss_family == AF_INET)
    ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(&name)->sin_addr, text, sizeof text);
  if (name.ss_family == AF_INET6)
    ::inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6*>(&name)->sin6_addr, text,
                sizeof text);
  return text;
}

inline std::string own_name(int fd) {
  Name name;
  name.size = sizeof name.storage;
  if (::getsockname(fd, name.get(), &name.size) != 0) return errno_name(errno);
  return text_of(name.storage);
}

inline std::string peer_name(int fd) {
  Name name;
  name.size = sizeof name.storage;
  if (::getpeername(fd, name.get(), &name.size) != 0) return errno_name(errno);
  return text_of(name.storage);
}

// Where something runs: in a context's cgroup, in another network namespace, or on the host.
struct Where {
  std::string cgroup;
  int netns = -1;
};

inline void go(const Where& where) {
  if (!where.cgroup.empty() && !write_knob(where.cgroup + "/cgroup.procs", "0")) ::_exit(120);
  if (where.netns >= 0 && ::setns(where.netns, CLONE_NEWNET) != 0) ::_exit(121);
}

// Runs a body there and gives the text that it returns.
template <class Body>
std::string at(const Where& where, Body body) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return "pipe";
  pid_t const pid = ::fork();
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::alarm(20);
    go(where);
    std::string const text = body();
    (void)!::write(ends[1], text.data(), text.size());
    ::_exit(0);
  }
  ::close(ends[1]);
  auto const text = read_all(FdRef::raw(ends[0]));
  ::close(ends[0]);
  int status = 0;
  ::waitpid(pid, &status, 0);
  if (status != 0) return fmt::format("died with {:#x}", status);
  return text ? *text : text.error().message();
}

struct Kind {
  int type = SOCK_STREAM;
  int protocol = 0;
  bool v6only = false;
  bool reuseport = false;
};
inline constexpr Kind kTcp{};
inline constexpr Kind kUdp{SOCK_DGRAM};

inline int open_socket(const std::string& host, const Kind& kind) {
  int const family = host.find(':') == std::string::npos ? AF_INET : AF_INET6;
  int const fd = ::socket(family, kind.type | SOCK_CLOEXEC, kind.protocol);
  int const on = 1;
  if (fd < 0) return -1;
  // For datagrams it would allow two sockets on one address.
  if (kind.type == SOCK_STREAM) ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (kind.v6only) ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  if (kind.reuseport) ::setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  return fd;
}

// A server that answers each connection or datagram with "WORD LOCAL PEER".
class Server {
 public:
  Server(const Where& where, std::string word, const std::string& host, int port,
         const Kind& kind = kTcp) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return;
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      go(where);
      run(ends[1], word, host, port, kind);
    }
    ::close(ends[1]);
    auto const text = read_all(FdRef::raw(ends[0]));
    ::close(ends[0]);
    state_ = text ? *text : text.error().message();
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  // "up NAME" with what getsockname shows, or where it failed.
  [[nodiscard]] const std::string& state() const { return state_; }

 private:
  [[noreturn]] static void fail(int told, const char* step) {
    auto const text = fmt::format("{}: {}", step, errno_name(errno));
    (void)!::write(told, text.data(), text.size());
    ::_exit(0);
  }
  [[noreturn]] static void run(int told, const std::string& word, const std::string& host, int port,
                               const Kind& kind) {
    int const fd = open_socket(host, kind);
    if (fd < 0) fail(told, "socket");
    Name name = name_of(host, port);
    if (::bind(fd, name.get(), name.size) != 0) fail(told, "bind");
    if (kind.type == SOCK_STREAM && ::listen(fd, 16) != 0) fail(told, "listen");
    auto const up = "up " + own_name(fd);
    (void)!::write(told, up.data(), up.size());
    ::close(told);
    for (;;) {
      if (kind.type == SOCK_STREAM) {
        int const one = ::accept4(fd, nullptr, nullptr, SOCK_CLOEXEC);
        if (one < 0) continue;
        auto const text = fmt::format("{} {} {}", word, own_name(one), peer_name(one));
        (void)!::write(one, text.data(), text.size());
        ::close(one);
      } else {
        char buffer[64];
        Name from;
        from.size = sizeof from.storage;
        if (::recvfrom(fd, buffer, sizeof buffer, 0, from.get(), &from.size) < 0) continue;
        auto const text = fmt::format("{} {}", word, text_of(from.storage));
        ::sendto(fd, text.data(), text.size(), 0, from.get(), from.size);
      }
    }
  }
  pid_t pid_ = -1;
  std::string state_;
};

inline std::string answer(int fd) {
  pollfd wait{fd, POLLIN, 0};
  if (::poll(&wait, 1, 1500) != 1) return "no answer";
  char buffer[256];
  auto const n = ::recv(fd, buffer, sizeof buffer, 0);
  if (n < 0) return errno_name(errno);
  return {buffer, static_cast<std::size_t>(n)};
}

inline std::string connect_to(int fd, const std::string& host, int port) {
  Name name = name_of(host, port);
  ::fcntl(fd, F_SETFL, O_NONBLOCK);
  if (::connect(fd, name.get(), name.size) == 0) return "";
  if (errno != EINPROGRESS) return errno_name(errno);
  pollfd wait{fd, POLLOUT, 0};
  if (::poll(&wait, 1, 1500) != 1) return "timeout";
  int err = 0;
  socklen_t size = sizeof err;
  ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &size);
  return err == 0 ? "" : errno_name(err);
}

// Asks a server from there by connect(2): its answer, or how that failed.
inline std::string ask(const Where& where, const std::string& host, int port,
                       const Kind& kind = kTcp) {
  return at(where, [&]() -> std::string {
    Fd const fd{open_socket(host, kind)};
    if (!fd) return errno_name(errno);
    if (auto failed = connect_to(fd.get(), host, port); !failed.empty()) return failed;
    if (kind.type == SOCK_DGRAM && ::send(fd.get(), "?", 1, 0) != 1) return errno_name(errno);
    return answer(fd.get());
  });
}

// Asks a datagram server without connect(2); adds who the answer seems to come from.
inline std::string ask_unconnected(const Where& where, const std::string& host, int port) {
  return at(where, [&]() -> std::string {
    Fd const fd{open_socket(host, kUdp)};
    if (!fd) return errno_name(errno);
    Name name = name_of(host, port);
    if (::sendto(fd.get(), "?", 1, 0, name.get(), name.size) != 1) return errno_name(errno);
    pollfd wait{fd.get(), POLLIN, 0};
    if (::poll(&wait, 1, 1500) != 1) return "no answer";
    char buffer[256];
    Name from;
    from.size = sizeof from.storage;
    auto const n = ::recvfrom(fd.get(), buffer, sizeof buffer, 0, from.get(), &from.size);
    if (n < 0) return errno_name(errno);
    return std::string(buffer, static_cast<std::size_t>(n)) + " from " + text_of(from.storage);
  });
}

// bind(2) from there: "" or the errno.
inline std::string try_bind(const Where& where, const std::string& host, int port,
                            const Kind& kind = kTcp) {
  return at(where, [&]() -> std::string {
    Fd const fd{open_socket(host, kind)};
    if (!fd) return errno_name(errno);
    Name name = name_of(host, port);
    return ::bind(fd.get(), name.get(), name.size) == 0 ? "" : errno_name(errno);
  });
}

}  // namespace vs::rig
