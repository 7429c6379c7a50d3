// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "context/xid.h"

namespace vs {

// What a new guest shall be.
struct BuildRequest {
  std::string name;
  std::string method;  // "debootstrap" or "skeleton"
  std::optional<Xid> xid;
  std::string distribution;  // debootstrap: "bookworm"
  std::string mirror = "http://deb.debian.org/debian";
  std::vector<std::string> packages;                         // debootstrap: more of them
  std::vector<std::string> extra;                            // debootstrap's own arguments
  std::vector<std::pair<std::string, std::string>> entries;  // configuration entries to write
};

// Makes the guest's root directory, with owners in the guest's id range, and its configuration.
// Packages are unpacked on the host, but no script of a package runs there: the second half of the
// installation is the first program of the guest itself. Undone as a whole when it fails.
Status build_guest(const BuildRequest& request);

// Adds `base` to every owner below dir; set-id bits and file capabilities survive. Fails with
// Errc::Config at an owner that does not fit into 16 bits, before the first change.
Status shift_owners(const std::string& dir, std::uint32_t base);

}  // namespace vs
