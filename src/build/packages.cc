// SPDX-License-Identifier: GPL-2.0-or-later
// Debian systems. Packages are fetched and unpacked on the host by debootstrap or mmdebstrap; their
// scripts run inside the guest's context only.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/log.h"
#include "base/test_seam.h"
#include "base/text.h"
#include "build/parts.h"
#include "build/shift.h"
#include "guest/paths.h"
#include "sys/file.h"
#include "sys/process.h"

namespace vs {

namespace {

constexpr const char* kMirror = "http://deb.debian.org/debian";

// An option of the distribution, of the admin's defaults, or the usual.
std::string mirror_of(const BuildRequest& request) {
  if (!request.mirror.empty()) return request.mirror;
  auto const& conf = Paths::get().conf;
  for (auto const& file :
       {fmt::format("{}/.distributions/{}/debootstrap.mirror", conf, request.distribution),
        conf + "/.defaults/apps/debootstrap/mirror"}) {
    auto const text = read_file(file);
    if (text && !trim(*text).empty()) return std::string{trim(first_line(*text))};
  }
  return kMirror;
}

bool use_mmdebstrap(const BuildRequest& request) {
  if (!request.tool.empty()) return request.tool == "mmdebstrap";
  // Scripts and options of debootstrap mean nothing to the other.
  return request.script.empty() && request.extra.empty() && find_program("mmdebstrap").has_value();
}

// ---- fetching: on the host, nothing of a package runs -------------------------------------------

std::vector<std::string> debootstrap_arguments(const Build& b) {
  auto const& request = b.request;
  std::vector<std::string> argv{"debootstrap", "--foreign"};
  bool const variant =
      std::any_of(request.extra.begin(), request.extra.end(),
                  [](auto const& option) { return option.starts_with("--variant"); });
  if (!variant) argv.emplace_back("--variant=minbase");
  if (!request.packages.empty()) argv.push_back("--include=" + join(request.packages, ","));
  argv.insert(argv.end(), request.extra.begin(), request.extra.end());
  argv.insert(argv.end(), {request.distribution, b.draft.tree, mirror_of(request)});
  if (!request.script.empty()) argv.push_back(request.script);
  return argv;
}

std::vector<std::string> mmdebstrap_arguments(const Build& b) {
  std::vector<std::string> argv{
      "mmdebstrap", "--mode=root", "--variant=extract", "--format=directory",
      "--include=?essential", "--include=apt", "--skip=cleanup/apt,output/dev,output/mknod",
      // Before base-files brought the links itself (trixie), they had to be made first.
      "--hook-dir=/usr/share/mmdebstrap/hooks/maybe-merged-usr"};
  for (auto const& package : b.request.packages)
    argv.push_back("--include=" + package);
  argv.insert(argv.end(), b.request.extra.begin(), b.request.extra.end());
  argv.insert(argv.end(), {b.request.distribution, b.draft.tree, mirror_of(b.request)});
  return argv;
}

// "I: Retrieving zlib1g 1:1.2.13" of debootstrap, "I: extracting archives..." of mmdebstrap.
struct FetchView {
  Build& build;
  std::string stage = "fetching package lists";
  std::uint64_t done = 0;

