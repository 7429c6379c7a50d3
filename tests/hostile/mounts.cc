// SPDX-License-Identifier: GPL-2.0-or-later
// Games with mounts: to take a mask off, to see /proc or /sys without it, to make read-only parts
// writable, to mount what speaks of the machine.
#include <dirent.h>
#include <linux/mount.h>

#include <vector>

#include "attack.h"

namespace attack {
namespace {

constexpr const char* kMasked = "/proc/timer_list";

// Anything of what is hidden below this procfs or at /sys?
bool hidden_shows(const std::string& proc, const std::string& sys) {
  for (const char* file : {"/kcore", "/timer_list", "/kallsyms", "/keys", "/kmsg"}) {
    struct stat st {};
    if (stat((proc + file).c_str(), &st) == 0 && S_ISREG(st.st_mode)) return true;
  }
  for (std::string const& path : {proc + "/irq", sys + "/firmware"}) {
    DIR* dir = opendir(path.c_str());
    if (dir == nullptr) continue;
    int entries = 0;
    while (readdir(dir) != nullptr)
      ++entries;
    closedir(dir);
    if (entries > 2) return true;
  }
  return false;
}
// 0 when it shows, else `err`.
int shows(int err, const std::string& proc = "/proc", const std::string& sys = "/sys") {
  if (hidden_shows(proc, sys)) return 0;
  return err != 0 ? err : ENOENT;
}

// In the control run: masks of the same kind, in a mount namespace of our own.
void prepare_masks() {
  if (!is_control) return;
  mount("/dev/null", kMasked, nullptr, MS_BIND, nullptr);
  for (const char* file : {"/proc/kcore", "/proc/kallsyms", "/proc/keys", "/proc/kmsg"})
    mount("/dev/null", file, nullptr, MS_BIND, nullptr);
  for (const char* dir : {"/proc/irq", "/sys/firmware"})
    mount("tmpfs", dir, "tmpfs", MS_RDONLY, nullptr);
  if (hidden_shows("/proc", "/sys")) _exit(ENOTRECOVERABLE);
}

std::vector<std::string> mount_points() {
  std::vector<std::string> out;
  FILE* file = fopen("/proc/self/mountinfo", "r");
  char at[4096];
  while (file != nullptr && fscanf(file, "%*s %*s %*s %*s %4095s%*[^\n]", at) == 1)
    out.emplace_back(at);
  if (file != nullptr) fclose(file);
  return out;
}

int unmount_all(int flags) {
  prepare_masks();
  int err = 0;
  auto const points = mount_points();
  for (auto at = points.rbegin(); at != points.rend(); ++at) {
    if (is_control && at->rfind("/proc/", 0) != 0) continue;
    if (umount2(at->c_str(), flags) != 0) err = errno;
    if (hidden_shows("/proc", "/sys")) return 0;
  }
  return shows(err);
}
int unmount_each() {
  return unmount_all(0);
}
int unmount_lazily() {
  return unmount_all(MNT_DETACH);
}
int unmount_inside() {
  if (int const err = nest(CLONE_NEWNS); err != 0) return err;
  return unmount_all(MNT_DETACH);
}

int new_proc(unsigned long flags) {
  std::string const at = scratch("proc");
  if (mount("proc", at.c_str(), "proc", flags, nullptr) != 0) return errno;
  return shows(0, at);
}
int fresh_proc() {
  return new_proc(0);
}
int fresh_proc_inside() {
  if (int const err = nest(CLONE_NEWNS | CLONE_NEWPID); err != 0) return err;
  return in_child([] { return new_proc(0); });
}
int fresh_proc_over_proc() {
  if (int const err = nest(CLONE_NEWNS | CLONE_NEWPID); err != 0) return err;
  return in_child([] {
    umount2("/proc", MNT_DETACH);
    if (mount("proc", "/proc", "proc", 0, nullptr) != 0) return errno;
    return shows(0);
  });
}
int new_fs(const char* type) {
  int const fs = static_cast<int>(syscall(SYS_fsopen, type, 0));
  if (fs < 0) return errno;
  if (syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "source", type, 0) != 0) return errno;
  if (syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) return errno;
  return result(syscall(SYS_fsmount, fs, 0, 0));
}
int detached_proc() {
  return new_fs("proc");
}
int fresh_sys_inside() {
  if (int const err = nest(CLONE_NEWNS | CLONE_NEWNET); err != 0) return err;
  std::string const at = scratch("sys");
  if (mount("sysfs", at.c_str(), "sysfs", 0, nullptr) != 0) return errno;
  return shows(0, "/none", at);
}

int bind_without_masks() {
  prepare_masks();
  std::string const at = scratch("bind");
  if (mount("/proc", at.c_str(), nullptr, MS_BIND, nullptr) != 0) return errno;
  return shows(0, at);
}
int bind_inside() {
  if (int const err = nest(CLONE_NEWNS); err != 0) return err;
  return bind_without_masks();
}
int clone_without_masks() {
  prepare_masks();
  int const tree = static_cast<int>(syscall(SYS_open_tree, AT_FDCWD, "/proc", OPEN_TREE_CLONE));
  if (tree < 0) return errno;
  struct stat st {};
  if (fstatat(tree, "timer_list", &st, 0) != 0) return errno;
  return S_ISREG(st.st_mode) ? 0 : ENOENT;
}
int clone_sys() {
  prepare_masks();
  return result(syscall(SYS_open_tree, AT_FDCWD, "/sys", OPEN_TREE_CLONE));
}
int move_mask() {
  prepare_masks();
  std::string const at = scratch("file") + "/mask";
  close(open(at.c_str(), O_CREAT | O_WRONLY, 0600));
  if (syscall(SYS_move_mount, AT_FDCWD, kMasked, AT_FDCWD, at.c_str(), 0) != 0) return errno;
  return shows(0);
}
int move_proc() {
  prepare_masks();
  std::string const at = scratch("moved");
  if (mount("/proc", at.c_str(), nullptr, MS_MOVE, nullptr) != 0) return errno;
  return 0;
}
int overlay_of(const std::string& lower) {
  if (!is_control) {
    if (int const err = nest(CLONE_NEWNS); err != 0) return err;
  }
  std::string const top = scratch("overlay");
  if (mount("tmpfs", top.c_str(), "tmpfs", 0, nullptr) != 0) return errno;
  for (const char* dir : {"/upper", "/at"})
    mkdir((top + dir).c_str(), 0755);
  std::string const options = "lowerdir=" + top + "/upper:" + lower;
  std::string const at = top + "/at";
  if (mount("overlay", at.c_str(), "overlay", 0, options.c_str()) != 0) return errno;
  return shows(0, at, at);
}
int overlay_of_sys() {
  return overlay_of("/sys");
}

int make_writable(const char* path) {
  if (is_control) {
    mount(path, path, nullptr, MS_BIND, nullptr);
    mount(nullptr, path, nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr);
  }
  if (mount(nullptr, path, nullptr, MS_REMOUNT | MS_BIND, nullptr) == 0) return 0;
  mount_attr attr{};
  attr.attr_clr = MOUNT_ATTR_RDONLY;
  return result(syscall(SYS_mount_setattr, AT_FDCWD, path, 0, &attr, sizeof attr));
}
int sys_writable() {
  return make_writable("/sys");
}
int sys_superblock_writable() {
  return result(mount(nullptr, "/sys", nullptr, MS_REMOUNT, nullptr));
}
int proc_fs_writable() {
  return make_writable("/proc/fs");
}
int sys_writable_inside() {
  if (!is_control) {
    if (int const err = nest(CLONE_NEWNS); err != 0) return err;
  }
  return make_writable("/sys");
}
int devices_back() {
  if (is_control) mount("tmpfs", "/mnt", "tmpfs", MS_NODEV, nullptr);
  return result(mount(nullptr, is_control ? "/mnt" : "/", nullptr, MS_REMOUNT | MS_BIND, nullptr));
}

// CVE-2022-0185 and its kind need a block file system's context that can be brought to life.
int block_fs() {
  int const fs = static_cast<int>(syscall(SYS_fsopen, "ext4", 0));
  if (fs < 0) return errno;
  syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "source", "/nothing", 0);
  int const err = result(syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0));
  return err == ENOENT || err == ENOTBLK ? 0 : err;  // it went looking for the device
}
int mount_type(const char* type) {
  return result(mount("none", scratch("fs").c_str(), type, 0, nullptr));
}
int debugfs() {
  return mount_type("debugfs");
}
int tracefs() {
  return mount_type("tracefs");
}
int securityfs() {
  return mount_type("securityfs");
}
int devtmpfs() {
  return mount_type("devtmpfs");
}
constexpr std::array kRows{
    Row{"unmount every line of mountinfo", unmount_each, Control::Host, {EINVAL, EPERM, EBUSY}},
    Row{"unmount them lazily", unmount_lazily, Control::Host, {EINVAL, EPERM}},
    Row{"unmount them in a namespace inside", unmount_inside, Control::Userns, {EINVAL, EPERM}},
    Row{"a fresh proc", fresh_proc, Control::Host, {EPERM}},
    Row{"a fresh proc in namespaces inside", fresh_proc_inside, Control::Userns, {EPERM}},
    Row{"a fresh proc over the old one", fresh_proc_over_proc, Control::Userns, {EPERM}},
    Row{"a detached proc", detached_proc, Control::Host, {EPERM}},
    Row{"a fresh sysfs in namespaces inside", fresh_sys_inside, Control::Userns, {EPERM}},
    Row{"bind /proc without its masks", bind_without_masks, Control::Host, {EINVAL, EPERM}},
    Row{"the same in a namespace inside", bind_inside, Control::Userns, {EINVAL, EPERM}},
    Row{"clone /proc without its masks", clone_without_masks, Control::Host, {EINVAL, EPERM}},
    Row{"clone /sys without its masks", clone_sys, Control::Host, {EINVAL, EPERM}},
    Row{"move a mask away", move_mask, Control::Host, {EINVAL, EPERM}},
    Row{"move /proc away", move_proc, Control::Host, {EINVAL, EPERM}},
    Row{"overlay over /sys",
        overlay_of_sys,
        Control::Host,
        {EINVAL, EPERM, ENOENT},
        {ENODEV, EINVAL}},
    Row{"/sys writable", sys_writable, Control::Host, {EPERM}},
    Row{"/sys writable as a file system", sys_superblock_writable, Control::Host, {EPERM}},
    Row{"/sys writable in a namespace inside", sys_writable_inside, Control::Host, {EPERM}},
    Row{"/proc/fs writable", proc_fs_writable, Control::Host, {EPERM}},
    Row{"device nodes of the root usable", devices_back, Control::Host, {EPERM}},
    Row{"a block file system (CVE-2022-0185)", block_fs, Control::Host, {EPERM}, {ENODEV}},
    Row{"debugfs", debugfs, Control::Host, {EPERM}, {ENODEV}},
    Row{"tracefs", tracefs, Control::Host, {EPERM}, {ENODEV}},
    Row{"securityfs", securityfs, Control::Host, {EPERM}, {ENODEV}},
    Row{"devtmpfs", devtmpfs, Control::Host, {EPERM}, {ENODEV}},
};

}  // namespace
}  // namespace attack

int main(int argc, char** argv) {
  return attack::main_of(attack::kRows, argc, argv);
}
