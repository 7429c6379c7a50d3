// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/commands.h"

namespace vs {

namespace {

constexpr std::array kPrograms{&kChbind, &kNaddress, &kNattribute, &kNcontext,   &kInfo,
                               &kStat,   &kStartAll, &kStopAll,    &kVattribute, &kVkill,
                               &kVlimit, &kVps,      &kVsched};

}  // namespace

std::span<const Command* const> all_programs() {
  return kPrograms;
}

}  // namespace vs
