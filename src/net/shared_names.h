// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace vs {

// Separates the abstract names of unix sockets of the contexts below the cgroup with id `parent`,
// which stand on `level` below the root of all. The shared network's maps must be pinned in `pins`.
// What an earlier version left goes when ours is in force. Fails with Errc::Unsupported, and takes
// nothing away, where the kernel has or allows no hooks on functions: Linux 6.1 with
// CONFIG_FUNCTION_TRACER and, on other machines than x86, as far as they have direct calls.
Status load_names(const std::string& pins, std::uint32_t level, std::uint64_t parent);

// Are they separated?
bool has_names(const std::string& pins);

// What load_names() loads, as a number.
std::uint64_t names_hash();

// Can this kernel do it? Attaches nothing.
Status probe_names();

}  // namespace vs
