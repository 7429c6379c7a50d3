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

struct TreeConfig {
  std::uint32_t base_id = 0;  // owner of what belongs to guest root; 0: classic
  bool classic = false;       // shares the host's user namespace
  bool sysfs = true;
  std::string fstab;         // text of the guest's fstab
  std::string fstab_remote;  // mounted after the others, in the guest's network
};

// What is mounted, made and hidden in a guest's tree, in order. Pure: `vserver NAME config check`
// prints it, tests compare it. Fails with Errc::Config naming the fstab line that is wrong.
Result<std::vector<TreeOp>> plan_tree(const TreeConfig& config);

}  // namespace vs
