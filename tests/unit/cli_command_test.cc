// SPDX-License-Identifier: GPL-2.0-or-later
#include <array>

#include <gtest/gtest.h>

#include "cli/command.h"

namespace vs {
namespace {

constexpr std::array kOptions{
    Option{'s', "signal", "SIGNAL", "Send SIGNAL instead of TERM"},
    Option{'a', "all", "", "Also signal processes that entered later"},
    Option{0, "allow", "NAME", "Allow NAME"},
};
static_assert(is_option_table(kOptions));

constexpr Command kKill{.name = "kill",
                        .operands = "GUEST...",
                        .summary = "Signal the processes of a guest",
                        .options = kOptions,
                        .min_operands = 1,
                        .max_operands = 2,
                        .program = "vserver"};

using Words = std::vector<std::string>;

TEST(Command, OptionsAndOperandsMayBeMixed) {
  const auto parsed = parse_command(kKill, {"web1", "-s", "HUP", "web2", "--all"});
  ASSERT_TRUE(parsed) << parsed.error().message();
  EXPECT_EQ(parsed->operands, (Words{"web1", "web2"}));
  EXPECT_EQ(parsed->get("signal"), "HUP");
  EXPECT_TRUE(parsed->has("all"));
  EXPECT_FALSE(parsed->has("allow"));
}

TEST(Command, ALongOptionMayBeAbbreviated) {
  const auto parsed = parse_command(kKill, {"--sig=KILL", "web1"});
  ASSERT_TRUE(parsed) << parsed.error().message();
  EXPECT_EQ(parsed->get("signal"), "KILL");
}

TEST(Command, EveryOccurrenceIsKeptAndTheLastOneWins) {
  const auto parsed = parse_command(kKill, {"--allow=a", "web1", "--allow", "b"});
  ASSERT_TRUE(parsed) << parsed.error().message();
  EXPECT_EQ(parsed->all("allow"), (std::vector<std::string_view>{"a", "b"}));
  EXPECT_EQ(parsed->get("allow"), "b");
}

TEST(Command, NothingIsAnOptionBehindTwoDashes) {
  const auto parsed = parse_command(kKill, {"--", "-a", "--help"});
  ASSERT_TRUE(parsed) << parsed.error().message();
  EXPECT_EQ(parsed->operands, (Words{"-a", "--help"}));
  EXPECT_FALSE(parsed->has("all"));
}

TEST(Command, OptionsOfACommandLineBehindAnOperandAreLeftAlone) {
  Command exec = kKill;
  exec.stop_at_operand = true;
  exec.max_operands = kAnyNumber;
  const auto parsed = parse_command(exec, {"-a", "web1", "ls", "-s", "--help"});
  ASSERT_TRUE(parsed) << parsed.error().message();
  EXPECT_EQ(parsed->operands, (Words{"web1", "ls", "-s", "--help"}));
  EXPECT_TRUE(parsed->has("all"));
  EXPECT_FALSE(parsed->help_wanted);
}

TEST(Command, HelpIsAnsweredWithoutOperands) {
  for (const char* word : {"-h", "--help", "--he"}) {
    SCOPED_TRACE(word);
    const auto parsed = parse_command(kKill, {word});
    ASSERT_TRUE(parsed) << parsed.error().message();
    EXPECT_TRUE(parsed->help_wanted);
  }
}

TEST(Command, ACommandMayHaveItsOwnShortH) {
  constexpr std::array kOwn{Option{'h', "halt", "", "Halt"}};
  Command stop = kKill;
  stop.options = kOwn;
  const auto parsed = parse_command(stop, {"-h", "web1"});
  ASSERT_TRUE(parsed) << parsed.error().message();
  EXPECT_TRUE(parsed->has("halt"));
  EXPECT_FALSE(parsed->help_wanted);
}

TEST(Command, ErrorsNameTheWordAndTheHelp) {
  struct Case {
    Words args;
    std::string_view expected;
  };
  const std::vector<Case> cases{
      {{"web1", "-x"}, "unknown option '-x'"},
      {{"web1", "-ax"}, "unknown option '-x'"},
      {{"--zzzzzzzz", "web1"}, "unknown option '--zzzzzzzz'"},
      {{"--singal=9", "web1"}, "unknown option '--singal', did you mean '--signal'?"},
      {{"--al", "web1"}, "option '--al' is ambiguous: --all, --allow"},
      {{"--all=1", "web1"}, "option '--all' takes no argument"},
      {{"--help=1"}, "option '--help' takes no argument"},
      {{"--all", "-ax"}, "unknown option '-x'"},
      {{"web1", "--signal"}, "option '--signal' needs its SIGNAL"},
      {{"web1", "-s"}, "option '-s' needs its SIGNAL"},
      {{}, "kill needs GUEST..."},
      {{"a", "b", "c"}, "kill does not take 'c'"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.expected);
    testing::internal::CaptureStderr();
    const auto parsed = parse_command(kKill, c.args);
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
    ASSERT_FALSE(parsed);
    EXPECT_EQ(parsed.error().message(), c.expected);
    EXPECT_EQ(parsed.error().code(), Errc::Usage);
    EXPECT_EQ(parsed.error().hint(), "see 'vserver kill --help'");
  }
}

TEST(Command, TheGuestInFrontIsTheFirstOperandAndAlone) {
  const auto parsed = parse_command(kKill, {"-s", "HUP"}, {"web1"});
  ASSERT_TRUE(parsed) << parsed.error().message();
  EXPECT_EQ(parsed->operands, (Words{"web1"}));
  const auto two = parse_command(kKill, {"web2"}, {"web1"});
  ASSERT_FALSE(two);
  EXPECT_EQ(two.error().message(), "kill does not take 'web2'");
}

TEST(Command, OptionsOfTheProgramAreKnownToItsVerbs) {
  constexpr std::array kShared{Option{'v', "verbose", "", "Say more"}};
  Command kill = kKill;
  kill.common = kShared;
  const auto parsed = parse_command(kill, {"web1", "-v", "--verb"});
  ASSERT_TRUE(parsed) << parsed.error().message();
  EXPECT_EQ(parsed->all("verbose").size(), 2U);
}

TEST(Command, WordsOfAnotherProgramAreLeftAlone) {
  constexpr Command kPs{.name = "vps",
                        .operands = "[OPTION]...",
                        .summary = "",
                        .max_operands = kAnyNumber,
                        .verbatim = true};
  const auto parsed = parse_command(kPs, {"-ef", "--help", "--", "-x"});
  ASSERT_TRUE(parsed) << parsed.error().message();
  EXPECT_EQ(parsed->operands, (Words{"-ef", "--help", "--", "-x"}));
  EXPECT_FALSE(parsed->help_wanted);
  EXPECT_TRUE(parse_command(kPs, {"--help"})->help_wanted);
  EXPECT_TRUE(parse_command(kPs, {"--version"})->version_wanted);
  EXPECT_EQ(parse_command(kPs, {"--help"}, {"web1"})->operands, (Words{"web1", "--help"}));
}

TEST(Command, ATableWithANameTwiceIsRefused) {
  constexpr std::array kTwice{Option{'a', "all", "", ""}, Option{'a', "any", "", ""}};
  constexpr std::array kHelp{Option{0, "help", "", ""}};
  constexpr std::array kNameless{Option{'x', "", "", ""}};
  static_assert(!is_option_table(kTwice));
  static_assert(!is_option_table(kHelp));
  static_assert(!is_option_table(kNameless));
}

}  // namespace
}  // namespace vs
