// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace vs {

// What a start of a guest would do, in words.
struct PlanView {
  struct Entry {
    std::string name;
    std::vector<std::string> values;
  };
  struct Section {
    std::string name;
    std::vector<Entry> entries;
  };
  std::vector<Section> sections;
  std::vector<std::string> problems;     // what would keep it from starting, or is surely a mistake
  std::vector<std::string> remarks;      // outdated entries
  std::vector<std::string> not_applied;  // entries whose feature is not built yet
};

// The whole plan of a guest, without doing any of it. A wrong configuration is no error here but a
// problem of the view. Fails with Errc::NotFound when there is no such guest.
Result<PlanView> view_plan(const std::string& name);

}  // namespace vs
