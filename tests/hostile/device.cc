// SPDX-License-Identifier: GPL-2.0-or-later
// Device nodes: made, found, or reached through a file system of the guest's own.
#include <sys/sysmacros.h>

#include "attack.h"

namespace attack {
namespace {

int make_node(mode_t type, unsigned major, unsigned minor) {
  std::string const path = "/tmp/attack-node-" + std::to_string(getpid());
  int const err = result(mknod(path.c_str(), type | 0600, makedev(major, minor)));
  unlink(path.c_str());
  return err;
}
int block_node() {
  return make_node(S_IFBLK, 8, 0);
}
int memory_node() {
  return make_node(S_IFCHR, 1, 1);
}
int kmsg_node() {
  return make_node(S_IFCHR, 1, 11);
}
int loop_control_node() {
  return make_node(S_IFCHR, 10, 237);
}
int null_node() {
  return make_node(S_IFCHR, 1, 3);
}
int node_inside() {
  if (!is_control) {
    if (int const err = nest(CLONE_NEWNS); err != 0) return err;
  }
  if (mount("tmpfs", "/tmp", "tmpfs", 0, nullptr) != 0) return errno;
  return make_node(S_IFBLK, 7, 0);
}
int node_on_own_tmpfs() {
  std::string const at = scratch("dev");
  if (mount("tmpfs", at.c_str(), "tmpfs", 0, nullptr) != 0) return errno;
  return result(mknod((at + "/disk").c_str(), S_IFBLK | 0600, makedev(7, 0)));
}
int open_kmsg() {
  return result(open("/dev/kmsg", O_RDONLY | O_NONBLOCK));
}
int open_memory() {
  return result(open(access("/dev/mem", F_OK) == 0 ? "/dev/mem" : "/dev/port", O_RDONLY));
}
int open_loop_control() {
  return result(open("/dev/loop-control", O_RDWR));
}

constexpr std::array kRows{
    Row{"make a disk", block_node, Control::Host, {EPERM}},
    Row{"make the memory", memory_node, Control::Host, {EPERM}},
    Row{"make the kernel log", kmsg_node, Control::Host, {EPERM}},
    Row{"make the loop control", loop_control_node, Control::Host, {EPERM}},
    Row{"make a null device", null_node, Control::Host, {EPERM}},
    Row{"make a disk on a tmpfs of its own", node_on_own_tmpfs, Control::Host, {EPERM}},
    Row{"make a disk in a namespace inside", node_inside, Control::Host, {EPERM}},
    Row{"the kernel log", open_kmsg, Control::Host, {ENOENT}},
    Row{"the memory", open_memory, Control::Host, {ENOENT}, {ENOENT, EPERM}},
    Row{"the loop control", open_loop_control, Control::Host, {ENOENT}, {ENOENT}},
};

}  // namespace
}  // namespace attack

int main(int argc, char** argv) {
  return attack::main_of(attack::kRows, argc, argv);
}
