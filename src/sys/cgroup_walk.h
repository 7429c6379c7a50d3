// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "sys/fd.h"

namespace vs {

// Names of the cgroups in one. The file system counts them as links, so a childless cgroup, which
// nearly all are, costs no look at its dozens of files.
Result<std::vector<std::string>> child_cgroups(FdRef dir);

enum class Walk : bool { Look, Remove };

// Calls `visit` for a cgroup and for all below it, those above first; Walk::Remove then takes them
// away, deepest first. By descriptors and without recursion: a guest nests its own as deep and
// calls them by as long names as it likes, together longer than any path may be. What goes
// meanwhile is no error.
Status walk_cgroups(const std::string& path, const std::function<Status(FdRef dir)>& visit,
                    Walk how);

// Removes a cgroup and all below it; their processes must be gone.
Status remove_cgroup_tree(const std::string& path);

}  // namespace vs
