// SPDX-License-Identifier: GPL-2.0-or-later
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "config/keys.h"
#include "config/syntax.h"
#include "config/tree.h"
#include "config/write.h"

namespace vs {
namespace {

// A nested literal of a directory: a node with children is a directory, one with "->" a link.
struct Node {
  std::string name;
  std::string text;
  std::vector<Node> children;
};

void make(const std::string& below, const Node& node) {
  std::string const path = below + "/" + node.name;
  if (node.text.empty() && node.name.ends_with('/')) {
    std::filesystem::create_directories(path);
    for (auto const& child : node.children)
      make(path, child);
  } else if (node.text.starts_with("->")) {
    std::filesystem::create_symlink(node.text.substr(2), path);
  } else {
    std::ofstream{path} << node.text;
  }
}

std::string slurp(const std::string& path) {
  std::ifstream in{path};
  return std::string{std::istreambuf_iterator<char>{in}, {}};
}

class Fixture : public ::testing::Test {
 protected:
  Fixture() {
    char pattern[] = "/tmp/vs-config-XXXXXX";
    dir = ::mkdtemp(pattern);
  }
  ~Fixture() override { std::filesystem::remove_all(dir); }

  Tree tree(const std::vector<Node>& nodes) {
    for (auto const& node : nodes)
      make(dir, node);
    auto read = read_tree(dir);
    EXPECT_TRUE(read) << read.error().message();
    return std::move(*read);
  }

