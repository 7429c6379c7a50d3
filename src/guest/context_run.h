// SPDX-License-Identifier: GPL-2.0-or-later
// Parts of guest/context.h that its two files share.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace vs {

// Becomes a program of PATH with our environment; returns only on failure.
Error exec_words(const std::vector<std::string>& argv);

// Nobody is in this context, and nothing keeps it.
bool has_ended(const std::string& name);
// Takes it away if so.
void collect_context(const std::string& name);

}  // namespace vs
