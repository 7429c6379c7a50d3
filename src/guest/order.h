// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace vs {

// A guest that is to be started or stopped, and the ones that come before it.
struct Job {
  std::string guest;
  std::vector<std::size_t> after;  // indices of jobs
};

struct JobPlan {
  std::vector<Job> jobs;
  std::vector<std::string> warnings;
};

using DependsOf = std::function<std::vector<std::string>(const std::string& guest)>;

// Orders a start: each guest after those it depends on, which are started too, to any depth. An
// edge that would close a circle is dropped with a warning.
JobPlan plan_start_order(const std::vector<std::string>& guests, const DependsOf& depends_of);
// Orders a stop: each guest after those that depend on it; nothing is added to the selection.
JobPlan plan_stop_order(const std::vector<std::string>& guests, const DependsOf& depends_of);

}  // namespace vs
