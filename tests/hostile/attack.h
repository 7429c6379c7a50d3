// SPDX-License-Identifier: GPL-2.0-or-later
// One program per family of attacks: a table, and this main() around it. Static, so that it runs in
// any guest, in a plain chroot, and on the host.
//
//   attack-FAMILY control KIND [KEY=VALUE...]   the attacks whose control is KIND must succeed
//   attack-FAMILY guest|classic [KEY=VALUE...]  every attack must fail, with an errno of its row
//
// Each attack runs in a process of its own. What a kernel lacks (ENOSYS and what the row names) is
// printed as "not shown" and counted.
#pragma once

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>

namespace attack {

// Where an attack is shown to work: without what stops it in a guest.
enum class Control {
  Host,       // the host's root, in a mount namespace of its own
  Chroot,     // the host's root in a plain chroot with the host's /proc
  Userns,     // root of a user namespace over the host's unmasked /proc and /sys
  NoSeccomp,  // a guest with `seccomp` off
};

struct Row {
  const char* name;
  int (*run)();  // 0: it worked; else an errno
  Control control;
  std::array<int, 5> refused;    // errnos of a refusal
  std::array<int, 2> lacking{};  // errnos of a kernel without the feature, in the control run
  bool open_to_classic = false;  // works in a guest without a user namespace: no promise there
};

inline bool is_control;  // attacks prepare here what the guest's start prepares there
inline char** arguments;

inline std::string argument(const char* key) {
  std::size_t const length = strlen(key);
  for (char** a = arguments; *a != nullptr; ++a) {
    if (strncmp(*a, key, length) == 0 && (*a)[length] == '=') return *a + length + 1;
  }
  fprintf(stderr, "missing %s=\n", key);
  _exit(99);
}

inline int result(long value) {
  return value < 0 ? errno : 0;
}

inline int write_text(const char* path, const std::string& text) {
  int const fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return errno;
  int const done = write(fd, text.data(), text.size()) < 0 ? errno : 0;
  close(fd);
  return done;
}

// A user namespace inside, with root mapped, and more; the caller is its first process.
inline int nest(int flags) {
  auto const uid = std::to_string(geteuid());
  auto const gid = std::to_string(getegid());
  if (unshare(CLONE_NEWUSER | flags) != 0) return errno;
  write_text("/proc/self/setgroups", "deny");
  if (int const err = write_text("/proc/self/uid_map", "0 " + uid + " 1\n"); err != 0) return err;
  write_text("/proc/self/gid_map", "0 " + gid + " 1\n");
  if ((flags & CLONE_NEWNS) != 0) mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
  return 0;
}

// Runs `body` in a child (a pid namespace begins with one) and gives its result.
template <class Body>
int in_child(Body body) {
  pid_t const pid = fork();
  if (pid == 0) _exit(body());
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
}

inline std::string scratch(const char* name) {
  std::string const path = std::string{"/tmp/attack-"} + name + std::to_string(getpid());
  mkdir(path.c_str(), 0755);
  return path;
}

namespace detail {

template <std::size_t N>
bool is_one_of(int err, const std::array<int, N>& list) {
  for (int const e : list) {
    if (e != 0 && e == err) return true;
  }
  return false;
}

inline const char* name_of(int err) {
  const char* name = strerrorname_np(err);
  return err == 0 ? "worked" : name != nullptr ? name : "?";
}

inline int run_row(const Row& row) {
  return in_child([&] {
    alarm(10);
    // What a control prepares or leaves behind is for it alone.
    if (is_control && unshare(CLONE_NEWNS) == 0)
      mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
    return row.run();
  });
}

}  // namespace detail

// Prints a line per attack; 0 when all came out as they must.
template <std::size_t N>
int main_of(const std::array<Row, N>& rows, int argc, char** argv) {
  if (argc < 2) return 99;
  setvbuf(stdout, nullptr, _IONBF, 0);
  std::string const mode = argv[1];
  is_control = mode == "control";
  arguments = argv + (is_control ? 3 : 2);
  constexpr std::array kKinds{"host", "chroot", "userns", "noseccomp"};
  int shown = 0;
  int bad = 0;
  for (auto const& row : rows) {
    if (is_control && strcmp(argv[2], kKinds[static_cast<std::size_t>(row.control)]) != 0) continue;
    int const err = detail::run_row(row);
    const char* verdict = "ok";
    if (is_control) {
      if (err == ENOSYS || detail::is_one_of(err, row.lacking))
        verdict = "NOT SHOWN";
      else if (err != 0)
        verdict = "FAILED";
    } else if (mode == "classic" && row.open_to_classic) {
      verdict = "no promise";
    } else if (!detail::is_one_of(err, row.refused)) {
      verdict = "FAILED";
    }
    printf("%-10s %s: %s\n", verdict, row.name, detail::name_of(err));
    if (strcmp(verdict, "FAILED") == 0) ++bad;
    ++shown;
  }
  printf("%d attacks, %d failed\n", shown, bad);
  return bad == 0 ? 0 : 1;
}

}  // namespace attack
