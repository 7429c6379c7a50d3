// SPDX-License-Identifier: GPL-2.0-or-later
#include "build/parts.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/text.h"
#include "guest/paths.h"
#include "sys/file.h"
#include "sys/idmap.h"

namespace vs {

std::string source_mount() {
  return Paths::get().run + "/source";
}

Result<WorkPlan> workshop(const Build& build) {
  WorkPlan plan;
  plan.root = run_path(build.run.name(), "workshop");
  VS_TRY(make_dirs(plan.root));
  Fd const root = VS_TRY(open_path(plan.root, O_RDONLY | O_DIRECTORY));
  // A place to mount the program at.
  VS_TRY(replace_file_at(root, "vserver", ""));
  plan.ops.push_back({"b", "/vserver", Paths::get().self, "r"});
  for (const char* dir : {"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"}) {
    struct stat st {};
    if (::lstat(dir, &st) != 0) continue;
    if (S_ISLNK(st.st_mode)) {
      plan.ops.push_back({"l", dir, VS_TRY(read_link_at(FdRef::cwd(), dir)), ""});
    } else if (S_ISDIR(st.st_mode)) {
      plan.ops.push_back({"d", dir, "755", ""});
      plan.ops.push_back({"b", dir, dir, "Rrs"});
    }
  }
  plan.ops.push_back({"d", "/guest", "755", ""});
  plan.ops.push_back({"b", "/guest", build.draft.tree, ""});
  return plan;
}

Status bind_source(const Build& build, const std::string& source, std::uint32_t base) {
  // Nothing is ever removed there: the mount shows another guest's files.
  std::string const at = source_mount();
  VS_TRY(make_dirs(at));
  // The mount is seen in this process and its children only, and ends with them.
  if (::unshare(CLONE_NEWNS) != 0 ||
      ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    return Error::system(errno, "take a mount namespace");
  Fd const directory = VS_TRY(open_path(source, O_PATH | O_DIRECTORY));
  Fd const map = VS_TRY(make_id_map(base, build.xid->base_id(), Xid::kIdCount));
  auto done = mount_with_owners(directory, map, at);
  if (!done && done.error().code() == Errc::Unsupported) {
    return std::move(done).error().hint(
        "the file system of the source cannot do that: pack it with tar and build by template");
  }
  return done;
}

namespace {

// tar does not always say why it wrote less than it had.
bool is_full(const std::string& tree) {
  struct statvfs fs {};
  if (::statvfs(tree.c_str(), &fs) != 0) return false;
  return std::uint64_t{fs.f_bavail} * fs.f_frsize < 65536 || (fs.f_files != 0 && fs.f_favail == 0);
}

}  // namespace

Error work_error(const Build& build, std::string_view what, const Ended& ended) {
  if (ended.says("No space left on device") || ended.says("Disk quota exceeded") ||
      is_full(build.draft.tree))
    return Error::system(ENOSPC, "{}: the file system of {} is full", what, build.draft.vdir);
  return Error::make(Errc::System, "{}: {}", what, ended.reason());
}

Status put_file(const Build& build, const std::string& path, const std::string& text, unsigned mode,
                bool keep) {
  auto const slash = path.rfind('/');
  Fd const root = VS_TRY(open_path(build.draft.tree, O_PATH | O_DIRECTORY));
  auto const dir = open_at(root, path.substr(0, slash), O_RDONLY | O_DIRECTORY, Resolve::InRoot);
  // A tree without such a directory does without the file, too.
  if (!dir) return keep ? Status{} : Status{dir.error()};
  std::string const name = path.substr(slash + 1);
  struct stat st {};
  if (keep && ::fstatat(dir->get(), name.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0 &&
      (st.st_size > 0 || !S_ISREG(st.st_mode)))
    return {};
  VS_TRY(replace_file_at(*dir, name, text, mode), "{}", path);
  auto const owner = build.xid->base_id();
  if (::fchownat(dir->get(), name.c_str(), owner, owner, AT_SYMLINK_NOFOLLOW) != 0)
    return Error::system(errno, "chown {}", path);
  return {};
}

Status make_another_machine(const Build& build) {
  Fd const root = VS_TRY(open_path(build.draft.tree, O_PATH | O_DIRECTORY));
  auto const etc = open_at(root, "etc", O_RDONLY | O_DIRECTORY, Resolve::InRoot);
  if (!etc) return {};
  // systemd would take the old id from here again; whoever needs these makes them anew.
  for (const char* file : {"var/lib/dbus/machine-id", "var/lib/systemd/random-seed"}) {
    std::string_view const path = file;
    auto const slash = path.rfind('/');
    auto const dir =
        open_at(root, std::string{path.substr(0, slash)}, O_RDONLY | O_DIRECTORY, Resolve::InRoot);
    struct stat st {};
    const char* name = file + slash + 1;
    if (!dir || ::fstatat(dir->get(), name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode))
      continue;
    if (::unlinkat(dir->get(), name, 0) != 0) return Error::system(errno, "unlink {}", file);
  }
  for (auto const& [name, text] :
       {std::pair{"machine-id", std::string{}}, std::pair{"hostname", build.draft.name + "\n"}}) {
    struct stat st {};
    if (::fstatat(etc->get(), name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode))
      continue;
    VS_TRY(put_file(build, fmt::format("etc/{}", name), text, st.st_mode & 07777U));
  }
  return {};
}

}  // namespace vs
