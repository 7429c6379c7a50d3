// SPDX-License-Identifier: GPL-2.0-or-later
// The original's private namespaces ("spaces"): names and the bits of clone(2).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace vs {

// CLONE_FS: root and working directory, which the original stores like a namespace.
inline constexpr std::uint32_t kSpaceFs = 0x200;
// FS, mount, UTS and IPC, as the original's kernels announce them; and all that there are.
extern const std::uint32_t kSpacesByDefault;
extern const std::uint32_t kAllSpaces;

// Takes one word of a list into the mask: "mount", "--~net", "default", a number. Fails with
// Errc::Usage.
Status take_space(std::string_view word, std::uint32_t& mask);
// The same of several words.
Result<std::uint32_t> parse_spaces(std::string_view words);

// "mount, uts"
std::string space_names(std::uint32_t mask);

}  // namespace vs
