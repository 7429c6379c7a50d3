// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "guest/status.h"

namespace vs {

// What ps has printed, with a column CONTEXT behind PID. Nothing when it has no PID column.
std::optional<std::string> with_contexts(std::string_view text,
                                         const std::function<ContextOf(int pid)>& find);

}  // namespace vs
