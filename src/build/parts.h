// SPDX-License-Identifier: GPL-2.0-or-later
// What the parts of a build share; included by them only.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "build/build.h"
#include "build/draft.h"
#include "build/watch.h"
#include "guest/state.h"

namespace vs {

// A build under way.
struct Build {
  const BuildRequest& request;
  RunDir run;
  Draft draft;
  std::optional<Xid> xid;

  void advance(const Advance& how_far) const {
    if (request.on_advance) request.on_advance(how_far);
  }
};

// A method: what it needs is checked before the first change, then the tree is filled.
struct Method {
  std::string_view name;
  Status (*check)(const BuildRequest& request);
  Status (*fill)(Build& build);
};
const Method* find_method(std::string_view name);

Status check_template(const BuildRequest& request);
Status fill_from_templates(Build& build);
Status check_clone(const BuildRequest& request);
Status fill_from_guest(Build& build);
Status check_rsync(const BuildRequest& request);
Status fill_by_rsync(Build& build);
Status check_packages(const BuildRequest& request);
Status fill_from_packages(Build& build);

// A workshop in which the host's programs are at their places, read-only, the tree at /guest, and
// vserver itself at /vserver.
Result<WorkPlan> workshop(const Build& build);

// Mounts a source tree, read-only, at source_mount(), its owners those of the guest, though they
// are base..base+65535 in the source. Nobody but this process and its children sees the mount.
std::string source_mount();
Status bind_source(const Build& build, const std::string& source, std::uint32_t base);

// An error of a program in a workshop or of a tool: its own words, or that the disk is full.
Error work_error(const Build& build, std::string_view what, const Ended& ended);

// Writes a file of the tree, owned by the guest's root; directories on the way must be there.
//   keep   an existing file that is not empty stays
Status put_file(const Build& build, const std::string& path, const std::string& text,
                unsigned mode = 0644, bool keep = false);
// A copy is another machine: empties /etc/machine-id, takes away dbus' copy of it and systemd's
// random seed, and names the guest in /etc/hostname, when the tree has them.
Status make_another_machine(const Build& build);

}  // namespace vs
