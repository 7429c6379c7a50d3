// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <array>

#include <gtest/gtest.h>

#include "base/text.h"
#include "cli/help.h"

namespace vs {
namespace {

constexpr std::array kOptions{
    Option{'s', "signal", "SIGNAL", "Send SIGNAL instead of TERM"},
    Option{0, "dry_run", "", "Only say what would be done"},
};
constexpr std::array kCommands{
    Command{.name = "kill",
            .operands = "GUEST...",
            .summary = "Signal the processes of a guest",
            .options = kOptions,
            .details = "Signals go to all contexts."},
    Command{.name = "list", .operands = "", .summary = "List guests"},
};

TEST(Help, ShowsUsageOptionsAndDetails) {
  EXPECT_EQ(format_help("vserver", kCommands[0]),
            "Usage: vserver kill [OPTION]... GUEST...\n"
            "Signal the processes of a guest.\n"
            "\n"
            "Options:\n"
            "  -s, --signal=SIGNAL  Send SIGNAL instead of TERM\n"
            "      --dry_run        Only say what would be done\n"
            "  -h, --help           Show this help and exit\n"
            "\n"
            "Signals go to all contexts.\n");
}

TEST(Help, ACommandCalledByItsOwnNameIsNamedOnce) {
  EXPECT_EQ(first_line(format_help("list", kCommands[1])), "Usage: list [OPTION]...");
}

TEST(Help, LongTextsAreWrappedInTheirColumn) {
  constexpr std::array kLong{
      Option{'x', "an-option-with-a-name-that-is-too-long", "", "Short"},
      Option{'y', "y", "",
             "One two three four five six seven eight nine ten eleven twelve thirteen fourteen "
             "fifteen sixteen seventeen"}};
  const Command command{.name = "x", .operands = "", .summary = "X", .options = kLong};
  const std::string text = format_help("vserver", command);
  for (const auto line : split_lines(text))
    EXPECT_LE(line.size(), 80U) << line;
  EXPECT_NE(text.find("\n  -x, --an-option-with-a-name-that-is-too-long\n              Short\n"),
            std::string::npos)
      << text;
}

TEST(Help, TheOverviewHasOneLineForEachCommand) {
  EXPECT_EQ(format_overview(kCommands),
            "Usage: vserver COMMAND [OPTION]... [OPERAND]...\n"
            "\n"
            "Commands:\n"
            "  kill  Signal the processes of a guest\n"
            "  list  List guests\n"
            "\n"
            "See 'vserver COMMAND --help' for one command.\n");
}

TEST(Help, TheManualEscapesWhatScdocWouldRead) {
  EXPECT_EQ(format_man_options(kCommands[0]),
            "*-s*, *--signal*=_SIGNAL_\n"
            "\tSend SIGNAL instead of TERM.\n"
            "\n"
            "*--dry\\_run*\n"
            "\tOnly say what would be done.\n"
            "\n"
            "*-h*, *--help*\n"
            "\tShow this help and exit.\n");
}

// What bash offers for these words, the last of which is being typed. Guests are web1, web2.
std::string completed(const std::string& words) {
  const std::string script = format_bash_completion(kCommands) +
                             "_vserver_guests() { printf '%s\\n' web1 web2 'x$(echo y)'; }\n"
                             "COMP_WORDS=(vserver " +
                             words +
                             ")\n"
                             "COMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n"
                             "_vserver\n"
                             "printf '%s\\n' \"${COMPREPLY[*]}\"\n";
  std::string path = testing::TempDir() + "completionXXXXXX";
  const int fd = ::mkstemp(path.data());
  if (fd < 0 || ::write(fd, script.data(), script.size()) < 0) return "no temporary file";
  ::close(fd);
  FILE* const pipe = ::popen(("bash '" + path + "' 2>&1").c_str(), "r");
  std::string out;
  if (pipe != nullptr) {
    std::array<char, 256> line{};
    while (::fgets(line.data(), static_cast<int>(line.size()), pipe) != nullptr)
      out += line.data();
    ::pclose(pipe);
  }
  ::unlink(path.c_str());
  return std::string{trim(out)};
}

TEST(Completion, BashOffersCommandsOptionsAndGuests) {
  if (::access("/bin/bash", X_OK) != 0) GTEST_SKIP() << "needs bash";
  EXPECT_EQ(completed("''"), "kill list");
  EXPECT_EQ(completed("k"), "kill");
  EXPECT_EQ(completed("kill --"), "--signal --dry_run --help");
  EXPECT_EQ(completed("kill w"), "web1 web2");
  EXPECT_EQ(completed("kill -s w"), "");
  EXPECT_EQ(completed("list w"), "");
}

TEST(Completion, TheNameOfAGuestIsNotExpanded) {
  if (::access("/bin/bash", X_OK) != 0) GTEST_SKIP() << "needs bash";
  EXPECT_EQ(completed("kill x"), "x$(echo y)");
}

}  // namespace
}  // namespace vs
