// SPDX-License-Identifier: GPL-2.0-or-later
// Sockets that reach the host past the guest's network namespace. A guest with net/mode host is in
// the host's, and no row of Control::Host holds there: see docs/threat-model.md.
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "attack.h"

namespace attack {
namespace {

sockaddr_un abstract_name(const std::string& name, socklen_t* length) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  memcpy(&address.sun_path[1], name.data(), name.size());
  *length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  return address;
}
int abstract_socket() {
  socklen_t length = 0;
  auto const address = abstract_name(argument("abstract"), &length);
  int const fd = socket(AF_UNIX, SOCK_STREAM, 0);
  return result(connect(fd, reinterpret_cast<const sockaddr*>(&address), length));
}
int packet_socket() {
  return result(socket(AF_PACKET, SOCK_RAW, htons(3)));
}
int raw_socket() {
  return result(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
}
int open_family(int family, int type) {
  return result(socket(family, type, 0));
}
int vm_socket() {
  return open_family(AF_VSOCK, SOCK_STREAM);
}
int crypto_socket() {
  return open_family(AF_ALG, SOCK_SEQPACKET);
}
int audit() {
  int const fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_AUDIT);
  if (fd < 0) return errno;
  struct {
    nlmsghdr head;
    char text[16];
  } message{};
  message.head.nlmsg_len = sizeof message;
  message.head.nlmsg_type = 1000;  // AUDIT_GET
  message.head.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
  if (send(fd, &message, sizeof message, 0) < 0) return errno;
  struct {
    nlmsghdr head;
    nlmsgerr error;
  } answer{};
  if (recv(fd, &answer, sizeof answer, 0) < 0) return errno;
  return answer.head.nlmsg_type == NLMSG_ERROR ? -answer.error.error : 0;
}
int kernel_events() {  // a made-up uevent for the host's udev
  int const fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT);
  sockaddr_nl to{};
  to.nl_family = AF_NETLINK;
  to.nl_groups = 4;  // nobody listens to this one
  int const err = result(sendto(fd, "x", 1, 0, reinterpret_cast<sockaddr*>(&to), sizeof to));
  return err == ECONNREFUSED ? 0 : err;
}

constexpr std::array kRows{
    Row{"an abstract socket of the host", abstract_socket, Control::Host, {ECONNREFUSED}},
    Row{"a packet socket", packet_socket, Control::Host, {EPERM}},
    Row{"a raw socket", raw_socket, Control::Host, {EPERM}},
    Row{"a socket to the hypervisor",
        vm_socket,
        Control::NoSeccomp,
        {EAFNOSUPPORT},
        {EAFNOSUPPORT}},
    Row{"a socket of the kernel's ciphers",
        crypto_socket,
        Control::NoSeccomp,
        {EAFNOSUPPORT},
        {EAFNOSUPPORT}},
    Row{"the audit subsystem",
        audit,
        Control::Host,
        {EPERM, EPROTONOSUPPORT, ECONNREFUSED},
        {EPROTONOSUPPORT}},
    Row{"a kernel event", kernel_events, Control::Host, {EPERM}},
};

int listen_abstract(const std::string& name) {
  socklen_t length = 0;
  auto const address = abstract_name(name, &length);
  int const fd = socket(AF_UNIX, SOCK_STREAM, 0);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), length) != 0 || listen(fd, 4) != 0)
    return 1;
  pause();
  return 0;
}

}  // namespace
}  // namespace attack

int main(int argc, char** argv) {
  if (argc == 3 && strcmp(argv[1], "listen") == 0) return attack::listen_abstract(argv[2]);
  return attack::main_of(attack::kRows, argc, argv);
}
