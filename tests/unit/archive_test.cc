// SPDX-License-Identifier: GPL-2.0-or-later
#include "build/archive.h"

#include <gtest/gtest.h>

namespace vs {
namespace {

TEST(Archive, FormatIsFoundByItsFirstBytes) {
  std::string tar(512, '\0');
  tar.replace(257, 5, "ustar");
  struct Case {
    std::string head;
    std::string_view name;  // empty: refused
  };
  std::vector<Case> const cases{
      {"\x1f\x8b\x08", "tar.gz"},
      {std::string{"\xfd"
                   "7zXZ\0",
                   6},
       "tar.xz"},
      {"\x28\xb5\x2f\xfd", "tar.zst"},
      {"BZh9", "tar.bz2"},
      {tar, "tar"},
      {"PK\3\4", ""},
      {"070701", ""},
      {"", ""},
      {"\x1f", ""},
  };
  for (auto const& c : cases) {
    auto const format = archive_format(c.head);
    EXPECT_EQ(format ? format->name : "", c.name);
  }
  EXPECT_EQ(archive_format("PK\3\4").error().message(), "it is a zip, not a tar archive");
}

TEST(Archive, ListingLineIsTakenApart) {
  auto const file =
      parse_listing("-rw-r--r-- 1000/70000   12 2024-01-02 03:04:05.67 \"./a b\\nc\"");
  ASSERT_TRUE(file);
  EXPECT_EQ(file->type, '-');
  EXPECT_EQ(file->uid, 1000U);
  EXPECT_EQ(file->gid, 70000U);
  EXPECT_EQ(file->size, 12U);
  EXPECT_EQ(file->name, "./a b\nc");
  auto const device = parse_listing("crw-rw-rw- 0/0  1,3 2024-01-02 03:04:05.1   \" dev/null\"");
  ASSERT_TRUE(device);
  EXPECT_EQ(device->type, 'c');
  EXPECT_EQ(device->name, " dev/null");  // its own blank, not those of the time
  EXPECT_EQ(parse_listing("lrwxrwxrwx 0/0 0 2024-01-02 03:04:05 \"a -> \\\"b\" -> \"../b\"")->name,
            "a -> \"b");
  EXPECT_EQ(parse_listing("hrw-r--r-- 0/0 0 2024-01-02 03:04:05 \"a\" link to \"../b\"")->name,
            "a");
  EXPECT_EQ(parse_listing("-rw-r--r-- 0/0 1 2024-01-02 03:04:05 \"\\303\\274\\\\\"")->name,
            "\xc3\xbc\\");
}

TEST(Archive, MessagesAreNoEntries) {
  for (std::string_view const line :
       {"", "tar: Unexpected EOF in archive", "-", "-rw-r--r-- 0/0", "-rw-r--r-- root/root 1 a b c",
        "-rw-r--r-- 0/0 x 2024-01-02 03:04:05 a", "-rw-r--r-- 0/0 1 2024-01-02 03:04:05",
        "-rw-r--r-- 0/0 1 2024-01-02 03:04:05 ", "-rw-r--r-- 0/0 1 2024-01-02 03:04:05 \"a",
        "-rw-r--r-- 0/0 1 2024-01-02 03:04:05 \"a\\\"", "-rw-r--r-- 0/0 1 2024-01-02 03:04:05 a"})
    EXPECT_FALSE(parse_listing(line)) << line;
}

TEST(Archive, WrongOwnersAndClimbersAreRefused) {
  Listing good;
  good.add(*parse_listing("drwxr-xr-x 0/0 0 2024-01-02 03:04:05 \"./\""));
  good.add(*parse_listing("-rw-r--r-- 65535/65535 5 2024-01-02 03:04:05 \"a..b/..c\""));
  good.add(*parse_listing("brw-r--r-- 0/0 8,1 2024-01-02 03:04:05 \"dev/sda1\""));
  EXPECT_TRUE(check_listing(good));
  EXPECT_EQ(good.bytes, 5U);
  EXPECT_EQ(good.devices, std::vector<std::string>{"dev/sda1"});
  Listing far = good;
  far.add(*parse_listing("-rw-r--r-- 0/65536 5 2024-01-02 03:04:05 \"x\\033y\""));
  EXPECT_EQ(
      check_listing(far).error().message(),
      "1 of 4 entries belong to owners above 65535, which a guest cannot have: x?y (0:65536)");
  Listing climbing = good;
  climbing.add(*parse_listing("-rw-r--r-- 0/0 5 2024-01-02 03:04:05 \"a/../b\""));
  EXPECT_EQ(check_listing(climbing).error().message(),
            "1 names in it lead upwards by '..': a/../b");
  Listing crowded = good;
  for (int i = 0; i < 20000; ++i)
    crowded.add(*parse_listing("crw-r--r-- 0/0 1,3 2024-01-02 03:04:05 \"n\""));
  EXPECT_EQ(crowded.devices.size(), 10000U);
  EXPECT_EQ(check_listing(crowded).error().message(),
            "it holds 20001 device nodes: more than 10000 are no system's");
  EXPECT_EQ(check_listing(Listing{}).error().message(), "it holds no files");
}

}  // namespace
}  // namespace vs
