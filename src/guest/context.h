// SPDX-License-Identifier: GPL-2.0-or-later
// Contexts without a guest: a service of the host's own tree with limits, capabilities and
// processes of its own, as the original's vcontext and chcontext make them. Each has a cgroup where
// guests have theirs, a pid and a mount namespace, and until it ends a configuration in its run
// directory that the tools for guests read and change.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "context/xid.h"

namespace vs {

// Xid of the host's processes, and of those that see all others.
inline constexpr std::uint32_t kHostXid = 0;
inline constexpr std::uint32_t kSpectatorXid = 1;

// CLONE_NEW* that a context has whatever is asked for, and those it has by default.
extern const std::uint32_t kContextSpaces;
extern const std::uint32_t kDefaultSpaces;

struct ContextWish {
  std::optional<Xid> xid;          // a free one above 49151 without
  std::uint64_t capabilities = 0;  // what its processes may have
  std::uint64_t flags = 0;         // cflags; state_setup: capabilities hold from its end on
  std::uint64_t context_capabilities = 0;
  std::uint32_t spaces = 0;  // CLONE_NEW* beside kContextSpaces
  std::string hostname, domainname;
};

// Makes a context that nobody is in yet and gives its xid. Fails with Errc::Busy when there is one
// with this xid, a guest's included. Contexts that have ended are taken away on the occasion.
Result<std::uint32_t> make_context(const ContextWish& wish);

struct ContextProgram {
  std::vector<std::string> argv;
  std::optional<std::uint32_t> uid;
  bool own_init = false;    // it is process 1 of the context, which ends with it
  bool chroot = false;      // the present directory is its root
  bool background = false;  // return when it runs
};

// Runs a program in a context without a guest: the first of it, or one more. Gives its exit status;
// 0 in the background. Fails with Errc::NotFound when there is no such context.
Result<int> run_in_context(std::uint32_t xid, const ContextProgram& program);

// The end of the set-up, called by a process of the context: from here on its capabilities and
// flags bind the caller and what joins later. Then becomes the program; returns only on failure.
Error finish_setup(const ContextProgram& program);

// Becomes a program that sees the processes of all contexts and can act on none: a user that no
// other process has, without CAP_KILL, and with no right but to read. Returns only on failure.
Error become_spectator(const std::vector<std::string>& argv);

// The guest or context that the calling process is in; empty on the host.
Result<std::string> own_context();
// Its xid; kHostXid on the host.
Result<std::uint32_t> own_xid();

// Takes away contexts without a guest that have ended and are not persistent.
void collect_contexts();

}  // namespace vs
