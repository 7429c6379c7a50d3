// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string_view>

#include "build/build.h"
#include "cli/command.h"

namespace vs {

// A build method with its own options, behind the `--`.
struct MethodTable {
  Command table;
  void (*take)(BuildRequest& request, const Parsed& args);
};

// Fails with Errc::Usage naming the methods that there are.
Result<const MethodTable*> find_method_table(const Parsed& args);

}  // namespace vs
