// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace vs {

// One operation on the guest's tree in the stage helper's language (stage/plan.h): kind, a, b, c.
using TreeOp = std::array<std::string, 4>;

struct Fstab {
  std::string file;  // named in errors
  std::string text;
  bool in_network = false;  // mounted when the guest's network is up, from inside it
};

struct TreeConfig {
  std::uint32_t base_id = 0;  // owner of what belongs to guest root; 0: classic
  bool classic = false;       // shares the host's user namespace
  bool sysfs = true;
  std::vector<Fstab> fstabs;  // in the order in which they are mounted
};

// What is mounted, made and hidden in a guest's tree, in order. Pure: `vserver NAME config check`
// prints it, tests compare it. Fails with Errc::Config and FILE:LINE of the fstab entry that is
// wrong.
Result<std::vector<TreeOp>> plan_tree(const TreeConfig& config);

// The paths of /proc and /sys that plan_tree hides, and those that it makes read-only, from guests
// that share the host's user namespace.
std::vector<std::string> hidden_paths();
std::vector<std::string> read_only_paths();

}  // namespace vs
