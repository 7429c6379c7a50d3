// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/order.h"

#include <map>

#include <gtest/gtest.h>

namespace vs {
namespace {

using Names = std::vector<std::string>;

// db <- web <- proxy: proxy depends on web, web on db.
Names depends(const std::string& guest) {
  static const std::map<std::string, Names> table{
      {"proxy", {"web"}}, {"web", {"db"}}, {"a", {"b"}}, {"b", {"a"}}};
  auto const found = table.find(guest);
  return found != table.end() ? found->second : Names{};
}

Names before(const JobPlan& plan, const std::string& guest) {
  Names out;
  for (auto const& job : plan.jobs) {
    if (job.guest != guest) continue;
    for (auto const i : job.after)
      out.push_back(plan.jobs[i].guest);
  }
  return out;
}

TEST(Order, AStartTakesDependenciesAlongToAnyDepth) {
  auto const plan = plan_start_order({"proxy"}, depends);
  ASSERT_EQ(plan.jobs.size(), 3U);
  EXPECT_EQ(before(plan, "proxy"), (Names{"web"}));
  EXPECT_EQ(before(plan, "web"), (Names{"db"}));
  EXPECT_EQ(before(plan, "db"), Names{});
  EXPECT_TRUE(plan.warnings.empty());
}

TEST(Order, AGuestNamedTwiceIsOneJob) {
  EXPECT_EQ(plan_start_order({"db", "web", "db"}, depends).jobs.size(), 2U);
}

TEST(Order, AStopGoesTheOtherWayAndAddsNothing) {
  auto const plan = plan_stop_order({"db", "proxy", "web"}, depends);
  ASSERT_EQ(plan.jobs.size(), 3U);
  EXPECT_EQ(before(plan, "db"), (Names{"web"}));
  EXPECT_EQ(before(plan, "web"), (Names{"proxy"}));
  auto const some = plan_stop_order({"db", "proxy"}, depends);
  EXPECT_EQ(some.jobs.size(), 2U);
  EXPECT_EQ(before(some, "db"), Names{});
}

TEST(Order, ACircleIsBrokenWithAWarning) {
  auto const plan = plan_start_order({"a"}, depends);
  ASSERT_EQ(plan.jobs.size(), 2U);
  EXPECT_EQ(before(plan, "a"), (Names{"b"}));
  EXPECT_EQ(before(plan, "b"), Names{});
  ASSERT_EQ(plan.warnings.size(), 1U);
  EXPECT_EQ(plan.warnings[0], "guests 'b' and 'a' depend on each other: the order is by chance");
}

TEST(Order, AGuestMayNameItself) {
  auto const self = [](const std::string&) { return Names{"x"}; };
  EXPECT_EQ(before(plan_start_order({"x"}, self), "x"), Names{});
}

}  // namespace
}  // namespace vs
