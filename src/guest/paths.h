// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace vs {

// Where things live. Each can be moved by an environment variable, for tests and packagers:
// VSERVER_CONFDIR, VSERVER_VDIRBASE, VSERVER_RUNDIR, VSERVER_CACHEDIR, VSERVER_LIBEXECDIR,
// VSERVER_STATEDIR, VSERVER_LOCKDIR.
struct Paths {
  std::string conf;   // /etc/vservers
  std::string vdirs;  // /var/lib/vservers
  std::string run;    // /run/vserver
  std::string cache;  // /var/cache/vserver
  std::string state;  // /run/vservers, what util-vserver kept there; with VSERVER_RUNDIR below that
  std::string rev;    // /run/vservers.rev: the same with ".rev"
  std::string locks;  // /run/lock, the same
  std::string libexec;  // vs-stage and vs-guard: beside the program, else the installed place
  std::string self;     // this program

  static const Paths& get();
};

// A guest's name becomes a directory, a cgroup and a unit: letters, digits, '.', '_', '-', '+',
// starting with a letter or digit, at most 64 characters. Fails with Errc::Usage.
Status check_name(const std::string& name);

// A context without a guest (guest/context.h) has a name that no guest can have: ".xid-NUMBER".
std::string context_name(std::uint32_t xid);
bool is_context_name(std::string_view name);

// Where the configuration of a guest is; of a context without one, which has it until it ends.
std::string config_dir(const std::string& name);

}  // namespace vs
