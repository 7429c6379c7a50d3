// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include <array>

#include <gtest/gtest.h>

#include "base/log.h"
#include "cli/progress.h"

namespace vs {
namespace {

std::string read_now(int fd) {
  std::string out;
  std::array<char, 512> buffer{};
  pollfd ready{fd, POLLIN, 0};
  while (::poll(&ready, 1, 50) == 1 && (ready.revents & POLLIN) != 0) {
    const ssize_t n = ::read(fd, buffer.data(), buffer.size());
    if (n <= 0) break;
    out.append(buffer.data(), static_cast<std::size_t>(n));
  }
  return out;
}

TEST(Progress, IsLiveOnlyOnATerminalThatIsNotDumb) {
  EXPECT_TRUE(progress_style(true, "xterm", nullptr).live);
  EXPECT_FALSE(progress_style(false, "xterm", nullptr).live);
  EXPECT_FALSE(progress_style(true, "dumb", nullptr).live);
  EXPECT_FALSE(progress_style(true, nullptr, nullptr).live);
}

TEST(Progress, ColoursNeedALiveLineAndNoVeto) {
  EXPECT_TRUE(progress_style(true, "xterm", nullptr).colours);
  EXPECT_TRUE(progress_style(true, "xterm", "").colours);
  EXPECT_FALSE(progress_style(true, "xterm", "1").colours);
  EXPECT_FALSE(progress_style(false, "xterm", nullptr).colours);
}

TEST(Progress, ABarShowsThePartThatIsDone) {
  EXPECT_EQ(format_progress("unpack", 50, 100, "etc/fstab", 80, 0),
            "unpack [############------------]  50% etc/fstab");
  EXPECT_EQ(format_progress("unpack", 7, 0, "", 80, 0), "unpack [########################] 100%");
}

TEST(Progress, AnUnknownTotalTurnsASpinner) {
  EXPECT_EQ(format_progress("fetch", 1, std::nullopt, "", 80, 0), "fetch |");
  EXPECT_EQ(format_progress("fetch", 1, std::nullopt, "x", 80, 5), "fetch / x");
}

TEST(Progress, ALineFitsTheTerminalAndCannotSteerIt) {
  EXPECT_EQ(format_progress("fetch", 1, std::nullopt, "abc\x1b[2J", 12, 0), "fetch | abc?");
}

TEST(Progress, AwayFromATerminalAStageIsOnePlainLine) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  {
    Progress progress{"unpack", ends[1]};
    progress.set_total(2);
    progress.update(1, "a");
    progress.done();
  }
  EXPECT_EQ(read_now(ends[0]), "unpack\n");
  log_level = Level::Quiet;
  { Progress{"unpack", ends[1]}.done(); }
  log_level = Level::Warning;
  EXPECT_EQ(read_now(ends[0]), "");
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST(Progress, OnATerminalAFailedStageLeavesNoLine) {
  const int master = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (master < 0 || ::grantpt(master) != 0 || ::unlockpt(master) != 0)
    GTEST_SKIP() << "needs a pty";
  const char* const name = ::ptsname(master);
  const int slave = ::open(name != nullptr ? name : "", O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (slave < 0) GTEST_SKIP() << "needs a pty";
  ::setenv("TERM", "xterm", 1);
  ::setenv("NO_COLOR", "1", 1);
  { const Progress progress{"fetch", slave}; }
  EXPECT_EQ(read_now(master), "\r\x1b[Kfetch |\r\x1b[K");
  {
    Progress progress{"fetch", slave};
    progress.done();
  }
  EXPECT_EQ(read_now(master), "\r\x1b[Kfetch |\r\x1b[Kfetch: done\r\n");
  ::close(slave);
  ::close(master);
}

}  // namespace
}  // namespace vs
