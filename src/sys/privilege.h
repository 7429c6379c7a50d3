// SPDX-License-Identifier: GPL-2.0-or-later
// What the calling process gives up for good before it becomes a program.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace vs {

// The five sets of capabilities(7) of a process, as masks.
struct CapabilitySets {
  std::uint64_t effective = 0, permitted = 0, inheritable = 0, bounding = 0, ambient = 0;
};
// Fails with ESRCH when there is no such process.
Result<CapabilitySets> capabilities_of(int pid);

// Every capability that the running kernel knows.
std::uint64_t all_capabilities();

// Takes all others from the bounding set and from the process's own sets: no program that it or
// its children run can have them.
Status bound_capabilities(std::uint64_t keep);

// Loads a seccomp filter (eight-byte instructions); with CAP_SYS_ADMIN only, or after
// forbid_new_privileges().
Status load_filter(std::string_view instructions);

// No program run from here on gains anything by set-id bits or file capabilities.
Status forbid_new_privileges();

struct Identity {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::vector<std::uint32_t> groups;
};
// Becomes this user. `keep` stays effective, and with the programs that are run (ambient set).
Status become_user(const Identity& identity, std::uint64_t keep = 0);

}  // namespace vs
