// SPDX-License-Identifier: GPL-2.0-or-later
// Capabilities beyond the guest's bound, and what they would be used for.
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/xattr.h>
#include <time.h>

#include "attack.h"

namespace attack {
namespace {

int set_all(std::uint32_t inheritable, bool also_permitted) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[2] = {};
  if (syscall(SYS_capget, &header, sets) != 0) return errno;
  sets[0].inheritable = inheritable;
  if (also_permitted) sets[0].permitted |= 1U << CAP_SYS_TIME;
  if (also_permitted) sets[0].effective |= 1U << CAP_SYS_TIME;
  return result(syscall(SYS_capset, &header, sets));
}
int raise_permitted() {
  return set_all(0, true);
}
int raise_inheritable() {
  return set_all(1U << CAP_SYS_TIME, false);
}
int raise_ambient() {
  set_all(1U << CAP_SYS_TIME, false);
  return result(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_SYS_TIME, 0, 0));
}
int in_bound(int cap) {
  int const value = prctl(PR_CAPBSET_READ, cap, 0, 0, 0);
  return value == 1 ? 0 : value == 0 ? EPERM : errno;
}
int bound_module() {
  return in_bound(CAP_SYS_MODULE);
}
int bound_rawio() {
  return in_bound(CAP_SYS_RAWIO);
}
int bound_mknod() {
  return in_bound(CAP_MKNOD);
}
int bound_net_admin() {
  return in_bound(CAP_NET_ADMIN);
}
int bound_mac_admin() {
  return in_bound(CAP_MAC_ADMIN);
}
int bound_bpf() {
  return in_bound(CAP_BPF);
}
int bound_newer() {  // bits 34 to 40, which the original's sign error let through
  for (int cap = CAP_SYSLOG; cap <= CAP_CHECKPOINT_RESTORE; ++cap) {
    if (in_bound(cap) == 0) return 0;
  }
  return EPERM;
}
// In a namespace inside every capability is there again; it reaches nothing of the guest's own.
int host_name_from_inside() {
  char name[65] = {};
  gethostname(name, sizeof name - 1);
  if (is_control) return result(sethostname(name, strlen(name)));
  if (int const err = nest(0); err != 0) return err;
  return result(sethostname(name, strlen(name)));
}
int trusted_attribute() {
  close(open("/tmp/attack-trusted", O_CREAT | O_WRONLY, 0600));
  return result(setxattr("/tmp/attack-trusted", "trusted.attack", "x", 1, 0));
}
int immutable_file() {
  int const fd = open("/root/attack-immutable", O_CREAT | O_RDWR, 0600);
  int flags = 0;
  if (fd < 0 || syscall(SYS_ioctl, fd, 0x80086601UL /* FS_IOC_GETFLAGS */, &flags) != 0)
    return errno;
  int const set = flags | 0x10;  // FS_IMMUTABLE_FL
  int const err = result(syscall(SYS_ioctl, fd, 0x40086602UL /* FS_IOC_SETFLAGS */, &set));
  syscall(SYS_ioctl, fd, 0x40086602UL, &flags);
  unlink("/root/attack-immutable");
  return err;
}

constexpr std::array kRows{
    Row{"raise a permitted one", raise_permitted, Control::Host, {EPERM}},
    Row{"raise an inheritable one", raise_inheritable, Control::Host, {EPERM}},
    Row{"raise an ambient one", raise_ambient, Control::Host, {EPERM}},
    Row{"SYS_MODULE within the bound", bound_module, Control::Host, {EPERM}},
    Row{"SYS_RAWIO within the bound", bound_rawio, Control::Host, {EPERM}},
    Row{"MKNOD within the bound", bound_mknod, Control::Host, {EPERM}},
    Row{"NET_ADMIN within the bound", bound_net_admin, Control::Host, {EPERM}},
    Row{"MAC_ADMIN within the bound", bound_mac_admin, Control::Host, {EPERM}},
    Row{"BPF within the bound", bound_bpf, Control::Host, {EPERM}},
    Row{"those above bit 33 within the bound", bound_newer, Control::Host, {EPERM}},
    Row{"the host name from a namespace inside", host_name_from_inside, Control::Host, {EPERM}},
    Row{"a trusted attribute", trusted_attribute, Control::Host, {EPERM}},
    Row{"an immutable file", immutable_file, Control::Host, {EPERM}, {ENOTTY, EOPNOTSUPP}},
};

// What the host sees of a file capability that guest root has set: the root id that it is for.
int set_file_capability(const char* path) {
  vfs_cap_data data{};
  data.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE;
  data.data[0].permitted = 1U << CAP_CHOWN;
  return setxattr(path, "security.capability", &data, sizeof data, 0) == 0 ? 0 : 1;
}
int print_root_id(const char* path) {
  vfs_ns_cap_data data{};
  if (getxattr(path, "security.capability", &data, sizeof data) != sizeof data) return 1;
  printf("%u\n", data.rootid);
  return 0;
}

}  // namespace
}  // namespace attack

int main(int argc, char** argv) {
  if (argc == 3 && strcmp(argv[1], "set-file") == 0) return attack::set_file_capability(argv[2]);
  if (argc == 3 && strcmp(argv[1], "root-id") == 0) return attack::print_root_id(argv[2]);
  return attack::main_of(attack::kRows, argc, argv);
}
