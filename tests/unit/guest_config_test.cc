// SPDX-License-Identifier: GPL-2.0-or-later
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

#include "context/capability.h"
#include "guest/config.h"

namespace vs {
namespace {

// A configuration root with one guest 'web'. The root is chosen once: paths are read only once.
class GuestConfigTest : public ::testing::Test {
 protected:
  GuestConfigTest() {
    root = std::getenv("VSERVER_CONFDIR");
    std::filesystem::remove_all(root);
    std::filesystem::create_directories(root + "/web");
    std::filesystem::create_symlink("/tmp", root + "/web/vdir");
  }
  ~GuestConfigTest() override { std::filesystem::remove_all(root); }

  void put(const std::string& path, const std::string& text) {
    std::filesystem::create_directories(
        (root + "/" + path).substr(0, (root + "/" + path).rfind('/')));
    std::ofstream{root + "/" + path} << text;
  }
  // The message of a load that has to fail, without the root in front.
  std::string refusal() {
    auto const config = load_config("web");
    if (config) return "accepted";
    auto const text = config.error().message();
    return text.starts_with(root + "/web/") ? text.substr(root.size() + 5) : text;
  }

  std::string root;
};

class ChooseRoot : public ::testing::Environment {
 public:
  void SetUp() override {
    ::setenv("VSERVER_CONFDIR", ("/tmp/vs-guest-config." + std::to_string(::getpid())).c_str(), 1);
  }
};
[[maybe_unused]] auto* const kRoot = ::testing::AddGlobalTestEnvironment(new ChooseRoot);

TEST_F(GuestConfigTest, AnEmptyTreeHasDefaults) {
  auto const config = load_config("web");
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_EQ(config->nodename, "web");
  EXPECT_EQ(config->vdir, "/tmp");
  EXPECT_EQ(config->style->name, "sysv");
  EXPECT_TRUE(config->init.empty());
  EXPECT_EQ(config->capabilities, default_capabilities(true));
  EXPECT_EQ(config->stop_timeout_s, 30);
  EXPECT_EQ(config->environment.size(), 1U);
  EXPECT_TRUE(config->warnings.empty());
  EXPECT_TRUE(config->not_applied.empty());
  EXPECT_EQ(load_config("nobody").error().code(), Errc::NotFound);
  EXPECT_EQ(load_config("../web").error().code(), Errc::Usage);
}

TEST_F(GuestConfigTest, AWrongValueNamesFileAndLine) {
  struct Case {
    const char* path;
    const char* text;
    const char* message;
  };
  for (auto const& c : {
           Case{"context", "nonsense\n", "context:1: 'nonsense' is not a context id (2..65534)"},
           Case{"userns", "maybe\n", "userns:1: 'maybe' is neither on nor off"},
           Case{"nice", "99\n", "nice:1: 99 is not between -20 and 19"},
           Case{"nice", "low\n", "nice:1: 'low' is not a number"},
           Case{"apps/vshelper/sync-timeout", "-1\n",
                "apps/vshelper/sync-timeout:1: -1 is not between 0 and 3600"},
           Case{"apps/init/environment", "A=1\n\nB\n",
                "apps/init/environment:3: 'B' is not of the form VARIABLE=VALUE"},
           Case{"net/mode", "bridge\n",
                "net/mode:1: 'bridge' is not a network mode: shared, private or host"},
           Case{"ulimits/core.soft", "1kX\n", "ulimits/core.soft:1: '1kX' is not a limit"},
           Case{"rlimits/nproc", "many\n", "rlimits/nproc:1: 'many' is not a limit"},
           Case{"uts/nodename", "a\nb\n", "uts/nodename: a host name has one line"},
       }) {
    put(std::string{"web/"} + c.path, c.text);
    EXPECT_EQ(refusal(), c.message);
    std::filesystem::remove(root + "/web/" + c.path);
  }
  put("web/bcapabilities", "# mine\nsyslog\nfly\n");
  EXPECT_TRUE(refusal().starts_with("bcapabilities:3: ")) << refusal();
}

TEST_F(GuestConfigTest, InterfacesInheritAndAreChecked) {
  put("web/interfaces/dev", "eth0\n");
  put("web/interfaces/prefix", "24\n");
  put("web/interfaces/1/ip", "10.0.0.2\n");
  put("web/interfaces/0/ip", "10.0.0.1\n");
  put("web/interfaces/0/prefix", "16\n");
  put("web/interfaces/2/disabled", "");
  put("web/interfaces/3/ip", "10.0.0.3\n");
  put("web/interfaces/3/only_ip", "");
  auto const config = load_config("web");
  ASSERT_TRUE(config) << config.error().message();
  ASSERT_EQ(config->interfaces.size(), 3U);
  EXPECT_EQ(config->interfaces[0].ip, "10.0.0.1");
  EXPECT_EQ(config->interfaces[0].prefix, "16");
  EXPECT_EQ(config->interfaces[1].prefix, "24");
  EXPECT_EQ(config->interfaces[1].dev, "eth0");
  EXPECT_TRUE(config->interfaces[2].nodev);
  ASSERT_EQ(config->outdated.size(), 1U);
  EXPECT_EQ(config->outdated[0], root + "/web/interfaces/3/only_ip: deprecated: use nodev");
  put("web/interfaces/prefix", "33\n");
  EXPECT_TRUE(refusal().starts_with("interfaces/prefix:1: ")) << refusal();
  put("web/interfaces/prefix", "24\n");
  put("web/interfaces/3/ip", "10.0.0.300\n");
  EXPECT_TRUE(refusal().starts_with("interfaces/3/ip:1: ")) << refusal();
  std::filesystem::remove(root + "/web/interfaces/3/ip");
  EXPECT_EQ(refusal(), "interfaces/3/ip: an interface needs an address");
}

TEST_F(GuestConfigTest, WhatTheGuestDoesNotSayTheDefaultsSay) {
  put(".defaults/apps/init/environment", "A=1\n");
  put(".defaults/apps/vshelper/sync-timeout", "7\n");
  put(".defaults/shell", "/bin/zsh -l\n");
  put(".defaults/nonamespace", "");
  auto config = load_config("web");
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_EQ(config->environment, std::vector<std::string>{"A=1"});
  EXPECT_EQ(config->stop_timeout_s, 7);
  EXPECT_EQ(config->shell, (std::vector<std::string>{"/bin/zsh", "-l"}));
  EXPECT_EQ(config->not_applied, std::vector<std::string>{".defaults/nonamespace"});
  put("web/apps/init/environment", "B=2\n");
  put("web/apps/vshelper/sync-timeout", "8\n");
  put("web/shell", "/bin/sh\n");
  config = load_config("web");
  EXPECT_EQ(config->environment, std::vector<std::string>{"B=2"});
  EXPECT_EQ(config->stop_timeout_s, 8);
  EXPECT_EQ(config->shell, std::vector<std::string>{"/bin/sh"});
}

TEST_F(GuestConfigTest, Limits) {
  put("web/ulimits/core", "0\n");
  put("web/ulimits/nofile.soft", "2M\n");
  put("web/ulimits/stack.hard", "1k\n");
  put("web/rlimits/nproc", "50\n");
  put("web/rlimits/rss.hard", "1000\n");
  put("web/rlimits/as", "1000\n");
  auto const config = load_config("web");
  ASSERT_TRUE(config) << config.error().message();
  auto const limit = [&](int id) {
    return *std::find_if(config->limits.begin(), config->limits.end(),
                         [id](const LimitEntry& one) { return one.resource == id; });
  };
  EXPECT_EQ(limit(RLIMIT_CORE).hard, 0U);
  EXPECT_EQ(limit(RLIMIT_NOFILE).soft, 1'048'576U);
  EXPECT_EQ(limit(RLIMIT_STACK).soft, 1000U);
  rlimit now{};
  ::getrlimit(RLIMIT_DATA, &now);
  EXPECT_EQ(limit(RLIMIT_DATA).soft, now.rlim_cur);
  EXPECT_EQ(limit(RLIMIT_DATA).hard, RLIM_INFINITY);
  auto const whole = [&](const char* name) {
    return std::find_if(config->whole.limits.begin(), config->whole.limits.end(),
                        [name](const LimitSetting& one) { return one.resource->name == name; })
        ->value;
  };
  auto const page = static_cast<unsigned>(::sysconf(_SC_PAGESIZE));
  EXPECT_EQ(whole("nproc"), 50U);
  EXPECT_EQ(whole("rss"), 1000U * page);
  EXPECT_EQ(whole("as"), 1000U * page);
  EXPECT_EQ(config->not_applied, std::vector<std::string>{});
}

// A start reads the tree; it must not be felt in it.
TEST_F(GuestConfigTest, ATypicalTreeIsReadFast) {
  put("web/name", "web\n");
  put("web/context", "30000\n");
  put("web/apps/init/style", "plain\n");
  put("web/apps/init/mark", "default\n");
  put("web/apps/pkgmgmt/internal", "");
  put("web/fstab", "none /tmp tmpfs size=16m,mode=1777 0 0\n");
  put("web/uts/nodename", "web.example.org\n");
  put("web/interfaces/dev", "eth0\n");
  put("web/interfaces/0/ip", "10.0.0.2\n");
  put("web/interfaces/0/prefix", "24\n");
  put("web/interfaces/1/ip", "2001:db8::2\n");
  put("web/interfaces/1/prefix", "64\n");
  put("web/bcapabilities", "NET_RAW\n");
  put("web/cflags", "VIRT_MEM\n");
  put("web/rlimits/nproc", "500\n");
  put("web/rlimits/rss", "100000\n");
  put("web/ulimits/nofile", "4096\n");
  put(".defaults/apps/init/environment", "PATH=/bin\n");
  put(".defaults/context.next", "40001\n");
  constexpr int kRounds = 200;
  // Processor time: other jobs on the machine do not count.
  std::clock_t const start = std::clock();
  for (int i = 0; i < kRounds; ++i)
    ASSERT_TRUE(load_config("web"));
  auto const each = (std::clock() - start) / (CLOCKS_PER_SEC / 1'000'000) / kRounds;
  RecordProperty("microseconds", static_cast<int>(each));
  std::printf("a tree is read in %d us\n", static_cast<int>(each));
  EXPECT_LT(each, 5000);  // slow builds; a stat storm would be far above
}

}  // namespace
}  // namespace vs
