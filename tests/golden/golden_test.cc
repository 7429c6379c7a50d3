// SPDX-License-Identifier: GPL-2.0-or-later
// Outputs that scripts read, byte for byte as util-vserver gives them. Usage: in tests/golden.
#include <algorithm>

#include <gtest/gtest.h>

#include "base/text.h"
#include "cmd/vps.h"
#include "config/keys.h"
#include "guest/usage.h"
#include "sys/file.h"

namespace vs {
namespace {

std::string expected(const char* name) {
  auto const text = read_file(std::string{VS_GOLDEN_DIR} + "/" + name);
  return text ? *text : text.error().message();
}

constexpr std::uint64_t kKiB = 1024;
constexpr std::uint64_t kMiB = 1024 * kKiB;

TEST(Golden, ColumnsOfVserverStat) {
  std::vector<Usage> const rows{
      {0, "root server", 87, 1127 * kMiB, 153 * kMiB + 367001, 15083000, 3911000, 1053180},
      {40001, "web1", 17, 412 * kMiB + 576717, 38 * kMiB, 135410, 33100, 274260},
      {40002, "a-name-of-more-than-20-characters", 3, 7 * kKiB + 973, 800 * kKiB, 135410, 33007,
       40},
  };
  EXPECT_EQ(stat_table(rows), expected("vserver-stat.txt"));
}

TEST(Golden, TheContextColumnOfVps) {
  constexpr std::string_view kPs =
      "  PID TTY      STAT   TIME COMMAND\n"
      "    1 ?        Ss     0:01 /sbin/init\n"
      " 4711 ?        Ss     0:00 /usr/sbin/apache2\n"
      " 4712 ?        Z      0:00 [gone]\n"
      " 4713 ?        S      0:00 sleep 1\n";
  auto const text = with_contexts(kPs, [](int pid) -> ContextOf {
    if (pid == 4711) return {40001, "web1"};
    if (pid == 4712) return {0, "ERR"};
    if (pid == 4713) return {40002, "a-name-of-more-than-20"};
    return {0, "MAIN"};
  });
  ASSERT_TRUE(text);
  EXPECT_EQ(*text, expected("vps.txt"));
  EXPECT_FALSE(with_contexts("USER PPID\n", [](int) { return ContextOf{}; }));
}

// The directory trees/ has whole configurations; this one must not miss what the table gets.
TEST(Golden, TheTreeWithEveryEntryHasEveryEntry) {
  std::vector<const Key*> found;
  auto const tree = expected("trees/every.tree");
  for (auto const line : split_lines(tree)) {
    if (!line.starts_with('#')) found.push_back(guest_keys().find(line.substr(0, line.find(' '))));
  }
  for (auto const& key : guest_keys().keys()) {
    // A directory is there by what lies below it.
    if (key.kind == Kind::Directory) continue;
    EXPECT_NE(std::find(found.begin(), found.end(), &key), found.end()) << key.path;
  }
}

}  // namespace
}  // namespace vs
