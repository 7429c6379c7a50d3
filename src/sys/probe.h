// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace vs {

// How much a guest needs a feature of the kernel.
enum class Need : std::uint8_t {
  Required,  // no guest starts without it
  Wanted,    // guests start, and something is lost
  Special,   // only some guests or commands want it
};

// One feature of the kernel, found out by using it.
struct Probe {
  std::string_view name;
  std::string_view since;  // first kernel that has it
  Need need;
  std::string_view lost;  // what is lost without it
  // Uses the feature in a child or on objects of its own and leaves nothing behind. Needs root.
  Status (*run)();
};

// All features that some part of vserver rests on, in the order a reader wants them.
std::span<const Probe> kernel_probes();

// Mounts `dir` detached through a user namespace's ids (mount_setattr(2), Linux 5.12): whether the
// file system that it lies on can carry trees with unshifted owners.
Status probe_idmapped_mount(const std::string& dir);

}  // namespace vs