  void line(std::string_view text) {
    if (!text.starts_with("I: ")) return;
    text.remove_prefix(3);
    auto const words = split_words(text);
    if (words.size() < 2) return;
    auto const verb = to_lower(words[0]);
    std::string_view now;
    if (verb == "retrieving" || verb == "downloading") now = "downloading packages";
    if (verb == "extracting") now = "unpacking packages";
    if (now.empty()) return;
    if (now != stage) done = 0;
    stage = now;
    build.advance({stage, ++done, {}, words[1]});
  }
};

// Packages that mmdebstrap has downloaded so far; it does not say.
std::uint64_t count_archives(const Build& b) {
  auto const dir = open_path(b.draft.tree + "/var/cache/apt/archives", O_RDONLY | O_DIRECTORY);
  if (!dir) return 0;
  auto const names = list_dir(*dir);
  return names ? names->size() : 0;
}

Error fetch_error(const Build& b, const std::string& tool, const Ended& ended) {
  auto error = work_error(b, tool, ended);
  if (ended.says("404") || ended.says("Release") || ended.says("InRelease")) {
    return std::move(error).hint(
        fmt::format("is '{}' a distribution of {}?", b.request.distribution, mirror_of(b.request)));
  }
  return error;
}

Status fetch(Build& b, bool mmdebstrap) {
  auto const argv = mmdebstrap ? mmdebstrap_arguments(b) : debootstrap_arguments(b);
  // They work with the host's ids, and not all of them set the owner of the root itself.
  if (::chown(b.draft.tree.c_str(), 0, 0) != 0)
    return Error::system(errno, "chown {}", b.draft.tree);
  info("{}: fetching {} from {}", argv[0], b.request.distribution, mirror_of(b.request));
  FetchView view{b};
  auto const tick = [&]() -> Status {
    auto const n = mmdebstrap ? count_archives(b) : view.done;
    b.advance({view.stage, n, {}, n != 0 ? fmt::format("{} packages", n) : std::string{}});
    return {};
  };
  // Its temporary files go with the draft.
  std::string const temporary = b.draft.draft + "/.tmp";
  VS_TRY(make_dirs(temporary, 0700));
  auto const ended = VS_TRY(run_tool(argv, {[&](std::string_view line) { view.line(line); }, tick},
                                     -1, {"TMPDIR=" + temporary}));
  VS_TRY(remove_path(temporary));
  if (ended.status != 0) return fetch_error(b, argv[0], ended);
  return {};
}

// ---- the tree before its first program ----------------------------------------------------------

// debootstrap makes links of them when it believes to be in a container itself, and nodes in /dev.
Status make_mount_points(Build& b) {
  VS_TRY(remove_path(b.draft.tree + "/dev"));
  Fd const root = VS_TRY(open_path(b.draft.tree, O_RDONLY | O_DIRECTORY));
  for (const char* name : {"proc", "sys", "dev"}) {
    struct stat st {};
    if (::fstatat(root.get(), name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode))
      ::unlinkat(root.get(), name, 0);
    if (::mkdirat(root.get(), name, 0755) != 0 && errno != EEXIST)
      return Error::system(errno, "mkdir {}", name);
  }
  return {};
}

Status prepare(Build& b, bool mmdebstrap) {
  VS_TRY(make_mount_points(b));
  b.advance({"giving the files to the guest", 0, {}, ""});
  VS_TRY(shift_owners(b.draft.tree, b.xid->base_id()));
  // debootstrap's second stage mounts /proc and /sys and makes devices; here all are there already.
  for (const char* program : {"mknod", "mount", "umount"}) {
    if (!mmdebstrap)
      VS_TRY(put_file(b, fmt::format("debootstrap/{}", program), "#!/bin/sh\nexit 0\n", 0755));
  }
  VS_TRY(put_file(b, "etc/hostname", b.draft.name + "\n"));
  VS_TRY(put_file(b, "etc/hosts",
                  fmt::format("127.0.0.1 localhost\n127.0.1.1 {}\n::1 localhost ip6-localhost\n",
                              b.draft.name)));
  // No service starts while packages are set up.
  return put_file(b, "usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", 0755);
}

// ---- setting up: inside the guest ---------------------------------------------------------------

// First the essential packages and what they need, which depend on each other in circles and count
// on nothing but being unpacked, then apt for the rest, in its own order. All from the cache.
constexpr std::string_view kSetUp = R"sh(set -e
apt="apt-get -y -qq --no-install-recommends --no-download -o APT::Sandbox::User=root -o Dpkg::Use-Pty=0"
exec 3>&1  # for progress: dpkg closes its descriptor in what it starts
cd /var/cache/apt/archives
first=
for name in $($apt -s install '?essential' | sed -n 's/^Inst \([^ ]*\).*/\1/p'); do
  first="$first $(ls "${name%:*}"_*.deb)"
done
dpkg --force-depends --force-unsafe-io --status-fd 3 --install $first
$apt -o Dpkg::Options::=--force-unsafe-io -o APT::Status-Fd=3 install apt "$@"
apt-get clean
rm -rf /var/lib/apt/lists/* /var/log/apt/* /var/log/dpkg.log /var/log/alternatives.log
)sh";

// dpkg: "processing: configure: libc6:amd64"; apt: "pmstatus:nginx:80.5:Installing nginx (amd64)";
// debootstrap: "I: Configuring libc6:amd64...".
struct SetUpView {
  Build& build;
  std::uint64_t packages;  // how many there are; 0: not known
  std::uint64_t steps = 0;

  void line(std::string_view text) {
    auto const words = split_words(text);
    bool const dpkg = words.size() >= 3 && words[0] == "processing:" &&
                      (words[1] == "install:" || words[1] == "configure:");
    bool const debootstrap = words.size() == 3 && words[0] == "I:" &&
                             (words[1] == "Unpacking" || words[1] == "Configuring");
    std::string_view package;
    if (dpkg || debootstrap) package = words[2];
    if (text.starts_with("pmstatus:")) {
      auto const parts = split(text, ':');
      if (parts.size() >= 3) package = parts[1];
    }
    if (package.empty()) return;
    ++steps;
    // Each package is unpacked and configured; apt tells more often.
    build.advance({"setting packages up", std::min(steps, packages * 3),
                   packages != 0 ? std::optional{packages * 3} : std::nullopt, package});
  }
};

std::uint64_t debootstrap_packages(const Build& b) {
  std::uint64_t n = 0;
  for (const char* file : {"required", "base"}) {
    auto const text = read_file(fmt::format("{}/debootstrap/{}", b.draft.tree, file));
    if (text) n += split_words(*text).size();
  }
  return n;
}

Status set_up(Build& b, bool mmdebstrap) {
  WorkPlan plan;
  plan.root = b.draft.tree;
  plan.envp = {"DEBIAN_FRONTEND=noninteractive", "DEBCONF_NONINTERACTIVE_SEEN=true"};
  if (mmdebstrap) {
    plan.argv = {"/bin/sh", "-c", std::string{kSetUp}, "set-up"};
    plan.argv.insert(plan.argv.end(), b.request.packages.begin(), b.request.packages.end());
  } else {
    plan.argv = {"/usr/bin/env", "PATH=/debootstrap:/usr/sbin:/usr/bin:/sbin:/bin", "/bin/sh",
                 "/debootstrap/debootstrap", "--second-stage"};
  }
  SetUpView view{b, mmdebstrap ? count_archives(b) : debootstrap_packages(b)};
  info("setting the packages up inside the guest");
  auto const ended = VS_TRY(run_work(b.run, *b.xid, std::move(plan),
                                     {[&](std::string_view line) { view.line(line); }, {}}));
  if (ended.status != 0)
    return work_error(b, "set the packages up", ended).hint("run again with -vv to see all of it");
  Fd const root = VS_TRY(open_path(b.draft.tree, O_PATH | O_DIRECTORY));
  Fd const sbin = VS_TRY(open_at(root, "usr/sbin", O_RDONLY | O_DIRECTORY, Resolve::InRoot));
  ::unlinkat(sbin.get(), "policy-rc.d", 0);
  return {};
}

}  // namespace

Status check_packages(const BuildRequest& request) {
  if (request.distribution.empty())
    return Error::make(Errc::Usage, "debootstrap needs a distribution").hint("... -- -d bookworm");
  if (!request.tool.empty() && request.tool != "debootstrap" && request.tool != "mmdebstrap")
    return Error::make(Errc::Usage, "'{}' is neither debootstrap nor mmdebstrap", request.tool);
  auto const found = find_program(use_mmdebstrap(request) ? "mmdebstrap" : "debootstrap");
  if (!found) return Error{found.error()}.hint("apt-get install mmdebstrap, or debootstrap");
  return {};
}

Status fill_from_packages(Build& b) {
  bool const mmdebstrap = use_mmdebstrap(b.request);
  VS_TRY(fetch(b, mmdebstrap));
  VS_TRY(test_seam("owners"));
  VS_TRY(prepare(b, mmdebstrap));
  VS_TRY(test_seam("set-up"));
  return set_up(b, mmdebstrap);
}

}  // namespace vs
