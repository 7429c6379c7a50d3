// SPDX-License-Identifier: GPL-2.0-or-later
#include <linux/capability.h>

#include <gtest/gtest.h>

#include "context/capability.h"
#include "context/seccomp.h"
#include "context/xid.h"

namespace vs {
namespace {

TEST(Xid, Parse) {
  for (auto const* text : {"2", "28700", "65534"})
    EXPECT_TRUE(Xid::parse(text)) << text;
  for (auto const* text : {"", "0", "1", "65535", "42x", " 42", "-1", "99999999999"})
    EXPECT_FALSE(Xid::parse(text)) << text;
  EXPECT_EQ(Xid::parse("x").error().message(), "'x' is not a context id (2..65534)");
  EXPECT_EQ(Xid::make(28700)->base_id(), 28700U << 16U);
}

TEST(Xid, AFreeOneAvoidsUsedOnesAndForeignRanges) {
  EXPECT_EQ(choose_xid({}, {})->value(), 28700U);
  EXPECT_EQ(choose_xid({28700, 28701}, {})->value(), 28702U);
  // Somebody's subuids lie in the middle of the ids of 28700.
  EXPECT_EQ(choose_xid({}, {{(std::uint64_t{28700} << 16U) + 5, 1}})->value(), 28701U);
  EXPECT_EQ(choose_xid({}, {{0, std::uint64_t{1} << 32U}}).error().code(), Errc::Busy);
}

TEST(Xid, SubidFilesWithBrokenLines) {
  EXPECT_EQ(parse_subid("root:100000:65536\nbroken\n:::\njoe:x:1\n"),
            (std::vector<IdRange>{{100000, 65536}}));
}

TEST(Capabilities, SecureSetIsTheOriginalsWithoutItsSignError) {
  EXPECT_EQ(default_capabilities(false), 0xb44c04ffULL | (1ULL << CAP_SETFCAP));
  EXPECT_EQ(default_capabilities(true) & (1ULL << CAP_SYS_MODULE), 0U);
  EXPECT_EQ(default_capabilities(true) & (1ULL << CAP_NET_ADMIN), 0U);
}

TEST(Capabilities, LinesAddAndTakeAway) {
  auto const set = bounding_set(false, {"NET_RAW", "~CAP_CHOWN"});
  ASSERT_TRUE(set);
  EXPECT_NE(*set & (1ULL << CAP_NET_RAW), 0U);
  EXPECT_EQ(*set & (1ULL << CAP_CHOWN), 0U);
  EXPECT_EQ(bounding_set(false, {"NET_RAWW"}).error().code(), Errc::Config);
}

TEST(Seccomp, FilterIsBpfAndClassicIsStricter) {
  auto const wide = compile_seccomp(false);
  auto const classic = compile_seccomp(true);
  ASSERT_TRUE(wide) << wide.error().message();
  ASSERT_TRUE(classic);
  EXPECT_EQ(wide->size() % 8, 0U);
  EXPECT_GT(classic->size(), wide->size());
}

TEST(Xid, LiveMapsAreRanges) {
  EXPECT_TRUE(parse_id_map("         0          0 4294967295\n").empty());
  EXPECT_TRUE(parse_id_map("0 1000 1\n").empty());
  EXPECT_TRUE(parse_id_map("").empty());
  EXPECT_TRUE(parse_id_map("0 x 5\nbroken\n").empty());
  std::vector<IdRange> const want{{28700U << 16U, 65536}};
  EXPECT_EQ(parse_id_map("         0 1880883200      65536\n"), want);
  EXPECT_TRUE(collides(*Xid::make(28700), want));
  EXPECT_FALSE(collides(*Xid::make(28701), want));
}

}  // namespace
}  // namespace vs
