// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "context/flags.h"

namespace vs {

// The system call filter of a guest as BPF instructions (struct sock_filter, 8 bytes each).
//
// Refused with EPERM: what reaches the whole machine whatever the capabilities (modules, kexec,
// swap, clocks, raw I/O, perf events, BPF, handles of files, keyrings, terminal injection).
// Answered ENOSYS, so that programs fall back: io_uring, userfaultfd, and every call newer than
// Linux 6.18. Answered EAFNOSUPPORT: sockets of all families but
// unix, IPv4, IPv6, netlink and packet, among them those to the hypervisor.
//   classic   the guest shares the host's user namespace: mount and namespace calls go as well, and
//             clone3, which hides its flags
//   flags, capabilities   of the context (context/flags.h): igneg_nice and igneg_ionice let a raise
//   of
//             priority succeed without effect; syslog gives an empty kernel log; tiocsti lets
//             terminal input be pushed; without set_utsname the host name stays
Result<std::string> compile_seccomp(bool classic, std::uint64_t flags = kDefaultContextFlags,
                                    std::uint64_t capabilities = kDefaultContextCapabilities);

// The filter of the spectator, which sees all processes and acts on none: no tracing, no writing to
// another's memory, none of its descriptors, no terminal injection (EPERM).
Result<std::string> compile_spectator_seccomp();

// The same from a cache directory (root's, mode 0700) when it holds a filter for this table, this
// machine and this library; else compiled and stored there. A broken cache file is replaced.
Result<std::string> cached_seccomp(const std::string& directory, bool classic,
                                   std::uint64_t flags = kDefaultContextFlags,
                                   std::uint64_t capabilities = kDefaultContextCapabilities);

}  // namespace vs
