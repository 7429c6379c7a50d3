// SPDX-License-Identifier: GPL-2.0-or-later
#include "sys/systemd.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/log.h"
#include "base/text.h"
#include "sys/file.h"

namespace vs {

bool is_systemd_host() {
  return exists("/run/systemd/system");
}

std::string escape_unit(std::string_view name) {
  std::string out;
  for (char const c : name) {
    bool const plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == ':' || c == '_' || c == '.' || c == '-';
    if (plain) {
      out += c;
    } else {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

std::string unescape_unit(std::string_view text) {
  auto const digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
  };
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    bool const escaped = text.substr(i, 2) == "\\x" && i + 3 < text.size() &&
                         digit(text[i + 2]) >= 0 && digit(text[i + 3]) >= 0;
    if (!escaped) {
      out += text[i];
      continue;
    }
    out += static_cast<char>(digit(text[i + 2]) * 16 + digit(text[i + 3]));
    i += 3;
  }
  return out;
}

namespace {

// A program whose 0, 1 and 2 are one socket, and our end of it.
struct Talk {
  Fd ours;
  Child child;
};

Result<Talk> talk_to(const std::vector<std::string>& argv) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
    return Error::system(errno, "socketpair");
  Fd ours{ends[0]};
  Fd const theirs{ends[1]};
  int const fd = theirs.get();
  Child child = VS_TRY(spawn_program(argv, {{fd, 0}, {fd, 1}, {fd, 2}}));
  return Talk{std::move(ours), std::move(child)};
}

// What a program printed, in one line.
std::string one_line(std::string_view text) {
  std::string out{trim(text)};
  std::replace(out.begin(), out.end(), '\n', ' ');
  return out;
}

}  // namespace

Status systemctl(const std::vector<std::string>& words) {
  std::vector<std::string> argv{"systemctl"};
  argv.insert(argv.end(), words.begin(), words.end());
  Talk talk = VS_TRY(talk_to(argv));
  ::shutdown(talk.ours.get(), SHUT_WR);
  auto const text = VS_TRY(read_all(talk.ours));
  int const status = VS_TRY(talk.child.wait());
  if (status == 0) return {};
  return Error::make(Errc::System, "systemctl {}: {}", join(words, " "), one_line(text));
}

Result<ScopeHolder> make_scope(const std::string& unit, const std::string& slice,
                               const std::vector<std::string>& properties) {
  std::vector<std::string> argv{"systemd-run",
                                "--quiet",
                                "--scope",
                                "--collect",
                                "--unit=" + unit,
                                "--slice=" + slice,
                                "--property=Delegate=yes"};
  for (auto const& property : properties)
    argv.push_back("--property=" + property);
  argv.insert(argv.end(), {"--", "cat"});
  // cat answers as soon as it runs, in the scope; it ends when our end of the socket is closed.
  constexpr std::string_view kHello = "in the scope\n";
  std::string said;
  for (int tries = 0; tries < 40; ++tries) {
    Talk talk = VS_TRY(talk_to(argv));
    VS_TRY(write_all(talk.ours, kHello, "systemd-run"));
    said.clear();
    while (said.size() < kHello.size()) {
      std::array<char, 1024> buffer{};
      auto const n = ::read(talk.ours.get(), buffer.data(), buffer.size());
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) break;
      said.append(buffer.data(), static_cast<std::size_t>(n));
    }
    if (said == kHello) return ScopeHolder{std::move(talk.ours), std::move(talk.child)};
    ::shutdown(talk.ours.get(), SHUT_WR);
    said += VS_TRY(read_all(talk.ours));
    VS_TRY(talk.child.wait());
    // The scope of the run before has just lost its last process: systemd has yet to forget it.
    if (said.find("already") == std::string::npos) break;
    ::poll(nullptr, 0, 50);
  }
  return Error::make(Errc::System, "systemd-run: make {}: {}", unit, one_line(said));
}

void notify_manager(const std::string& text, int fd) {
  const char* path = std::getenv("NOTIFY_SOCKET");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path == nullptr || std::strlen(path) >= sizeof address.sun_path) return;
  std::string_view{path}.copy(static_cast<char*>(address.sun_path), sizeof address.sun_path - 1);
  auto const length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + std::strlen(path));
  if (address.sun_path[0] == '@') address.sun_path[0] = '\0';
  Fd const socket{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  iovec io{const_cast<char*>(text.data()), text.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_name = &address;
  message.msg_namelen = length;
  message.msg_iov = &io;
  message.msg_iovlen = 1;
  if (fd >= 0) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(head), &fd, sizeof fd);
  }
  if (::sendmsg(socket.get(), &message, MSG_NOSIGNAL) < 0)
    warn("notify the service manager: {}", ::strerrordesc_np(errno));
}

std::vector<std::pair<std::string, Fd>> take_kept_descriptors() {
  std::vector<std::pair<std::string, Fd>> out;
  const char* pid = std::getenv("LISTEN_PID");
  const char* count = std::getenv("LISTEN_FDS");
  const char* names = std::getenv("LISTEN_FDNAMES");
  if (pid == nullptr || count == nullptr) return out;
  bool const ours = parse_decimal(pid) == static_cast<std::uint64_t>(::getpid());
  auto const labels = split(names != nullptr ? names : "", ':');
  auto const n = ours ? parse_decimal(count).value_or(0) : 0;
  for (std::size_t i = 0; i < n && i < 64; ++i) {
    int const fd = 3 + static_cast<int>(i);
    if (::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) continue;
    out.emplace_back(i < labels.size() ? std::string{labels[i]} : std::string{}, Fd{fd});
  }
  for (const char* name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"})
    ::unsetenv(name);
  return out;
}

}  // namespace vs
