// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "base/result.h"

namespace vs {

// Puts the shared network's programs and maps in force in `pins`, a directory on a BPF file system,
// for the children of the cgroup `parent`, whose network namespace is the caller's. What is in
// force already is left alone; see SharedSet::ensure.
Status load_shared(const std::string& parent, const std::string& pins);

// Can the host share its network with guests, and keep them apart in all that docs/network.md says?
// Loads what a start would, attaches nothing to the host. Fails with Errc::Unsupported.
Status probe_shared();

// Takes them off again: links, filters on devices, maps.
Status unload_shared(const std::string& pins);

}  // namespace vs
