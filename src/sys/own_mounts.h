// SPDX-License-Identifier: GPL-2.0-or-later
// Mounts of a process that has a mount namespace of its own and trusts its tree.
#pragma once

#include <string>

#include "base/result.h"

namespace vs {

// What is mounted here is seen nowhere else; what the host mounts is still seen here.
Status make_mounts_slave();

// Makes the present directory the root: there is no way back (pivot_root(2)).
Status pivot_here();

// The processes of the caller's pid namespace at /proc; success where there is no such directory.
Status mount_own_proc();

// Nothing where a directory was, /dev/null where a file was; absent is success.
Status hide_path(const std::string& path);
// Read-only from here down (mount_setattr(2), Linux 5.12); absent is success.
Status make_read_only(const std::string& path);

}  // namespace vs
