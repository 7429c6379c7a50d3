// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "sys/fd.h"
#include "sys/process.h"

namespace vs {

// True when systemd is the host's PID 1 (sd_booted(3)).
bool is_systemd_host();

// A guest's name inside a unit's name: all but letters, digits and :_.- become \xNN, as
// systemd.unit(5) says ('-' stays: %i, not %I, gives it back).
std::string escape_unit(std::string_view name);
std::string unescape_unit(std::string_view text);

// systemctl(1) with these words. Fails with what it printed.
Status systemctl(const std::vector<std::string>& words);

// A process that keeps a scope alive while nothing else is in it. Dropped, it ends.
struct ScopeHolder {
  Fd gate;
  Child child;
};

// Makes a transient scope with delegated cgroups and one process in it (systemd-run(1)).
//   properties   "Name=value"
Result<ScopeHolder> make_scope(const std::string& unit, const std::string& slice,
                               const std::vector<std::string>& properties);

// Tells the service manager, sd_notify(3); nothing happens when there is none.
//   text   lines NAME=value
//   fd     goes along when it is not -1 (FDSTORE=1)
void notify_manager(const std::string& text, int fd = -1);

// The descriptors that the service manager kept (sd_listen_fds_with_names(3)), by name.
std::vector<std::pair<std::string, Fd>> take_kept_descriptors();

}  // namespace vs
