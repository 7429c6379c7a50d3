// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/flag_table.h"

namespace vs {

// Names and bits of the capabilities (capabilities(7)), as the original's bcapabilities file
// writes them: any case, with or without CAP_.
std::span<const FlagName> capability_table();

// What guest root may hold when nothing is configured. In a user namespace of its own the set is
// wide: each of these reaches only objects of the guest's namespaces. Without one (classic) it is
// the original's secure set.
std::uint64_t default_capabilities(bool userns);

// Applies the lines of `bcapabilities` to the defaults; a line "~NAME" takes away.
// Fails with Errc::Config naming the line.
Result<std::uint64_t> bounding_set(bool userns, const std::vector<std::string>& lines);

}  // namespace vs
