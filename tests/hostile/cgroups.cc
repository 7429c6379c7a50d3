// SPDX-License-Identifier: GPL-2.0-or-later
// Out of the guest's cgroup, or over its limits.
#include "attack.h"

namespace attack {
namespace {

// A v1 hierarchy with controllers, else "name=systemd".
std::string at;

int mount_v1(const char* options) {
  at = scratch("v1");
  return result(mount("cgroup", at.c_str(), "cgroup", 0, options));
}
int release_agent() {
  if (int const err = mount_v1("memory"); err != 0) return err;
  return result(open((at + "/release_agent").c_str(), O_WRONLY));
}
// CVE-2022-0492: a user namespace of one's own was enough.
int release_agent_inside() {
  if (!is_control) {
    if (int const err = nest(CLONE_NEWNS | CLONE_NEWCGROUP); err != 0) return err;
  }
  return release_agent();
}
int new_hierarchy() {
  std::string const options = "none,name=attack" + std::to_string(getpid());
  int const err = mount_v1(options.c_str());
  umount2(at.c_str(), 0);
  return err;
}
int limit_v1() {
  if (int const err = mount_v1("memory"); err != 0) return err;
  std::string const dir = is_control ? at + "/" + argument("slice") : at;
  int const fd = open((dir + "/memory.limit_in_bytes").c_str(), O_WRONLY);
  return result(fd);
}
int mount_v2() {
  at = scratch("v2");
  return result(mount("none", at.c_str(), "cgroup2", 0, nullptr));
}
int others_v2() {
  if (int const err = mount_v2(); err != 0) return err;
  return result(access((at + "/" + argument("parent")).c_str(), F_OK));
}
int above_v2() {
  if (int const err = mount_v2(); err != 0) return err;
  int const dir = open(at.c_str(), O_RDONLY | O_DIRECTORY);
  std::string const parent = argument("parent");
  return result(openat(dir, (is_control ? parent : "../" + parent).c_str(), O_RDONLY));
}
// A freezer, a kill switch and limits of the guest's own root are the context's.
int limit_v2() {
  if (int const err = mount_v2(); err != 0) return err;
  std::string const dir = is_control ? at + "/" + argument("context") : at;
  for (const char* knob : {"/memory.max", "/pids.max", "/cgroup.max.descendants"}) {
    int const fd = open((dir + knob).c_str(), O_WRONLY);
    if (fd >= 0) return 0;
    if (errno != ENOENT) return errno;
  }
  return ENOENT;
}
int detach_device_filter() {
  std::uint32_t attr[32] = {};
  int const dir = open("/sys/fs/cgroup", O_RDONLY | O_DIRECTORY);
  attr[0] = static_cast<std::uint32_t>(dir);
  attr[2] = 6;  // BPF_CGROUP_DEVICE
  int const err = result(syscall(SYS_bpf, 9 /* BPF_PROG_DETACH */, attr, sizeof attr));
  return is_control && err != EPERM && err != ENOSYS ? 0 : err;  // the call itself was allowed
}

constexpr std::array kRows{
    Row{"release_agent",
        release_agent,
        Control::Host,
        {EPERM, EACCES, ENOENT, EBUSY, EINVAL},
        {EBUSY, EINVAL}},
    Row{"release_agent inside (CVE-2022-0492)",
        release_agent_inside,
        Control::Host,
        {EPERM, EACCES, ENOENT, EBUSY, EINVAL},
        {EBUSY, EINVAL}},
    Row{"a hierarchy of its own", new_hierarchy, Control::Host, {EPERM}, {ENODEV, EINVAL}},
    Row{"a v1 limit", limit_v1, Control::Host, {EPERM, EACCES, EBUSY, EINVAL}, {EBUSY, EINVAL}},
    Row{"other guests' cgroups", others_v2, Control::Host, {ENOENT, EPERM}},
    Row{"the cgroup above", above_v2, Control::Host, {ENOENT, EPERM}},
    Row{"a limit of its own root", limit_v2, Control::Host, {ENOENT, EACCES, EPERM}},
    Row{"detach the device filter", detach_device_filter, Control::Host, {EPERM}},
};

}  // namespace
}  // namespace attack

int main(int argc, char** argv) {
  return attack::main_of(attack::kRows, argc, argv);
}
