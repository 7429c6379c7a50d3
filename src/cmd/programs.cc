// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/commands.h"

namespace vs {

namespace {

// clang-format off
constexpr std::array kPrograms{
    &kCapchroot,
    &kChbind,
    &kChcontext,
    &kExecUlimit,
    &kInfo,
    &kNaddress,
    &kNattribute,
    &kNcontext,
    &kReducecap,
    &kStartAll,
    &kStat,
    &kStopAll,
    &kVattribute,
    &kVcontext,
    &kVkill,
    &kVlimit,
    &kVmemctrl,
    &kVnamespace,
    &kVps,
    &kVpstree,
    &kVsched,
    &kVserverCopy,
    &kVspace,
    &kVtop,
    &kVuname,
    &kVwait,
};
// clang-format on

}  // namespace

std::span<const Command* const> all_programs() {
  return kPrograms;
}

}  // namespace vs
