// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "base/result.h"
#include "guest/state.h"

namespace vs {

// What util-vserver's users read of a running guest: the run file with its xid, whose time is that
// of the start, found by the link CONF/NAME/run (made when it is missing); and the link REV/XID to
// its configuration. We never decide by them. Fails with Errc::Config when the link leads to the
// run file of another running guest.
Status write_run_files(const std::string& name, const RunState& state);
// Takes away what is this guest's; without a state, of the xid in the run file.
Status remove_run_files(const std::string& name, std::optional<RunState> const& state);

// Makes the link CONF_DIR/run for a guest of this name.
Status link_run_file(const std::string& conf_dir, const std::string& name);

// The file that util-vserver's tools lock while they start or stop the guest.
std::string startup_lock_path(const std::string& name);

}  // namespace vs
