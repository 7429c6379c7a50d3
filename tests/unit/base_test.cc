// SPDX-License-Identifier: GPL-2.0-or-later
#include <array>

#include <gtest/gtest.h>

#include "base/flag_table.h"
#include "base/result.h"
#include "base/step.h"
#include "base/text.h"

namespace vs {
namespace {

Status fails() {
  return Error::system(EPERM, "attach mount");
}
Status middle() {
  VS_TRY(fails(), "mount proc");
  return {};
}

TEST(Error, NamesTheErrnoOnceAndContextFromTheOutside) {
  auto const done = middle();
  ASSERT_FALSE(done);
  EXPECT_EQ(Error{done.error()}.context("start guest 'web1'").message(),
            "start guest 'web1': mount proc: attach mount: Operation not permitted");
}

struct Trace {
  std::string text;
};
Status good(Trace& t) {
  return t.text += "+", Status{};
}
Status bad(Trace&) {
  return Error::make(Errc::Internal, "no");
}
void undo(Trace& t) noexcept {
  t.text += "-";
}

TEST(Steps, UndoInReverseIncludingTheOneThatFailed) {
  constexpr std::array kSteps{Step<Trace>{"a", good, undo}, Step<Trace>{"b", good, nullptr},
                              Step<Trace>{"c", bad, undo}, Step<Trace>{"d", good, undo}};
  Trace trace;
  EXPECT_FALSE(run_steps<Trace>(kSteps, trace));
  EXPECT_EQ(trace.text, "++--");
}

constexpr std::array kTable{FlagName{"lock", 1, ""}, FlagName{"fakeinit", 0x10, ""}};

TEST(Flags, ListsOfTheOriginal) {
  struct Case {
    std::string_view text;
    std::uint64_t value, mask;
  };
  for (auto const& c :
       {Case{"^4,~^2", 0x10, 0x14}, Case{"^4,~~^2", 0x14, 0x14}, Case{"1,^1,~^2,8", 0x0b, 0x0f},
        Case{"all,~fakeinit", ~std::uint64_t{0x10}, ~std::uint64_t{0}},
        Case{"FaKeInIt", 0x10, 0x10}, Case{"", 0, 0}, Case{"none,~lock", 0, 1},
        Case{"VXF_lock,", 1, 1}}) {
    SCOPED_TRACE(c.text);
    auto const change = parse_flags(kTable, "vxf_", c.text);
    ASSERT_TRUE(change) << change.error().message();
    EXPECT_EQ(change->value, c.value);
    EXPECT_EQ(change->mask, c.mask);
  }
  for (std::string_view const text : {"42x,1", "fakeinit,XXX", "~"})
    EXPECT_FALSE(parse_flags(kTable, "", text)) << text;
}

TEST(Flags, FormatAndParseAgree) {
  for (std::uint64_t const bits : {0ULL, 1ULL, 0x11ULL, 0x1000000011ULL})
    EXPECT_EQ(parse_flags(kTable, "", format_flags(kTable, bits))->value, bits);
}

TEST(Text, Numbers) {
  EXPECT_EQ(parse_base0("0x10"), 16);
  EXPECT_EQ(parse_base0("010"), 8);
  EXPECT_EQ(parse_base0("-5"), -5);
  for (std::string_view const text : {"", "x", "1 ", "--1", "0x", "99999999999999999999"})
    EXPECT_FALSE(parse_base0(text)) << text;
  EXPECT_FALSE(parse_decimal("+1"));
}

TEST(Text, NearestIsASlipOfTheFinger) {
  EXPECT_EQ(nearest("strat", {"start", "stop"}), "start");
  EXPECT_FALSE(nearest("qqqqq", {"start", "stop"}));
}

}  // namespace
}  // namespace vs
