// SPDX-License-Identifier: GPL-2.0-or-later
// A limit of the IPv4 and IPv6 sockets of a whole guest, held by BPF programs on its cgroup. What
// makes them is counted (BPF_CGROUP_INET_SOCK_CREATE), what closes them is taken back
// (BPF_CGROUP_INET_SOCK_RELEASE, Linux 5.9). Nothing is pinned: the programs live as long as the
// cgroup, and are found by asking it.
#pragma once

#include <cstdint>
#include <optional>

#include "base/result.h"
#include "sys/cgroup.h"

namespace vs {

struct SocketUse {
  std::uint64_t current = 0;
  std::uint64_t maximum = 0;
  std::uint64_t hits = 0;
  std::uint64_t limit = 0;  // kUnlimited: none
};

// What is counted; nothing for a guest that has not been given a limit yet.
std::optional<SocketUse> read_sockets(const ContextCgroup& cgroup);

// Bounds them from now on; socket(2) fails with ENOBUFS (before Linux 5.18 EPERM). Those that a
// running guest had before its first limit, and accepted ones, are not counted. Fails with
// Errc::Unsupported where the kernel cannot.
Status limit_sockets(const ContextCgroup& cgroup, std::uint64_t limit);

}  // namespace vs
