// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace vs {

using Words = std::vector<std::string>;

// `vserver [OPTIONS] GUEST COMMAND ...` or `vserver [OPTIONS] COMMAND GUEST...`.
Result<int> run_vserver(const Words& args);
// A table of the running guests.
Result<int> run_stat(const Words& args);
// ps with the guest of each process.
Result<int> run_vps(const Words& args);
// `vserver GUEST build`.
Result<int> run_build(const std::string& name, const Words& args);

}  // namespace vs
