// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "context/xid.h"

namespace vs {

// How far a build or delete is.
struct Advance {
  std::string_view stage;  // "downloading packages"
  std::uint64_t done = 0;
  std::optional<std::uint64_t> total;  // empty: not known
  std::string_view text;               // what is at work: a package, a count
};
using OnAdvance = std::function<void(const Advance&)>;

// What a new guest shall be.
struct BuildRequest {
  std::string name;
  std::string method;  // clone, debootstrap, rsync, skeleton or template
  std::optional<Xid> xid;
  std::string rootdir;  // parent of the root directory; empty: .defaults/vdirbase, else the usual
  bool force = false;   // rename what is there already to PATH.~EPOCH~
  bool adopt = false;   // skeleton: take the root directory that is there
  bool keep = false;    // leave the files of a failed build
  std::vector<std::pair<std::string, std::string>> entries;  // configuration entries to write
  OnAdvance on_advance;                                      // may be empty

  std::string distribution;            // debootstrap: "bookworm"
  std::string mirror;                  // debootstrap; empty: the distribution's or the usual
  std::string script;                  // debootstrap's own script for the distribution
  std::string tool;                    // "debootstrap", "mmdebstrap"; empty: what is there
  std::vector<std::string> packages;   // debootstrap: more of them
  std::vector<std::string> extra;      // debootstrap's own arguments
  std::vector<std::string> templates;  // template: archives and directories, in order
  bool no_space_check = false;         // template: unpack what may not fit
  std::string source;                  // clone: a guest or a directory; rsync: [HOST:]PATH
};

// Makes the guest's root directory, with owners in the guest's id range, and its configuration. It
// appears as a whole when all is done; until then it lives under hidden names, and when it fails or
// is interrupted, nothing is left. Nothing that comes with packages, archives or another tree runs
// or is unpacked with rights over more than the new guest.
Status build_guest(const BuildRequest& request);

// Stops the guest and removes its root directory, configuration and logs. Fails with Errc::Busy
// before the first change when something is mounted below the root, or the root holds more than
// this guest.
Status delete_guest(const std::string& name, const OnAdvance& on_advance = {});

// Finishes or takes away what interrupted builds and deletes have left, and says so. True when it
// was something of the guest `name`.
bool sweep_leftovers(const std::string& name);

}  // namespace vs