  std::string dir;
};

using ConfigTree = Fixture;
using ConfigWrite = Fixture;

TEST(ConfigKeys, EveryPatternIsFoundByItsOwnPathAndIsUnique) {
  std::set<std::string_view> seen;
  for (auto const& key : guest_keys().keys()) {
    EXPECT_TRUE(seen.insert(key.path).second) << key.path;
    EXPECT_FALSE(key.help.empty()) << key.path;
    std::string path{key.path};
    std::replace(path.begin(), path.end(), '*', '0');
    EXPECT_EQ(guest_keys().find(path), &key) << path;
    auto const slash = path.rfind('/');
    EXPECT_TRUE(guest_keys().is_directory(slash == std::string::npos ? "" : path.substr(0, slash)))
        << path;
  }
}

TEST(ConfigKeys, AnUnknownPathHasTheNearestKnownOne) {
  EXPECT_EQ(guest_keys().find("interfaces/0/iip"), nullptr);
  EXPECT_EQ(guest_keys().nearest("interfaces/0/prefx"), "interfaces/0/prefix");
  EXPECT_EQ(guest_keys().nearest("contxt"), "context");
  EXPECT_EQ(guest_keys().nearest("aps"), "apps");
  EXPECT_EQ(guest_keys().nearest("zzzzzzzzzzzz"), std::nullopt);
  EXPECT_EQ(guest_keys().nearest("context"), std::nullopt);
  EXPECT_EQ(guest_keys().find(""), nullptr);
  EXPECT_EQ(guest_keys().find("interfaces//ip"), nullptr);
  EXPECT_FALSE(guest_keys().is_directory("context"));
}

TEST(ConfigSyntax, Scalar) {
  EXPECT_EQ(scalar_of(" a b\t\nc\n"), "a b");
  EXPECT_EQ(scalar_of("no newline"), "no newline");
  EXPECT_EQ(scalar_of(""), "");
  EXPECT_EQ(scalar_of("\nx\n"), "");
  EXPECT_EQ(scalar_of("a\\\\b\\ \n"), "a\\b ");
  EXPECT_EQ(scalar_of("a\\\nb\n"), "ab");
  EXPECT_EQ(scalar_of("a\\"), "a");
  for (std::string const value : {"", "a", " ", " a  ", "\\", "a\\ b ", "a\r", "  "})
    EXPECT_EQ(scalar_of(scalar_line(value)), value) << "'" << value << "'";
}

TEST(ConfigSyntax, Numbers) {
  EXPECT_EQ(*limit_of("1k"), 1000U);
  EXPECT_EQ(*limit_of("1K"), 1024U);
  EXPECT_EQ(*limit_of("1m"), 1000000U);
  EXPECT_EQ(*limit_of("1M"), 1048576U);
  EXPECT_EQ(*limit_of("0x10"), 16U);
  EXPECT_EQ(*limit_of("infinity"), kNoLimit);
  for (auto const* bad : {"x", "k", "1kX", "", "-1", "9223372036854775807M"})
    EXPECT_FALSE(limit_of(bad)) << bad;
  EXPECT_EQ(*integer_of("-5"), -5);
  EXPECT_FALSE(integer_of("5 "));
  EXPECT_TRUE(*switch_of("On"));
  EXPECT_FALSE(*switch_of("0"));
  EXPECT_FALSE(switch_of("maybe"));
}

TEST_F(ConfigTree, ReadsEachKindWithItsLines) {
  auto const t =
      tree({{"context", " 42 \n", {}},
            {"keepfds", "", {}},
            {"bcapabilities", "# mine\n\n NET_RAW,SYSLOG\n~CHOWN\n", {}},
            {"uts/", "", {{"nodename", "web1\n\n", {}}}},
            {"apps/", "", {{"init/", "", {{"cmd.start", "/sbin/init\n\n#3\n a\n", {}}}}}},
            {"rlimits/", "", {{"nproc", "2k\n", {}}}}});
  EXPECT_EQ(t.scalar("context")->text, "42");
  EXPECT_EQ(to_string(t.scalar("context")->position), dir + "/context:1");
  EXPECT_EQ(t.scalar("name"), std::nullopt);
  EXPECT_EQ(**t.integer("context"), 42);
  EXPECT_EQ(**t.limit("rlimits/nproc"), 2000U);
  EXPECT_EQ(*t.on_off("userns"), std::nullopt);
  EXPECT_TRUE(t.flag("keepfds"));
  EXPECT_FALSE(t.flag("noncontext"));
  auto const caps = t.list("bcapabilities");
  ASSERT_EQ(caps.size(), 2U);
  EXPECT_EQ(caps[0].text, "NET_RAW,SYSLOG");
  EXPECT_EQ(wrong_value(caps[1], "bad").message(), dir + "/bcapabilities:4: bad");
  EXPECT_EQ(t.raw("uts/nodename")->text, "web1");
  auto const argv = t.array("apps/init/cmd.start");
  ASSERT_EQ(argv.size(), 3U);
  EXPECT_EQ(argv[1].text, "#3");
  EXPECT_EQ(argv[2].text, " a");
  EXPECT_EQ(argv[2].position.line, 4);
  EXPECT_TRUE(t.warnings.empty()) << t.warnings[0];
  EXPECT_EQ(t.not_applied(), std::vector<std::string>{"keepfds"});
}

TEST_F(ConfigTree, ChildrenAreDirectoriesInOrderAlsoEmptyOnes) {
  auto const t = tree({{"interfaces/",
                        "",
                        {{"dev", "eth0\n", {}},
                         {"1/", "", {}},
                         {"0/", "", {{"ip", "10.0.0.1\n", {}}}},
                         {"0.rpmsave/", "", {}},
                         {"2", "->0", {}}}}});
  EXPECT_EQ(t.children("interfaces"), (std::vector<std::string>{"0", "1", "2"}));
  EXPECT_EQ(t.children(""), std::vector<std::string>{"interfaces"});
  EXPECT_TRUE(t.children("interfaces/0").empty());
  EXPECT_EQ(t.scalar("interfaces/2/ip")->text, "10.0.0.1");
}

TEST_F(ConfigTree, WarnsAndKeepsGoing) {
  auto const t = tree({{"contxt", "1\n", {}},
                       {"name", "web", {}},
                       {"nice", "5\r\n", {}},
                       {"shell", "->/nowhere/at/all", {}},
                       {"interfaces", "x\n", {}},
                       {"context~", "x", {}},
                       {"fstab.cfsaved.1", "x", {}},
                       {".hidden", "x", {}},
                       {"fstab/", "", {}},
                       {"sched/", "", {{"0/", "", {{"cpu-id", "1\n", {}}}}}},
                       {"noisy", "", {}}});
  auto const& w = t.warnings;
  ASSERT_EQ(w.size(), 6U);
  EXPECT_EQ(w[0], dir + "/contxt: unknown entry; did you mean 'context'?");
  EXPECT_EQ(w[1], dir + "/fstab: this must be a file, not a directory");
  EXPECT_EQ(w[2], dir + "/interfaces: this must be a directory");
  EXPECT_EQ(w[3], dir + "/name: does not end in a newline");
  EXPECT_EQ(w[4], dir + "/nice: has DOS line ends");
  EXPECT_EQ(w[5], dir + "/shell: this link leads nowhere");
  EXPECT_EQ(t.not_applied(), (std::vector<std::string>{"noisy", "sched/0/cpu-id"}));
  EXPECT_EQ(t.scalar("nice")->text, "5");
}

TEST_F(ConfigTree, LinksAreRecordedNotFollowed) {
  auto const t = tree({{"vdir", "->/nowhere/web1", {}},
                       {"run", "file\n", {}},
                       {"name", "->real", {}},
                       {"real", "n\n", {}}});
  EXPECT_EQ(t.link("vdir")->text, "/nowhere/web1");
  EXPECT_EQ(t.link("run")->text, dir + "/run");
  EXPECT_EQ(t.scalar("name")->text, "n");
}

TEST_F(ConfigTree, RefusesBinaryAndHugeFilesByName) {
  make(dir, {"fstab", std::string("a\0b\n", 4), {}});
  auto binary = read_tree(dir);
  ASSERT_FALSE(binary);
  EXPECT_EQ(binary.error().code(), Errc::Config);
  EXPECT_NE(binary.error().message().find(dir + "/fstab: contains a NUL"), std::string::npos);
  make(dir, {"fstab", std::string(kMaxConfigFile + 1, 'x'), {}});
  auto huge = read_tree(dir);
  ASSERT_FALSE(huge);
  EXPECT_NE(huge.error().message().find(dir + "/fstab: larger than"), std::string::npos);
  EXPECT_EQ(read_tree(dir + "/none").error().code(), Errc::NotFound);
}

TEST_F(ConfigTree, ABadValueNamesFileAndLine) {
  auto const t = tree({{"nice", "high\n", {}}, {"userns", "perhaps\n", {}}});
  EXPECT_EQ(t.integer("nice").error().message(), dir + "/nice:1: 'high' is not a number");
  EXPECT_EQ(t.on_off("userns").error().message(),
            dir + "/userns:1: 'perhaps' is neither on nor off");
}

TEST_F(ConfigTree, ALinkBackToTheTreeEnds) {
  auto const t = tree({{"interfaces/", "", {{"0", "->..", {}}}}, {"apps", "->.", {}}});
  EXPECT_FALSE(t.warnings.empty());
}

TEST_F(ConfigTree, ChangesInMemoryReadLikeFiles) {
  auto t = tree({{"context", "42\n", {}}});
  t.put("interfaces/0/ip", "10.0.0.1\n");
  t.put("interfaces/1/ip", "10.0.0.2\n");
  t.put("no/such/key", "1\n");
  t.erase("context");
  t.erase("name");
  EXPECT_EQ(t.children("interfaces"), (std::vector<std::string>{"0", "1"}));
  EXPECT_EQ(t.scalar("interfaces/1/ip")->text, "10.0.0.2");
  EXPECT_FALSE(t.flag("context"));
  EXPECT_EQ(t.values().size(), 2U);
}

TEST_F(ConfigWrite, SetsAndUnsets) {
  ASSERT_TRUE(set_entry(dir, "interfaces/0/ip", "10.0.0.1"));
  EXPECT_EQ(slurp(dir + "/interfaces/0/ip"), "10.0.0.1\n");
  ASSERT_TRUE(set_entry(dir, "name", "a\\b\n"));
  EXPECT_EQ(read_tree(dir)->scalar("name")->text, "a\\b");
  ASSERT_TRUE(set_entry(dir, "keepfds", ""));
  ASSERT_TRUE(set_entry(dir, "bcapabilities", "A\nB"));
  EXPECT_EQ(slurp(dir + "/bcapabilities"), "A\nB\n");
  ASSERT_TRUE(unset_entry(dir, "keepfds"));
  ASSERT_TRUE(unset_entry(dir, "keepfds"));
  ASSERT_TRUE(unset_entry(dir, "uts/nodename"));
  EXPECT_FALSE(read_tree(dir)->flag("keepfds"));
}

TEST_F(ConfigWrite, RefusesWhatIsNoEntryOrNoValue) {
  for (std::string const path :
       {"", "/name", "../name", "interfaces/../name", "interfaces/./ip", "name/", "name~", "contxt",
        "interfaces/0", "interfaces/a\nb/ip", "scripts/pre-start.d/.x"})
    EXPECT_EQ(set_entry(dir, path, "x").error().code(), Errc::Usage) << path;
  EXPECT_EQ(set_entry(dir, "contxt", "1").error().hint(), "did you mean 'context'?");
  EXPECT_FALSE(set_entry(dir, "vdir", "/x"));
  EXPECT_FALSE(unset_entry(dir, "vdir"));
  EXPECT_FALSE(unset_entry(dir, "../x"));
  EXPECT_FALSE(set_entry(dir, "keepfds", "yes"));
  EXPECT_FALSE(set_entry(dir, "name", "a\nb"));
  EXPECT_FALSE(set_entry(dir, "nice", "low"));
  EXPECT_FALSE(set_entry(dir, "ulimits/core", "1kX"));
  EXPECT_FALSE(set_entry(dir, "fstab", std::string("\0", 1)));
  EXPECT_EQ(set_entry(dir + "/none", "name", "x").error().code(), Errc::NotFound);
  EXPECT_TRUE(std::filesystem::is_empty(dir));
}

}  // namespace
}  // namespace vs
