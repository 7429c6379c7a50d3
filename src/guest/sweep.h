// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "guest/state.h"

namespace vs {

// Takes away what a killed change of a guest's configuration left. Says what; empty when there was
// nothing.
//   run   the guest's lock
Result<std::vector<std::string>> sweep_changes(const RunDir& run);

// Gives back context ids whose claimers were killed before they had more than that. Says which.
std::vector<std::string> sweep_claims();

// Removes the locks of guests that are no more, unless somebody holds them. Says of whom.
std::vector<std::string> sweep_locks();

}  // namespace vs
