// SPDX-License-Identifier: GPL-2.0-or-later
#include <gtest/gtest.h>

#include "cli/table.h"

namespace vs {
namespace {

TEST(Table, ColumnsAreAsWideAsTheirWidestCell) {
  Table table{{{"NAME"}, {"XID", true}, {"STATE"}}};
  table.add_row({"web1", "40001", "running"});
  table.add_row({"database", "2"});
  EXPECT_EQ(table.text(),
            "NAME        XID  STATE\n"
            "web1      40001  running\n"
            "database      2\n");
}

TEST(Table, WidthCountsCharactersNotBytes) {
  Table table{{{"NAME"}, {"N"}}};
  table.add_row({"\xc3\xa4\xc3\xb6\xc3\xbc", "1"});
  EXPECT_EQ(table.text(), "NAME  N\n\xc3\xa4\xc3\xb6\xc3\xbc   1\n");
}

TEST(Table, ACellCannotSteerTheTerminal) {
  Table table{{{"NAME"}}};
  table.add_row({"a\x1b[2J\nb"});
  EXPECT_EQ(table.text(), "NAME\na?[2J?b\n");
}

TEST(Json, TextIsQuotedAndBadBytesAreReplaced) {
  EXPECT_EQ(json_escape("a\"b\n"), R"("a\"b\n")");
  EXPECT_EQ(json_escape("a\xff"), "\"a\xef\xbf\xbd\"");
}

TEST(Json, NamesKeepTheirOrderAndValuesTheirType) {
  JsonObject limits;
  limits.add("rss", std::uint64_t{18446744073709551615U}).add_null("nproc");
  JsonArray mounts;
  mounts.add("/proc").add(std::move(JsonObject{}.add("to", "/tmp")));
  JsonObject guest;
  guest.add("name", "web1").add("xid", 2).add("running", true).add("load", 0.5).add("nice", -3);
  guest.add("ips", std::vector<std::string>{"10.0.0.1"});
  guest.add("limits", std::move(limits)).add("mounts", std::move(mounts));
  EXPECT_EQ(guest.text(), R"({
  "name": "web1",
  "xid": 2,
  "running": true,
  "load": 0.5,
  "nice": -3,
  "ips": [
    "10.0.0.1"
  ],
  "limits": {
    "rss": 18446744073709551615,
    "nproc": null
  },
  "mounts": [
    "/proc",
    {
      "to": "/tmp"
    }
  ]
})");
}

TEST(Json, AnEmptyListIsStillAList) {
  EXPECT_EQ(JsonArray{}.text(), "[]");
}

}  // namespace
}  // namespace vs
