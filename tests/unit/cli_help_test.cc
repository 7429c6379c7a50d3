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
constexpr std::array kShared{Option{'v', "verbose", "", "Say more"}};
constexpr Command kKill{.name = "kill",
                        .operands = "GUEST...",
                        .summary = "Signal the processes of a guest",
                        .options = kOptions,
                        .max_operands = kAnyNumber,
                        .details = "Signals go to all contexts.",
                        .program = "vserver",
                        .common = kShared};
constexpr Command kList{
    .name = "list", .operands = "", .summary = "List guests", .program = "vserver"};
constexpr Command kConfig{.name = "config",
                          .operands = "GUEST COMMAND",
                          .summary = "Read and write entries",
                          .program = "vserver"};
constexpr std::array kDirs{Option{'d', "dir", "DIR", "Look there"}};
constexpr Command kInfo{
    .name = "vserver-info", .operands = "GUEST TAG", .summary = "Facts", .options = kDirs};
constexpr std::array kVerbs{&kKill, &kList, &kConfig};

TEST(Help, ShowsBothWordOrdersOptionsAndDetails) {
  EXPECT_EQ(format_help(kKill),
            "Usage: vserver GUEST kill [OPTION]...\n"
            "       vserver kill [OPTION]... GUEST...\n"
            "Signal the processes of a guest.\n"
            "\n"
            "Options:\n"
            "  -s, --signal=SIGNAL  Send SIGNAL instead of TERM\n"
            "      --dry_run        Only say what would be done\n"
            "  -h, --help           Show this help and exit\n"
            "      --version        Show version and licence and exit\n"
            "\n"
            "Also --verbose: see 'vserver --help'.\n"
            "\n"
            "Signals go to all contexts.\n");
}

TEST(Help, AProgramOfItsOwnIsNamedOnce) {
  EXPECT_EQ(first_line(format_help(kInfo)), "Usage: vserver-info [OPTION]... GUEST TAG");
  EXPECT_EQ(first_line(format_help(kList)), "Usage: vserver list");
}

TEST(Help, LongTextsAreWrappedInTheirColumn) {
  constexpr std::array kLong{
      Option{'x', "an-option-with-a-name-that-is-too-long", "", "Short"},
      Option{'y', "y", "",
             "One two three four five six seven eight nine ten eleven twelve thirteen fourteen "
             "fifteen sixteen seventeen"}};
  const Command command{.name = "x", .operands = "", .summary = "X", .options = kLong};
  const std::string text = format_help(command);
  for (const auto line : split_lines(text))
    EXPECT_LE(line.size(), 80U) << line;
  EXPECT_NE(text.find("\n  -x, --an-option-with-a-name-that-is-too-long\n                 Short\n"),
            std::string::npos)
      << text;
}

TEST(Help, TheOverviewHasOneLineForEachCommand) {
  constexpr Command kProgram{.name = "vserver",
                             .operands = "",
                             .summary = "Virtual private servers",
                             .options = kShared,
                             .details = "More."};
  EXPECT_EQ(format_overview(kProgram, kVerbs),
            "Usage: vserver [OPTION]... GUEST COMMAND [ARGUMENT]...\n"
            "       vserver [OPTION]... COMMAND GUEST... [ARGUMENT]...\n"
            "Virtual private servers.\n"
            "\n"
            "Commands:\n"
            "  kill    Signal the processes of a guest\n"
            "  list    List guests\n"
            "  config  Read and write entries\n"
            "\n"
            "Options:\n"
            "  -v, --verbose  Say more\n"
            "  -h, --help     Show this help and exit\n"
            "      --version  Show version and licence and exit\n"
            "\n"
            "More.\n");
}

TEST(Help, TheManualEscapesWhatScdocWouldRead) {
  EXPECT_EQ(format_man_options(kOptions),
            "*-s*, *--signal*=_SIGNAL_\n"
            "\tSend SIGNAL instead of TERM.\n"
            "\n"
            "*--dry\\_run*\n"
            "\tOnly say what would be done.\n");
}

// What bash offers for these words, the last of which is being typed. Guests are web1, web2.
std::string completed(const std::string& words, const std::string& function = "_vserver") {
  constexpr std::array kTools{&kInfo};
  constexpr std::array<std::string_view, 2> kSub{"get", "set"};
  const std::array<std::string, 2> keys{"nice", "uts/nodename"};
  const std::string script =
      format_bash_completion({"vserver", kShared, kVerbs, kTools, kSub, keys}) +
      "_vserver_guests() { printf '%s\\n' web1 web2 'x$(echo y)'; }\n"
      "COMP_WORDS=(" +
      words +
      ")\n"
      "COMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n" +
      function +
      "\n"
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

TEST(Completion, BashOffersVerbsOptionsAndGuestsInBothOrders) {
  if (::access("/bin/bash", X_OK) != 0) GTEST_SKIP() << "needs bash";
  EXPECT_EQ(completed("vserver ''"), "kill list config web1 web2 x$(echo y)");
  EXPECT_EQ(completed("vserver k"), "kill");
  EXPECT_EQ(completed("vserver --"), "--help --version --verbose");
  EXPECT_EQ(completed("vserver kill --"), "--help --version --signal --dry_run --verbose");
  EXPECT_EQ(completed("vserver kill w"), "web1 web2");
  EXPECT_EQ(completed("vserver kill web1 w"), "web1 web2");
  EXPECT_EQ(completed("vserver -v web1 k"), "kill");
  EXPECT_EQ(completed("vserver web1 kill --s"), "--signal");
  EXPECT_EQ(completed("vserver web1 kill w"), "");
  EXPECT_EQ(completed("vserver kill -s w"), "");
  EXPECT_EQ(completed("vserver list w"), "");
}

TEST(Completion, BashOffersKeysAndToolsOperands) {
  if (::access("/bin/bash", X_OK) != 0) GTEST_SKIP() << "needs bash";
  EXPECT_EQ(completed("vserver web1 config ''"), "get set --help --version");
  EXPECT_EQ(completed("vserver web1 config get u"), "uts/nodename");
  EXPECT_EQ(completed("/usr/sbin/vserver-info w", "_vserver_tool"), "web1 web2");
  EXPECT_EQ(completed("vserver-info web1 w", "_vserver_tool"), "");
}

TEST(Completion, TheNameOfAGuestIsNotExpanded) {
  if (::access("/bin/bash", X_OK) != 0) GTEST_SKIP() << "needs bash";
  EXPECT_EQ(completed("vserver kill x"), "x$(echo y)");
}

}  // namespace
}  // namespace vs
