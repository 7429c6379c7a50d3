// SPDX-License-Identifier: GPL-2.0-or-later
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>

#include <gtest/gtest.h>

#include "limit/bucket.h"
#include "limit/knob.h"
#include "limit/plan.h"
#include "limit/resource.h"

namespace vs {
namespace {

constexpr const char* kUnified = "25 1 0:22 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n";
constexpr const char* kHybrid =
    "25 1 0:22 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
    "26 1 0:23 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    "27 1 0:24 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
    "28 1 0:25 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n"
    "29 1 0:26 / /sys/fs/cgroup/blkio rw - cgroup cgroup rw,blkio\n"
    "30 1 0:27 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n";

CgroupHost host(const char* mountinfo) {
  auto parsed = CgroupHost::parse(mountinfo);
  EXPECT_TRUE(parsed);
  return *parsed;
}

std::string written(const std::vector<KnobWrite>& writes) {
  std::string out;
  for (auto const& write : writes)
    out += fmt::format("{}/{}={};", write.controller, write.knob, write.text);
  return out;
}

LimitSetting setting(const char* name, LimitKind kind, std::uint64_t value) {
  return {find_resource(name), kind, value, fmt::format("rlimits/{}", name)};
}

TEST(Resource, EachIsHeldOrSaysWhyNot) {
  for (auto const& resource : resources()) {
    SCOPED_TRACE(resource.name);
    EXPECT_FALSE(resource.note.empty());
    EXPECT_EQ(resource.holder == Holder::Nothing, resource.hard.empty());
    EXPECT_EQ(find_resource(resource.name), &resource);
    EXPECT_EQ(find_resource(resource.id), resource.id >= 0 ? &resource : nullptr);
  }
  EXPECT_EQ(find_resource("MEMORY"), find_resource("rss"));
  EXPECT_EQ(find_resource("nonsense"), nullptr);
}

TEST(Resource, Amounts) {
  struct Case {
    const char* text;
    std::optional<std::uint64_t> expected;
  };
  constexpr std::array kCases{
      Case{"512M", 512ULL << 20U},
      Case{"1.5g", 1536ULL << 20U},
      Case{"7", 7},
      Case{"2k", 2048},
      Case{"1GiB", 1ULL << 30U},
      Case{"inf", kUnlimited},
      Case{"max", kUnlimited},
      Case{"50%", 500},
      Case{"12.5%", 125},
      Case{"", std::nullopt},
      Case{"M", std::nullopt},
      Case{"-1", std::nullopt},
      Case{"1.2345G", std::nullopt},
      Case{"1x", std::nullopt},
      Case{"101%", std::nullopt},
      Case{"1 G", std::nullopt},
      Case{"99999999T", std::nullopt},
  };
  for (auto const& c : kCases) {
    SCOPED_TRACE(c.text);
    auto const amount = parse_amount(c.text, 1000);
    EXPECT_EQ(amount ? std::optional{*amount} : std::nullopt, c.expected);
  }
  EXPECT_FALSE(parse_amount("50%"));
}

TEST(LimitPlan, OneRequestForBothLayouts) {
  LimitRequest request;
  request.limits = {setting("rss", LimitKind::Hard, 1U << 20U),
                    setting("rss", LimitKind::Soft, 1U << 19U),
                    setting("nproc", LimitKind::Hard, 100), setting("swap", LimitKind::Hard, 4096)};
  request.knobs = {{"cpu.max", {"50000 100000", "cgroup/cpu.max"}},
                   {"cpu.weight", {"200", "cgroup/cpu.weight"}},
                   {"io.max", {"8:0 rbps=1024 wiops=max", "cgroup/io.max"}}};
  auto const v2 = plan_limits(request, host(kUnified), 2, true);
  ASSERT_TRUE(v2);
  EXPECT_EQ(written(v2->writes),
            "cpu/cpu.max=50000 100000;cpu/cpu.weight=200;io/io.max=8:0 rbps=1024 wiops=max;"
            "memory/memory.high=524288;memory/memory.max=1048576;memory/memory.swap.max=4096;"
            "pids/pids.max=100;");
  auto const v1 = plan_limits(request, host(kHybrid), 2, true);
  ASSERT_TRUE(v1);
  EXPECT_EQ(written(v1->writes),
            "cpu/cpu.cfs_period_us=100000;cpu/cpu.cfs_quota_us=50000;cpu/cpu.shares=2048;"
            "blkio/blkio.throttle.read_bps_device=8:0 1024;"
            "blkio/blkio.throttle.write_iops_device=8:0 0;"
            "memory/memory.soft_limit_in_bytes=524288;memory/memory.limit_in_bytes=1048576;"
            "memory/memory.memsw.limit_in_bytes=1052672;pids/pids.max=100;");
  EXPECT_TRUE(v1->refused.empty());
}

TEST(LimitPlan, NamesOfEitherVersionAreTakenOnBoth) {
  LimitRequest request;
  request.knobs = {{"memory.limit_in_bytes", {"1000", "a"}},
                   {"memory.memsw.limit_in_bytes", {"10000", "b"}},
                   {"cpu.shares", {"512", "c"}},
                   {"cpu.cfs_quota_us", {"-1", "d"}},
                   {"blkio.throttle.read_bps_device", {"8:0 77", "e"}}};
  auto const v2 = plan_limits(request, host(kUnified), 2, true);
  ASSERT_TRUE(v2);
  EXPECT_EQ(written(v2->writes),
            "cpu/cpu.max=max 100000;cpu/cpu.weight=50;io/io.max=8:0 rbps=77;"
            "memory/memory.max=1000;memory/memory.swap.max=9000;");
  auto const v1 = plan_limits(request, host(kHybrid), 2, true);
  ASSERT_TRUE(v1);
  EXPECT_EQ(written(v1->writes),
            "cpu/cpu.cfs_period_us=100000;cpu/cpu.cfs_quota_us=-1;cpu/cpu.shares=512;"
            "blkio/blkio.throttle.read_bps_device=8:0 77;memory/memory.limit_in_bytes=1000;"
            "memory/memory.memsw.limit_in_bytes=10000;");
}

TEST(LimitPlan, TheLowerOfTwoHolds) {
  LimitRequest request;
  request.limits = {setting("rss", LimitKind::Hard, 2000), setting("anon", LimitKind::Hard, 1000)};
  request.knobs = {{"memory.max", {"1500", "cgroup/memory.max"}}};
  auto const plan = plan_limits(request, host(kUnified), 2, true);
  ASSERT_TRUE(plan);
  EXPECT_EQ(written(plan->writes), "memory/memory.max=1000;");
  EXPECT_EQ(plan->writes[0].source, "rlimits/anon");
}

TEST(LimitPlan, WhatCannotBeKeptIsRefusedByName) {
  LimitRequest request;
  request.limits = {setting("locks", LimitKind::Hard, 1), setting("nproc", LimitKind::Soft, 1),
                    setting("rss", LimitKind::Min, 4096), setting("msgqueue", LimitKind::Hard, 1)};
  auto const v1 = plan_limits(request, host(kHybrid), 2, false);
  ASSERT_TRUE(v1);
  EXPECT_TRUE(v1->writes.empty());
  ASSERT_EQ(v1->refused.size(), 4U);
  EXPECT_TRUE(v1->refused[0].starts_with("rlimits/locks: "));
  EXPECT_EQ(v1->refused[1], "rlimits/nproc: nproc has no soft limit");
  EXPECT_TRUE(v1->refused[2].starts_with("rlimits/msgqueue: only a user namespace"));
  EXPECT_EQ(v1->refused[3], "rlimits/rss: cgroup v1 cannot protect memory from reclaim");
}

TEST(LimitPlan, LimitsOfProcessesAndNamespaces) {
  LimitRequest request;
  request.limits = {
      setting("nofile", LimitKind::Hard, 100), setting("openfd", LimitKind::Hard, 80),
      setting("nofile", LimitKind::Soft, 50),  setting("msgqueue", LimitKind::Hard, 9),
      setting("shmem", LimitKind::Hard, 8192), setting("nsems", LimitKind::Hard, 5)};
  request.badness = 500;
  auto const plan = plan_limits(request, host(kUnified), 2, true);
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->each_process,
            (std::vector<ProcessLimit>{{RLIMIT_NOFILE, 50, 80}, {RLIMIT_MSGQUEUE, 9, 9}}));
  EXPECT_EQ(plan->user_namespace, (std::vector<ProcessLimit>{{RLIMIT_MSGQUEUE, 9, 9}}));
  EXPECT_EQ(
      plan->ipc,
      (std::vector<IpcLimit>{
          {"kernel.shmall", -1, 8192U / static_cast<unsigned>(::getpagesize()), "rlimits/shmem"},
          {"kernel.sem", 1, 5, "rlimits/nsems"}}));
  EXPECT_EQ(plan->oom_score_adj, 500);
  request.badness = 1001;
  EXPECT_EQ(plan_limits(request, host(kUnified), 2, true).error().code(), Errc::Config);
}

TEST(LimitPlan, OnlySettingsOfAdministratorsAreKnobs) {
  for (const char* name : {"cgroup.procs", "cgroup.kill", "../memory.max", "tasks", "a/b.c"}) {
    SCOPED_TRACE(name);
    LimitRequest request;
    request.knobs = {{name, {"1", "cgroup/x"}}};
    EXPECT_EQ(plan_limits(request, host(kUnified), 2, true).error().code(), Errc::Config);
  }
}

TEST(LimitPlan, TwoBoundsOfTheProcessorContradict) {
  LimitRequest request;
  request.sched_hard = true;
  request.knobs = {{"cpu.max", {"1000 2000", "cgroup/cpu.max"}}};
  EXPECT_EQ(plan_limits(request, host(kUnified), 2, true).error().message(),
            "cgroup/cpu.max and the flag sched_hard both bound the processor time");
}

TEST(LimitPlan, ProcessorLists) {
  EXPECT_EQ(*count_cpus("0-3,8"), 5U);
  EXPECT_EQ(*count_cpus("7\n"), 1U);
  for (const char* text : {"", "a", "3-1", "1-", "0-99999"})
    EXPECT_FALSE(count_cpus(text)) << text;
}

TEST(Bucket, TheDefaultsFitTheKernel) {
  // A quarter of each processor; 15 tokens of 4 ms come back in 240 ms, but only half of 125
  // tokens as one refill leaves room for the other half as burst.
  auto const band = bandwidth_of(Bucket{}, 2);
  EXPECT_EQ(band.period_us, 1'000'000);
  EXPECT_EQ(band.quota_us, 500'000);
  EXPECT_EQ(band.burst_us, 500'000);
  EXPECT_EQ(band.beyond_us, 0);
}

TEST(Bucket, OneRefillIsTheMinimum) {
  Bucket bucket;
  bucket.fill_rate = 7;
  bucket.interval = 32;
  bucket.tokens_min = 10;
  bucket.tokens_max = 20;
  auto const band = bandwidth_of(bucket, 1);
  EXPECT_EQ(band.period_us, 10 * kTickUs * 32 / 7);
  EXPECT_NEAR(static_cast<double>(band.quota_us), 40'000, 40);
  EXPECT_NEAR(static_cast<double>(band.burst_us), 40'000, 40);
}

// For every rate the share is exact to 1 part in 1000, and the kernel's own conditions hold.
TEST(Bucket, SharesAreExactAndLegal) {
  for (std::int64_t rate : {1, 3, 7, 10, 50, 99, 100, 120}) {
    for (std::int64_t max : {1, 5, 20, 125, 1000, 100'000}) {
      for (unsigned cpus : {1U, 2U, 64U}) {
        Bucket bucket;
        bucket.fill_rate = rate;
        bucket.interval = 100;
        bucket.tokens_max = max;
        SCOPED_TRACE(fmt::format("{} {} {}", rate, max, cpus));
        auto const band = bandwidth_of(bucket, cpus);
        auto const share = static_cast<double>(std::min<std::int64_t>(rate, 100)) / 100 * cpus;
        auto const got = static_cast<double>(band.quota_us) / static_cast<double>(band.period_us);
        EXPECT_NEAR(got / share, 1, 0.001);
        EXPECT_GE(band.period_us, 1000);
        EXPECT_LE(band.period_us, 1'000'000);
        EXPECT_GE(band.quota_us, 1000);
        EXPECT_LE(band.burst_us, band.quota_us);
        EXPECT_GE(band.burst_us, 0);
        EXPECT_LE(band.quota_us + band.burst_us + band.beyond_us,
                  std::max<std::int64_t>(max * kTickUs * cpus, band.quota_us));
      }
    }
  }
}

TEST(Bucket, Weights) {
  EXPECT_EQ(weight_of_nice(0), 100U);
  EXPECT_EQ(weight_of_nice(-20), 8668U);
  EXPECT_EQ(weight_of_nice(19), 1U);
  EXPECT_EQ(weight_of_nice(40), 1U);
  for (std::uint64_t weight : {1U, 50U, 100U, 10'000U})
    EXPECT_EQ(weight_of_shares(shares_of_weight(weight)), weight) << weight;
}

TEST(Bucket, WhatTheKernelCannotDoIsLeftToTheLoop) {
  LimitRequest request;
  request.sched_hard = true;
  request.bucket = Bucket{};
  auto plan = plan_limits(request, host(kUnified), 2, true);
  ASSERT_TRUE(plan);
  EXPECT_FALSE(plan->loop);
  request.bucket->tokens_max = 2500;
  plan = plan_limits(request, host(kUnified), 2, true);
  ASSERT_TRUE(plan);
  EXPECT_TRUE(plan->loop && plan->refused.empty());
  EXPECT_EQ(plan->loop->bucket.tokens_max, 2500);
  request.bucket = Bucket{};
  request.sched_prio = true;
  EXPECT_TRUE(plan_limits(request, host(kUnified), 2, true)->loop);
  // What the loop leaves behind when it is killed is the share of the bucket, no more.
  auto const base = loop_base(*request.bucket, 2);
  EXPECT_EQ(base.quota_us * 4, base.period_us * 2);
  EXPECT_LE(base.period_us, 100'000);
}

Bucket tenth() {
  Bucket bucket;
  bucket.fill_rate = 1;
  bucket.interval = 10;
  bucket.tokens = 0;
  bucket.tokens_min = 5;
  bucket.tokens_max = 1000;  // 4 s of each processor
  return bucket;
}

TEST(BucketMeter, FillsAtTheRateAndEmptiesByUse) {
  BucketMeter meter{tenth(), 2};
  EXPECT_EQ(meter.fill_us(), 0);
  meter.pass(1'000'000, 0, 0);
  EXPECT_EQ(meter.fill_us(), 200'000);  // a tenth of two processors
  meter.pass(1'000'000, 150'000, 0);
  EXPECT_EQ(meter.fill_us(), 250'000);
  meter.pass(1'000'000, 5'000'000, 0);
  EXPECT_EQ(meter.fill_us(), 0);  // never below nothing
  meter.pass(100'000'000, 0, 0);
  EXPECT_EQ(meter.fill_us(), 8'000'000);  // never above tokens-max
}

TEST(BucketMeter, BurstsAsLongAsTheFillIsBeyondTheKernels) {
  BucketMeter meter{tenth(), 2};
  auto const base = loop_base(tenth(), 2);
  EXPECT_EQ(meter.bound(), base);
  meter.pass(30'000'000, 0, 0);  // idle for half a minute
  EXPECT_GT(meter.bound().quota_us, base.quota_us * 4);
  EXPECT_LE(meter.bound().quota_us, meter.bound().period_us * 2);
  std::int64_t burst = 0;
  for (int i = 0; i < 1000 && meter.bound() != base; ++i) {
    meter.pass(50'000, 100'000, 0);  // both processors
    burst += 100'000;
  }
  // 6 s were saved up and a tenth came in; the kernel keeps quota + burst of it.
  EXPECT_NEAR(static_cast<double>(burst), 6e6 / 0.9, 2e5);
  EXPECT_EQ(meter.bound(), base);
}

TEST(BucketMeter, SecondRateInIdleTimeOnly) {
  Bucket bucket = tenth();
  bucket.idle_time = true;
  bucket.fill_rate2 = 1;
  bucket.interval2 = 4;
  BucketMeter meter{bucket, 2};
  auto const base = loop_base(bucket, 2);
  for (int i = 0; i < 100; ++i)
    meter.pass(50'000, 10'000, 0);
  EXPECT_EQ(meter.bound(), base);  // a busy host
  for (int i = 0; i < 100; ++i)
    meter.pass(50'000, 10'000 + 25'000, 100'000);  // nothing to do but for us
  EXPECT_NEAR(static_cast<double>(meter.bound().quota_us - base.quota_us), 50'000, 6000);
  for (int i = 0; i < 200; ++i)
    meter.pass(50'000, 60'000, 0);
  EXPECT_EQ(meter.bound(), base);
}

TEST(BucketMeter, BonusAsTheOriginals) {
  Bucket bucket = tenth();
  bucket.tokens = 1000;
  EXPECT_EQ((BucketMeter{bucket, 2}.bonus()), -5);
  bucket.tokens = 500;
  EXPECT_EQ((BucketMeter{bucket, 2}.bonus()), 0);
  bucket.tokens = 0;
  EXPECT_EQ((BucketMeter{bucket, 2}.bonus()), 15);
}

}  // namespace
}  // namespace vs
