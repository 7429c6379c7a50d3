// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "base/result.h"
#include "sys/cgroup.h"
#include "sys/systemd.h"

namespace vs {

// How a guest's parts are systemd's, where systemd runs the host and our units are installed:
//   vserver@NAME.service         what administrators enable, start and stop; calls start and stop
//   vserver-guard@NAME.service   the guard; its start is what starts the guest
//   vserver-NAME.scope           the guest's processes
// A run directory of one's own (VSERVER_RUNDIR) is outside of that: systemd knows only one.
bool units_used();

// From here on this process is what a unit runs, and must not call that unit.
void enter_unit();
bool inside_unit();

std::string guest_unit(const std::string& name);
std::string guard_unit(const std::string& name);

// The guest's scope, with a process that holds it.
Result<ScopeHolder> make_guest_scope(const std::string& name);

// Starts the guest by its units and waits until it runs; the error is the one that the guard's
// start met. The caller has seen that it does not run.
Status start_by_units(const std::string& name);

// Lets systemd know that the guest has ended.
//   wait   until its unit is inactive; the guard itself must not
void stopped_by_units(const std::string& name, bool wait);

// What start_by_units leaves for the guard's start: true once for each.
bool take_start_request(const std::string& name);
// What the guard's start leaves for start_by_units.
void leave_start_error(const std::string& name, const Error& error);

}  // namespace vs
