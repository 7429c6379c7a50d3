// SPDX-License-Identifier: GPL-2.0-or-later
#include "build/draft.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/log.h"
#include "base/scope_exit.h"
#include "base/test_seam.h"
#include "build/remove.h"
#include "guest/paths.h"
#include "guest/stop.h"
#include "sys/file.h"

namespace vs {

namespace {

constexpr std::string_view kNew = ".new.";
constexpr std::string_view kDeleted = ".deleted.";
// In a draft: everything is complete, only the names are missing. Its text: what publish was told.
constexpr const char* kMark = "/.publish";

std::string parent_of(const std::string& path) {
  return path.substr(0, path.rfind('/'));
}

std::string last_of(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

bool there(const std::string& path) {
  struct stat st {};
  return ::lstat(path.c_str(), &st) == 0;
}

Status move_to(const std::string& from, const std::string& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return {};
  if (errno == EEXIST) return Error::make(Errc::Busy, "{} exists already", to);
  return Error::system(errno, "rename {} to {}", from, to);
}

Status clear_way(const std::string& path, bool force) {
  if (!there(path)) return {};
  if (!force) return Error::make(Errc::Busy, "{} exists already", path);
  std::string const aside = fmt::format("{}.~{}~", path, ::time(nullptr));
  VS_TRY(move_to(path, aside));
  warn("{} is now {}", path, aside);
  return {};
}

}  // namespace

Draft Draft::make(const std::string& name, const std::string& vdir) {
  auto const& conf = Paths::get().conf;
  return {name, vdir, fmt::format("{}/{}{}", parent_of(vdir), kNew, last_of(vdir)),
          fmt::format("{}/{}", conf, name), fmt::format("{}/{}{}", conf, kNew, name)};
}

Status publish(const Draft& d, bool force) {
  Fd const draft = VS_TRY(open_path(d.draft, O_RDONLY | O_DIRECTORY));
  VS_TRY(replace_file_at(draft, kMark + 1, force ? "force\n" : "\n", 0644, true));
  VS_TRY(test_seam("publish-tree"));
  bool const made = there(d.tree);
  if (made) {
    VS_TRY(clear_way(d.vdir, force));
    VS_TRY(move_to(d.tree, d.vdir));
  }
  ScopeExit take_back{[&]() noexcept {
    if (made && ::rename(d.vdir.c_str(), d.tree.c_str()) != 0)
      warn("rename {}: {}", d.vdir, ::strerrordesc_np(errno));
  }};
  VS_TRY(test_seam("publish-configuration"));
  VS_TRY(clear_way(d.conf, force));
  VS_TRY(move_to(d.draft, d.conf));
  take_back.release();
  ::unlinkat(draft.get(), kMark + 1, 0);
  return {};
}

Result<std::string> vdir_of(const std::string& conf) {
  return read_link_at(FdRef::cwd(), conf + "/vdir");
}

namespace {

Status finish_new(const std::string& name) {
  std::string const conf = fmt::format("{}/{}{}", Paths::get().conf, kNew, name);
  auto const vdir = vdir_of(conf);
  if (vdir) {
    auto const d = Draft::make(name, *vdir);
    auto const mark = read_file(conf + kMark);
    if (mark) {
      VS_TRY(publish(d, *mark == "force\n"));
      warn("guest '{}': finished an interrupted build", name);
      return {};
    }
    VS_TRY(remove_path(d.tree));
  }
  VS_TRY(remove_path(conf));
  warn("guest '{}': took away what an interrupted build left", name);
  return {};
}

Status finish_deleted(const std::string& name) {
  VS_TRY(remove_deleted(name, {}));
  warn("guest '{}': finished an interrupted delete", name);
  return {};
}

// Only with the guest's lock: whoever holds it is still at work.
Status finish(const std::string& entry, std::string_view prefix, bool& done) {
  std::string const name = entry.substr(prefix.size());
  auto run = RunDir::lock(name, 0);
  if (!run) return {};
  VS_TRY(clear_run(*run));
  VS_TRY(prefix == kNew ? finish_new(name) : finish_deleted(name));
  if (!there(fmt::format("{}/{}", Paths::get().conf, name))) run->forget();
  done = true;
  return {};
}

}  // namespace

bool sweep_leftovers(const std::string& name) {
  auto const dir = open_path(Paths::get().conf, O_RDONLY | O_DIRECTORY);
  if (!dir) return false;
  auto const names = list_dir(*dir);
  if (!names) return false;
  bool ours = false;
  for (auto const& entry : *names) {
    for (auto const prefix : {kNew, kDeleted}) {
      if (!entry.starts_with(prefix)) continue;
      bool done = false;
      if (auto swept = finish(entry, prefix, done); !swept)
        warn("{}/{}: {}", Paths::get().conf, entry, swept.error().message());
      ours = ours || (done && entry.substr(prefix.size()) == name);
    }
  }
  return ours;
}

}  // namespace vs
