// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace vs {

// Changes one entry of a guest's configuration under the guest's lock: all of it, or nothing.
//   text   the new content; without one the entry, or the directory of entries, is removed
// Refused with Errc::Usage when there is no such entry or the text is none of its kind, and with
// Errc::Config when the guest could not be started with it (and could before).
Status change_entry(const std::string& name, const std::string& path,
                    std::optional<std::string_view> text);

}  // namespace vs
