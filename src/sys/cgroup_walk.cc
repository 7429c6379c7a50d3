// SPDX-License-Identifier: GPL-2.0-or-later
#include "sys/cgroup_walk.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <vector>

#include "sys/file.h"

namespace vs {

namespace {

Status remove_dir(const std::string& path) {
  if (::rmdir(path.c_str()) == 0 || errno == ENOENT) return {};
  return Error::system(errno, "rmdir {}", path);
}

}  // namespace

Result<std::vector<std::string>> child_cgroups(FdRef dir) {
  constexpr nlink_t kOwn = 2;
  struct stat st {};
  if (::fstat(dir.get(), &st) == 0 && st.st_nlink == kOwn) return std::vector<std::string>{};
  std::vector<std::string> out;
  for (auto& entry : VS_TRY(read_entries(dir))) {
    if (entry.type == DT_DIR) out.push_back(std::move(entry.name));
  }
  return out;
}

Status walk_cgroups(const std::string& path, const std::function<Status(FdRef dir)>& visit,
                    Walk how) {
  struct Level {
    std::string name;
    std::vector<std::string> children;
  };
  auto const gone = [](const Error& error) {
    return error.sys() == ENOENT || error.sys() == ENODEV;
  };
  auto top = open_path(path, O_RDONLY | O_DIRECTORY);
  if (!top) return gone(top.error()) ? Status{} : Status{std::move(top).error()};
  Fd at = std::move(*top);
  std::vector<Level> levels;
  levels.push_back({"", VS_TRY(child_cgroups(at))});
  VS_TRY(visit(at));
  for (;;) {
    if (auto& children = levels.back().children; !children.empty()) {
      std::string name = std::move(children.back());
      children.pop_back();
      auto below = open_at(at, name, O_RDONLY | O_DIRECTORY, Resolve::Beneath);
      if (!below && gone(below.error())) continue;
      at = VS_TRY(std::move(below));
      VS_TRY(visit(at));
      levels.push_back({std::move(name), VS_TRY(child_cgroups(at))});
      continue;
    }
    std::string const done = std::move(levels.back().name);
    levels.pop_back();
    if (levels.empty()) break;
    at = VS_TRY(open_at(at, "..", O_RDONLY | O_DIRECTORY, Resolve::Free));
    if (how == Walk::Remove && ::unlinkat(at.get(), done.c_str(), AT_REMOVEDIR) != 0 &&
        errno != ENOENT)
      return Error::system(errno, "rmdir a cgroup below {}", path);
  }
  return how == Walk::Remove ? remove_dir(path) : Status{};
}

Status remove_cgroup_tree(const std::string& path) {
  if (::rmdir(path.c_str()) == 0 || errno == ENOENT) return {};
  return walk_cgroups(
      path, [](FdRef) { return Status{}; }, Walk::Remove);
}

}  // namespace vs
