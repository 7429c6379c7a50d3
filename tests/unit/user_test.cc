// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/user.h"

#include <gtest/gtest.h>

namespace vs {
namespace {

constexpr std::string_view kPasswd =
    "root:x:0:0:root:/root:/bin/sh\n"
    "www-data:x:33:34:www:/var/www:/usr/sbin/nologin\n"
    "broken line\n"
    "huge:x:4294967295:0::/:/bin/sh\n"
    "negative:x:-1:0::/:/bin/sh\n"
    "0:x:77:77::/:/bin/sh\n"
    "homeless:x:50:50:::\n"
    "www-data:x:0:0:second:/root:/bin/sh";

TEST(User, IsFoundByNameOrNumber) {
  for (auto const* wanted : {"www-data", "33"}) {
    auto const user = parse_user(kPasswd, wanted);
    ASSERT_TRUE(user) << wanted;
    EXPECT_EQ(user->name, "www-data");
    EXPECT_EQ(user->uid, 33U);
    EXPECT_EQ(user->gid, 34U);
    EXPECT_EQ(user->home, "/var/www");
  }
  EXPECT_EQ(parse_user(kPasswd, "homeless")->home, "/");
}

TEST(User, ANumberWithoutAnEntryIsItself) {
  auto const user = parse_user(kPasswd, "1000");
  ASSERT_TRUE(user);
  EXPECT_EQ(user->uid, 1000U);
  EXPECT_EQ(user->gid, 1000U);
  EXPECT_EQ(user->home, "/");
}

TEST(User, HasTheGroupsThatNameIt) {
  constexpr std::string_view kGroup =
      "root:x:0:\nadm:x:4:www,www-data\nbroken\nhuge:x:4294967295:www-data\nnone:x:-1:www-data\n"
      "ssl:x:110:www-data\nnear:x:7:www-data2,xwww-data\n";
  EXPECT_EQ(parse_groups(kGroup, "www-data"), (std::vector<std::uint32_t>{4, 110}));
  EXPECT_TRUE(parse_groups(kGroup, "root").empty());
  std::string many;
  for (int i = 0; i < 3000; ++i)
    many += "g:x:1:u\n";
  EXPECT_EQ(parse_groups(many, "u").size(), 1024U);
}

TEST(User, RootIsThereWithoutAFile) {
  EXPECT_EQ(parse_user("", "root")->uid, 0U);
  EXPECT_EQ(parse_user("", "0")->home, "/root");
}

TEST(User, WhatIsNoIdOfAGuestIsNobody) {
  for (auto const* wanted :
       {"nobody", "", "65536", "4294967295", "huge", "negative", "-1", "33x"}) {
    SCOPED_TRACE(wanted);
    EXPECT_FALSE(parse_user(kPasswd, wanted));
  }
}

}  // namespace
}  // namespace vs
