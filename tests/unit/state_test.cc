// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/state.h"

#include <gtest/gtest.h>

#include "guest/paths.h"
#include "guest/stage_plan.h"
#include "guest/stop.h"
#include "guest/usage.h"

namespace vs {
namespace {

TEST(RunState, RoundTrip) {
  RunState state;
  state.xid = 28700;
  state.config = "/etc/vservers/web 1";
  state.init = {42, 1000};
  state.guard = {41, 999};
  state.started = 1700000000;
  state.cleanup = {"private 28700 10.0.0.2/32@", "address eth0 10.0.0.3/24"};
  auto const again = parse_state(format_state(state));
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ(*again, state);
}

TEST(RunState, OfAnOlderProgramIsUnderstood) {
  std::string const first = "version 1\nxid 28700\nconfig /c\nuserns 1\nns_flags 7\n";
  auto const phase = [&](const std::string& rest) { return parse_state(first + rest)->phase; };
  EXPECT_EQ(phase("init 0 0\nguard 0 0\nstarted 5\n"), Phase::Starting);
  EXPECT_EQ(phase("init 42 1000\nguard 41 999\nstarted 5\n"), Phase::Running);
  EXPECT_EQ(phase("init 42 1000\nguard 0 0\nstarted 5\n"), Phase::Running);
  EXPECT_EQ(phase("init 0 0\nguard 41 999\nstarted 5\n"), Phase::Waiting);
  EXPECT_EQ(phase("init 42 1000\nguard 41 999\nphase stopping\n"), Phase::Stopping);
  auto const bare = parse_state("version 1\nxid 7\n");
  ASSERT_TRUE(bare);
  EXPECT_TRUE(bare->userns);
  EXPECT_EQ(*parse_state(format_state(*bare)), *bare);
}

TEST(RunState, OfANewerProgramIsSkippedWhereUnknown) {
  auto const state = parse_state("version 1\nxid 7\ncolour blue\nwheels 12\nphase dreaming\n");
  ASSERT_TRUE(state);
  EXPECT_EQ(state->xid, 7U);
  EXPECT_EQ(state->phase, Phase::Running);
}

TEST(RunState, NewerAndBrokenOnesAreRefused) {
  EXPECT_EQ(parse_state("version 2\nxid 5\n").error().code(), Errc::Unsupported);
  for (auto const* text : {"", "xid 5\n", "version x\n", "version 1\n", "version 1\nxid five\n",
                           "version 1\nxid 5\ninit 1\n", "version 1\nxid 4294967297\n",
                           "version 1\nxid 5\nstarted 18446744073709551615\n"})
    EXPECT_EQ(parse_state(text).error().code(), Errc::Config) << text;
}

TEST(Name, WhatAGuestMayBeCalled) {
  for (auto const* name : {"web1", "a", "9lives", "my.guest_1-x+y"})
    EXPECT_TRUE(check_name(name)) << name;
  for (auto const& name :
       {std::string{}, std::string{"../x"}, std::string{".hidden"}, std::string{"a/b"},
        std::string{"a\nb"}, std::string(200, 'a'), std::string{"-x"}})
    EXPECT_FALSE(check_name(name)) << name;
}

TEST(StagePlan, EncodesStringsInOrder) {
  StagePlan plan;
  plan.root = "/r";
  plan.argv = {"init"};
  plan.ops = {{"p", "/proc", "", ""}};
  auto const bytes = encode(plan);
  auto const text = bytes.substr(sizeof(stage::Header));
  EXPECT_EQ(text.substr(0, 8), std::string("/r\0\0\0/\0p", 8));
  EXPECT_EQ(bytes.size() % 8, 0U);
}

TEST(Stop, InitListensForWhatItCatchesOrBlocks) {
  // systemd 252 blocks 38, RTMIN+4; another catches 12, USR2; busybox 1.35 waits for its signals.
  std::string_view const systemd =
      "SigQ:\t0/"
      "1\nSigBlk:\t7fe3c0fe28014a03\nSigIgn:\t0000000000001000\nSigCgt:\t00000000000004ec\n";
  EXPECT_TRUE(listens_for(systemd, "do_epoll_wait", 38));
  EXPECT_TRUE(listens_for(systemd, "do_epoll_wait", 3));
  EXPECT_FALSE(listens_for(systemd, "do_epoll_wait", 13));
  std::string_view const other =
      "SigQ:\t0/"
      "1\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\nSigCgt:\t0000000000000800\n";
  EXPECT_TRUE(listens_for(other, "0", 12));
  EXPECT_FALSE(listens_for(other, "0", 10));
  EXPECT_FALSE(listens_for(other, "0", 64));
  EXPECT_FALSE(listens_for("\nSigBlk:\tnonsense\n", "", 1));
  EXPECT_FALSE(listens_for("", "", 1));
  EXPECT_TRUE(listens_for(other, "do_sigtimedwait.isra.0", 10));
}

TEST(Stat, FormatsOfTheOriginal) {
  EXPECT_EQ(stat_memory(0), "0");
  EXPECT_EQ(stat_memory(999), "999");
  EXPECT_EQ(stat_memory(8090), "7.9K");
  EXPECT_EQ(stat_memory(819200), "800K");
  EXPECT_EQ(stat_time(135410), "2m15s41");
  EXPECT_EQ(stat_time(33070), "0m33s70");
  EXPECT_EQ(stat_time(3911000), "1h05m11");
  EXPECT_EQ(stat_time((std::uint64_t{12} * 86400 + 4 * 3600 + 33 * 60) * 1000), "12d04h33");
}

}  // namespace
}  // namespace vs
