// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "sys/fd.h"

namespace vs {

// What a tree holds, seen from the host without following a link.
struct Survey {
  std::uint64_t files = 0;                   // entries of any kind
  std::uint64_t bytes = 0;                   // on the disk; what has several names counts once
  std::uint64_t devices = 0;                 // device nodes
  std::uint64_t strangers = 0;               // entries with an owner outside of the range
  std::vector<std::string> first_strangers;  // a few of them: "path (uid:gid)"
};

// Looks through a tree on one file system. Owners should be in base..base+65535.
Result<Survey> survey_tree(FdRef dir, std::uint32_t base);

// Errc::Config when the survey met owners that do not fit into a guest's ids, naming some.
Status check_owners(const Survey& survey, std::uint32_t base);

// Errc::System with ENOSPC when the file system of `path` has less than this free.
Status check_space(const std::string& path, std::uint64_t bytes, std::uint64_t files);

// Adds `base` to every owner below dir, also to those in access control lists; set-id bits survive,
// file capabilities become those of the guest's root (version 3, capabilities(7)). Fails with
// Errc::Config at owners that do not fit into 16 bits, before the first change.
Status shift_owners(const std::string& dir, std::uint32_t base);

}  // namespace vs
