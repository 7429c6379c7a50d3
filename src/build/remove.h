// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "base/result.h"
#include "build/build.h"

namespace vs {

// The second half of a delete, when the guest's configuration is CONF/.deleted.NAME: removes the
// tree, the logs, and the configuration last. May be done again after an interruption.
Status remove_deleted(const std::string& name, const OnAdvance& on_advance);

}  // namespace vs
