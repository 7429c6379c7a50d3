// SPDX-License-Identifier: GPL-2.0-or-later
#include "build/build.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/log.h"
#include "base/step.h"
#include "base/text.h"
#include "guest/config.h"
#include "guest/paths.h"
#include "guest/start.h"
#include "guest/state.h"
#include "sys/file.h"
#include "sys/process.h"

namespace vs {

namespace {

enum class Pass : std::uint8_t { Check, Change };

Status shift_one(FdRef dir, const std::string& name, const struct stat& st, std::uint32_t base,
                 Pass pass) {
  if (st.st_uid > 0xffff || st.st_gid > 0xffff)
    return Error::make(Errc::Config,
                       "'{}' belongs to {}:{}: owners above 65535 do not fit into a guest's ids",
                       name, st.st_uid, st.st_gid);
  if (pass == Pass::Check) return {};
  std::array<char, 64> caps{};
  std::string const path = fmt::format("/proc/self/fd/{}/{}", dir.get(), name);
  auto const length = S_ISREG(st.st_mode) ? ::lgetxattr(path.c_str(), "security.capability",
                                                        caps.data(), caps.size())
                                          : -1;
  if (::fchownat(dir.get(), name.c_str(), st.st_uid + base, st.st_gid + base,
                 AT_SYMLINK_NOFOLLOW) != 0)
    return Error::system(errno, "chown {}", name);
  // A change of owner clears set-id bits and file capabilities.
  if (S_ISREG(st.st_mode) && (st.st_mode & 06000U) != 0 &&
      ::fchmodat(dir.get(), name.c_str(), st.st_mode & 07777U, 0) != 0)
    return Error::system(errno, "chmod {}", name);
  if (length > 0 && ::lsetxattr(path.c_str(), "security.capability", caps.data(),
                                static_cast<std::size_t>(length), 0) != 0)
    return Error::system(errno, "capabilities of {}", name);
  return {};
}

Status shift_tree(FdRef dir, std::uint32_t base, Pass pass) {
  for (auto const& name : VS_TRY(list_dir(dir))) {
    struct stat st {};
    if (::fstatat(dir.get(), name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0)
      return Error::system(errno, "stat {}", name);
    // A file with several names is met several times: what is shifted already stays. The check
    // pass has shown that no plain owner looks so.
    if (pass == Pass::Change && st.st_uid >= base) continue;
    VS_TRY(shift_one(dir, name, st, base, pass));
    if (!S_ISDIR(st.st_mode)) continue;
    Fd const sub =
        VS_TRY(open_at(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, Resolve::Beneath));
    VS_TRY(shift_tree(sub, base, pass), "{}", name);
  }
  return {};
}

}  // namespace

Status shift_owners(const std::string& path, std::uint32_t base) {
  Fd const dir = VS_TRY(open_path(path, O_RDONLY | O_DIRECTORY));
  VS_TRY(shift_tree(dir, base, Pass::Check), "{}", path);
  VS_TRY(shift_tree(dir, base, Pass::Change), "{}", path);
  struct stat st {};
  if (::fstat(dir.get(), &st) != 0 || ::fchown(dir.get(), base, base) != 0)
    return Error::system(errno, "chown {}", path);
  return {};
}

namespace {

struct Build {
  const BuildRequest& request;
  std::string vdir;
  std::string conf;
  std::uint32_t xid = 0;
};

Status check_free(Build& b) {
  for (auto const& path : {b.vdir, b.conf}) {
    if (exists(path))
      return Error::make(Errc::Busy, "{} exists already", path)
          .hint("vserver GUEST delete removes a guest");
  }
  return {};
}

Status choose_context(Build& b) {
  // Held by the configuration from now on, which is written next.
  b.xid = VS_TRY(claim_xid(b.request.name, b.request.xid)).value();
  return {};
}

void forget_context(Build& b) noexcept {
  if (b.xid != 0) release_xid(b.xid);
}

void remove_path(const std::string& path) noexcept {
  auto const slash = path.rfind('/');
  auto const dir = open_path(path.substr(0, slash), O_RDONLY | O_DIRECTORY);
  if (!dir) return;
  if (auto done = remove_tree_at(*dir, path.substr(slash + 1)); !done)
    warn("remove {}: {}", path, done.error().message());
}

Status write_config(Build& b) {
  VS_TRY(make_dirs(b.conf));
  auto const& name = b.request.name;
  VS_TRY(write_entry(name, "name", name));
  VS_TRY(write_entry(name, "context", std::to_string(b.xid)));
  VS_TRY(write_entry(name, "apps/init/style", "plain"));
  VS_TRY(write_entry(name, "fstab", "none /tmp tmpfs mode=1777,nosuid,nodev 0 0"));
  for (auto const& [entry, text] : b.request.entries)
    VS_TRY(write_entry(name, entry, text));
  if (::symlink(b.vdir.c_str(), (b.conf + "/vdir").c_str()) != 0)
    return Error::system(errno, "link {}/vdir", b.conf);
  return {};
}

void drop_config(Build& b) noexcept {
  remove_path(b.conf);
}

Status make_skeleton(Build& b) {
  VS_TRY(make_dirs(Paths::get().vdirs, 0711));
  if (::mkdir(b.vdir.c_str(), 0755) != 0) return Error::system(errno, "mkdir {}", b.vdir);
  for (const char* dir :
       {"bin", "dev", "etc", "proc", "root", "run", "sbin", "sys", "tmp", "usr", "var"}) {
    if (b.request.method != "skeleton") break;
    std::string const path = fmt::format("{}/{}", b.vdir, dir);
    if (::mkdir(path.c_str(), 0755) != 0) return Error::system(errno, "mkdir {}", path);
  }
  return {};
}

void drop_tree(Build& b) noexcept {
  remove_path(b.vdir);
}

// Downloads and unpacks; no script of a package runs.
Status fetch_packages(Build& b) {
  if (b.request.method != "debootstrap") return {};
  std::vector<std::string> argv{"debootstrap", "--foreign", "--variant=minbase"};
  std::vector<std::string> packages = b.request.packages;
  if (!packages.empty()) argv.push_back("--include=" + join(packages, ","));
  argv.insert(argv.end(), b.request.extra.begin(), b.request.extra.end());
  argv.insert(argv.end(), {b.request.distribution, b.vdir, b.request.mirror});
  info("fetching {} from {}", b.request.distribution, b.request.mirror);
  int const status = VS_TRY(run_program(argv));
  if (status != 0) return Error::make(Errc::System, "debootstrap ended with status {}", status);
  return {};
}

Status write_file(Build& b, const std::string& dir, const std::string& name,
                  const std::string& text, unsigned mode) {
  Fd const root = VS_TRY(open_path(b.vdir, O_PATH | O_DIRECTORY));
  Fd const at = VS_TRY(open_at(root, dir, O_RDONLY | O_DIRECTORY, Resolve::InRoot));
  return replace_file_at(at, name, text, mode);
}

// debootstrap makes links of them when it believes to be in a container itself.
Status make_mount_points(Build& b) {
  Fd const root = VS_TRY(open_path(b.vdir, O_RDONLY | O_DIRECTORY));
  for (const char* name : {"proc", "sys", "dev"}) {
    struct stat st {};
    if (::fstatat(root.get(), name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode))
      ::unlinkat(root.get(), name, 0);
    if (::mkdirat(root.get(), name, 0755) != 0 && errno != EEXIST)
      return Error::system(errno, "mkdir {}", name);
  }
  return {};
}

Status prepare_tree(Build& b) {
  if (b.request.method == "debootstrap") {
    VS_TRY(make_mount_points(b));
    // The second stage mounts /proc and /sys and makes devices; here all are there already, for
    // good.
    for (const char* program : {"mknod", "mount", "umount"})
      VS_TRY(write_file(b, "debootstrap", program, "#!/bin/sh\nexit 0\n", 0755));
    VS_TRY(write_file(b, "etc", "hostname", b.request.name + "\n", 0644));
    VS_TRY(
        write_file(b, "etc", "hosts",
                   fmt::format("127.0.0.1 localhost\n127.0.1.1 {}\n::1 localhost ip6-localhost\n",
                               b.request.name),
                   0644));
    // No service starts while packages are set up.
    VS_TRY(write_file(b, "usr/sbin", "policy-rc.d", "#!/bin/sh\nexit 101\n", 0755));
    if (auto const resolv = read_file("/etc/resolv.conf"))
      VS_TRY(write_file(b, "etc", "resolv.conf", *resolv, 0644));
  }
  return shift_owners(b.vdir, b.xid << 16U);
}

Status set_up_packages(Build& b) {
  if (b.request.method != "debootstrap") return {};
  info("setting the packages up inside the guest");
  int const status = VS_TRY(run_guest(
      b.request.name,
      {"/usr/bin/env", "PATH=/debootstrap:/usr/sbin:/usr/bin:/sbin:/bin",
       "DEBIAN_FRONTEND=noninteractive", "/bin/sh", "/debootstrap/debootstrap", "--second-stage"}));
  if (status != 0)
    return Error::make(Errc::System, "the set-up inside the guest ended with status {}", status)
        .hint("its messages stand above; the log was /debootstrap/debootstrap.log");
  Fd const root = VS_TRY(open_path(b.vdir, O_PATH | O_DIRECTORY));
  Fd const sbin = VS_TRY(open_at(root, "usr/sbin", O_RDONLY | O_DIRECTORY, Resolve::InRoot));
  ::unlinkat(sbin.get(), "policy-rc.d", 0);
  return {};
}

constexpr std::array kBuildSteps{
    Step<Build>{"context", choose_context, forget_context},
    Step<Build>{"configuration", write_config, drop_config},
    Step<Build>{"skeleton", make_skeleton, drop_tree},
    Step<Build>{"packages", fetch_packages, nullptr},
    Step<Build>{"owners", prepare_tree, nullptr},
    Step<Build>{"set-up", set_up_packages, nullptr},
};

}  // namespace

Status build_guest(const BuildRequest& request) {
  VS_TRY(check_name(request.name));
  if (request.method != "debootstrap" && request.method != "skeleton")
    return Error::make(Errc::Usage, "build method '{}' is not known: debootstrap or skeleton",
                       request.method);
  if (request.method == "debootstrap" && request.distribution.empty())
    return Error::make(Errc::Usage, "debootstrap needs a distribution").hint("... -- -d bookworm");
  Build b{request, fmt::format("{}/{}", Paths::get().vdirs, request.name),
          fmt::format("{}/{}", Paths::get().conf, request.name), 0};
  // Outside the steps: what was there before this build is not ours to undo.
  VS_TRY(check_free(b), "build guest '{}'", request.name);
  VS_TRY(run_steps<Build>(kBuildSteps, b), "build guest '{}'", request.name);
  release_xid(b.xid);
  return {};
}

}  // namespace vs
