// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/order.h"

#include <algorithm>
#include <map>

#include <fmt/core.h>

namespace vs {

namespace {

class Planner {
 public:
  explicit Planner(const DependsOf& depends_of) : depends_of_{depends_of} {}

  // Visits a guest and what it depends on; gives its job.
  std::size_t add(const std::string& guest) {
    auto const [at, is_new] = index_.emplace(guest, plan_.jobs.size());
    std::size_t const job = at->second;
    if (!is_new) return job;
    plan_.jobs.push_back({guest, {}});
    open_.push_back(true);
    for (auto const& other : depends_of_(guest)) {
      auto const before = add(other);
      if (open_[before]) {
        plan_.warnings.push_back(fmt::format(
            "guests '{}' and '{}' depend on each other: the order is by chance", guest, other));
      } else {
        plan_.jobs[job].after.push_back(before);
      }
    }
    open_[job] = false;
    return job;
  }

  JobPlan take() { return std::move(plan_); }

 private:
  const DependsOf& depends_of_;
  JobPlan plan_;
  std::map<std::string, std::size_t> index_;
  std::vector<bool> open_;  // its dependencies are being looked at
};

}  // namespace

JobPlan plan_start_order(const std::vector<std::string>& guests, const DependsOf& depends_of) {
  Planner planner{depends_of};
  for (auto const& guest : guests)
    planner.add(guest);
  return planner.take();
}

JobPlan plan_stop_order(const std::vector<std::string>& guests, const DependsOf& depends_of) {
  auto const selected = [&](const std::string& guest) {
    return std::find(guests.begin(), guests.end(), guest) != guests.end();
  };
  auto plan = plan_start_order(guests, [&](const std::string& guest) {
    auto out = depends_of(guest);
    std::erase_if(out, [&](const std::string& other) { return !selected(other); });
    return out;
  });
  std::vector<std::vector<std::size_t>> turned(plan.jobs.size());
  for (std::size_t i = 0; i < plan.jobs.size(); ++i) {
    for (auto const before : plan.jobs[i].after)
      turned[before].push_back(i);
  }
  for (std::size_t i = 0; i < plan.jobs.size(); ++i)
    plan.jobs[i].after = std::move(turned[i]);
  return plan;
}

}  // namespace vs
