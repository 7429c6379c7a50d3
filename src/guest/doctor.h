// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace vs {

enum class Verdict : std::uint8_t { Good, Lost, Bad };

// One thing that was looked at on this machine.
struct Finding {
  std::string group;  // "kernel", "cgroups", "files", "programs"
  std::string name;
  Verdict verdict = Verdict::Good;
  std::string detail;  // what was found; for Lost and Bad what it means and what to do
};

// Looks at all that vserver rests on: kernel features (each by using it), cgroup controllers, its
// own directories and programs, ranges of ids, host programs that some commands call. Needs root;
// changes nothing that stays.
std::vector<Finding> examine_host();

}  // namespace vs
