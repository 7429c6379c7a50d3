// SPDX-License-Identifier: GPL-2.0-or-later
// Namespaces of contexts, entered and kept one by one.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace vs {

// Runs a program in new namespaces (CLONE_NEW*) and gives its exit status. A new user namespace has
// the ids that the caller's has; /proc follows where the pid and the mount namespace are new.
Result<int> run_in_new_spaces(std::uint32_t mask, const std::vector<std::string>& argv);

// Remembers the caller's namespaces as set `index` (0 or 1) of its context, for as long as a
// process of the context is in them. Fails with Errc::Usage outside of a context without a guest.
Status store_spaces(std::uint32_t mask, unsigned index);

// Runs a program in namespaces of a context. In those of a guest that lead to the guest's files the
// program is the guest's, and runs as its root. Fails with EINVAL when one is not there.
Result<int> run_in_spaces(const std::string& context, std::uint32_t mask, unsigned index,
                          const std::vector<std::string>& argv);

// What uname(2) says in a context, in the order sysname, nodename, release, version, machine,
// domainname.
Result<std::vector<std::string>> names_in(const std::string& context);
// Sets the host name or the NIS domain name in a running context.
Status set_name_in(const std::string& context, bool domain, const std::string& text);

}  // namespace vs
