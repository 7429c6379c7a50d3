// SPDX-License-Identifier: GPL-2.0-or-later
// The plan that the command hands to vs-stage in a sealed memfd, and the reports that come back.
// Plain data, no library: shared by the command (glibc) and the static helper (musl).
#pragma once

#include <cstdint>

namespace vs::stage {

constexpr std::uint32_t kPlanMagic = 0x31505356;  // "VSP1"; the last byte is the version

// Descriptors that the helper finds open.
enum : int {
  kPlanFd = 3,      // the plan, a sealed memfd
  kReportFd = 4,    // SOCK_SEQPACKET: reports to the command, one byte back per Await
  kCgroupFd = 5,    // the guest's cgroup on the unified hierarchy (O_PATH), or none
  kProcFd = 6,      // the host's /proc
  kInitFd = 7,      // Exec: pidfd of the guest's init
  kNetNsFd = 8,     // Start: network namespace whose devices /sys shows when the guest has none of
                    // its own; not open: a new one, which ends with the
                    // helper: then /sys shows none
  kFirstV1Fd = 10,  // cgroup.procs of the context in each v1 hierarchy
};
constexpr std::uint32_t kMaxV1 = 32;

enum class Mode : std::uint32_t { Start = 1, Exec = 2 };

enum : std::uint32_t {
  kUserNs = 1U << 0U,     // private user namespace with ids base..base+65535
  kNetNs = 1U << 1U,      // private network namespace
  kIdmapRoot = 1U << 2U,  // the tree's owners are unshifted: mount it through the guest's ids
  kConsole = 1U << 3U,    // init gets a console of the guest's own devpts on 0, 1, 2
  kTerminal = 1U << 4U,   // Exec: a terminal of the guest's own devpts, for descriptors as below
  kSysfs = 1U << 5U,
  kNotify = 1U << 6U,     // a readiness socket at /run/host/notify
  kKeepStdio = 1U << 7U,  // Start: in the foreground; init ends with its parent
  kTerminal0 = 1U << 8U,  // Exec: descriptors that become the terminal; the others are kept
  kTerminal1 = 1U << 9U,
  kTerminal2 = 1U << 10U,
  kMustCwd = 1U << 11U,  // Exec: fail when the working directory cannot be entered
  kReaper = 1U << 12U,   // Start: the helper stays process 1 and runs the program as its child
  // Exec in a context without a guest: in the caller's session, or in the background, where the
  // helper ends at once.
  kKeepSession = 1U << 13U,
  kBackground = 1U << 14U,
};

// Every list is a sequence of NUL-terminated strings in the blob behind the header, in this order:
//   root, hostname, domainname, cwd, ops (kOps groups of four: kind, a, b, c), argv, envp
// then n_rlimits Rlimit and n_filter eight-byte seccomp instructions, each aligned to 8, and
// n_groups gids of four bytes.
struct Header {
  std::uint32_t magic;
  Mode mode;
  std::uint32_t flags;
  std::uint32_t base_id;  // first uid and gid of the guest on the host
  std::uint32_t uid;      // inside
  std::uint32_t gid;
  std::uint32_t n_v1;  // descriptors from kFirstV1Fd
  std::uint32_t n_ops;
  std::uint32_t n_argv;
  std::uint32_t n_envp;
  std::uint32_t n_rlimits;
  std::uint32_t n_filter;
  std::uint32_t strings_size;
  std::int32_t nice;
  std::uint64_t capabilities;    // bounding set
  std::int64_t boottime_offset;  // seconds, for the time namespace
  std::uint32_t ns_flags;        // Exec: CLONE_NEW* to join
  std::uint32_t n_late;          // Start: the last operations, done when the network is up
  std::uint32_t window;          // the terminal's size: rows << 16 | columns; 0: unknown
  std::uint32_t n_groups;        // Exec: supplementary groups
};
static_assert(sizeof(Header) == 88);

struct Rlimit {
  std::uint32_t resource;
  std::uint32_t reserved;
  std::uint64_t soft;
  std::uint64_t hard;
};
static_assert(sizeof(Rlimit) == 24);

// Operations on the guest's tree, done as host root before it is sealed. Each is four strings:
// kind, a, b, c. Paths are resolved inside the guest's root; the first letter of the kind says
// what:
//   t  TARGET OPTIONS ATTR              new tmpfs ("mode=755,size=64k")
//   b  TARGET SOURCE ATTR               bind mount of a host path; R: with what is mounted below,
//                                       i: owners through the guest's ids
//   c  TARGET SOURCE ATTR               the guest's own SOURCE once more, with all that covers it
//   f  TARGET TYPE,SOURCE,OPTIONS ATTR  any other file system
//   n  NAME MAJOR:MINOR MODE            character device node
//   l  NAME TARGET                      symbolic link
//   d  NAME MODE                        directory
//   m  PATH                             mask: nothing where a directory was, /dev/null where a file
//                                       was; absent is fine
//   r  PATH                             read-only from here down; absent is fine
//   p                                   procfs at /proc
//   s                                   sysfs at /sys
// ATTR: r read-only, s nosuid, x noexec, a noatime, A nodiratime, y nosymfollow, D device nodes
// work, L refuse symbolic links in TARGET.
// A '?' behind the letter makes a failure of this operation a warning; those with a '@' stand last
// and are done in the guest's network.
struct Report {
  enum class Kind : std::uint32_t { Error = 1, Init = 2, Await = 3, Descriptors = 4, Warning = 5 };
  Kind kind;
  std::int32_t value;  // errno, or pid
  char step[40];
  char detail[208];
};
static_assert(sizeof(Report) == 256);

}  // namespace vs::stage
