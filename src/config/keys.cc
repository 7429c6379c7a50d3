// SPDX-License-Identifier: GPL-2.0-or-later
#include "config/keys.h"

#include <algorithm>
#include <array>
#include <vector>

#include "base/text.h"

namespace vs {

namespace {

bool matches_part(std::string_view pattern, std::string_view part) {
  if (!pattern.ends_with('*')) return pattern == part;
  pattern.remove_suffix(1);
  return part.size() > pattern.size() && part.starts_with(pattern);
}

// How many components match, from the first on.
std::size_t matching_parts(std::string_view pattern, std::string_view path) {
  for (std::size_t n = 0;; ++n) {
    auto const pattern_end = std::min(pattern.find('/'), pattern.size());
    auto const path_end = std::min(path.find('/'), path.size());
    if (!matches_part(pattern.substr(0, pattern_end), path.substr(0, path_end))) return n;
    if (pattern_end == pattern.size() || path_end == path.size()) return n + 1;
    pattern.remove_prefix(pattern_end + 1);
    path.remove_prefix(path_end + 1);
  }
}

std::size_t count_parts(std::string_view path) {
  return static_cast<std::size_t>(std::count(path.begin(), path.end(), '/')) + 1;
}

}  // namespace

std::span<const Key> KeyTable::group_of(std::string_view path) const {
  auto const name = first_component(path);
  auto const at = std::lower_bound(
      groups_.begin(), groups_.end(), name,
      [](const KeyGroup& group, std::string_view wanted) { return group.name < wanted; });
  if (at == groups_.end() || at->name != name) return {};
  return keys_.subspan(at->begin, at->end - at->begin);
}

const Key* KeyTable::find(std::string_view path) const {
  auto const parts = count_parts(path);
  for (auto const& key : group_of(path)) {
    if (count_parts(key.path) == parts && matching_parts(key.path, path) == parts) return &key;
  }
  return nullptr;
}

bool KeyTable::is_directory(std::string_view path) const {
  if (path.empty()) return true;
  auto const parts = count_parts(path);
  auto const group = group_of(path);
  return std::any_of(group.begin(), group.end(), [&](const Key& key) {
    return count_parts(key.path) > parts && matching_parts(key.path, path) == parts;
  });
}

std::optional<std::string> KeyTable::nearest(std::string_view path) const {
  auto const parts = split(path, '/');
  std::size_t known = 0;  // components before the one that no pattern has
  for (auto const& key : keys_)
    known = std::max(known, matching_parts(key.path, path));
  if (known >= parts.size()) return std::nullopt;
  std::vector<std::string_view> names;
  for (auto const& key : keys_) {
    auto const patterns = split(key.path, '/');
    if (patterns.size() <= known || matching_parts(key.path, path) < known) continue;
    if (!patterns[known].ends_with('*')) names.push_back(patterns[known]);
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  auto const near = vs::nearest(parts[known], names);
  if (!near) return std::nullopt;
  std::string out;
  for (std::size_t i = 0; i < known; ++i)
    out.append(parts[i]).append("/");
  return out.append(*near);
}

std::string_view feature_of(std::string_view path) {
  struct Row {
    std::string_view start, feature;
  };
  constexpr auto kRows = std::to_array<Row>({
      {"apps/init/mtab", "mount table inside"},
      {"apps/init/tty", "terminal of init"},
      {"apps/init/", "synchronised start and stop"},
      {"apps/pkgmgmt", "package management from outside"},
      {"apps/vdevmap", "device maps"},
      {"apps/vlogin", "entering"},
      {"apps/vprocunhide", "hiding entries of /proc"},
      {"apps/vshelper", "kernel helper"},
      {"apps/vunify", "unification"},
      {"cache", "unification"},
      {"capabilities", "none: Linux 2.4 only"},
      {"cgroup/name", "control groups of other names"},
      {"cpuset/", "sets of processors"},
      {"dlimits/", "disk limits"},
      {"domainname", "none: use uts/domainname"},
      {"files/", "kernel helper"},
      {"fstab", "mounts"},
      {"hostname", "none: use uts/nodename"},
      {"init/mtab", "mount table inside"},
      {"interfaces/", "network devices of a guest"},
      {"ionice/", "I/O priorities"},
      {"keepfds", "inherited descriptors"},
      {"legacy", "start-vservers"},
      {"namespace", "name spaces by hand"},
      {"ncontext", "network contexts"},
      {"netns/", "network devices of a guest"},
      {"nonamespace", "name spaces by hand"},
      {"noisy", "messages of context tools"},
      {"noncontext", "network contexts"},
      {"nonetns", "network devices of a guest"},
      {"personality", "personalities"},
      {"sched/", "token bucket per processor"},
      {"spaces/", "name spaces by hand"},
      {"sysctl/", "kernel settings of a guest"},
      {"tag", "file tagging"},
      {"umask", "name spaces by hand"},
      {"uts/", "virtual names"},
  });
  auto const row = std::find_if(kRows.begin(), kRows.end(),
                                [&](const Row& one) { return path.starts_with(one.start); });
  return row == kRows.end() ? std::string_view{} : row->feature;
}

std::string_view kind_name(Kind kind) {
  switch (kind) {
    case Kind::Flag: return "flag";
    case Kind::Scalar: return "scalar";
    case Kind::Array: return "array";
    case Kind::List: return "list";
    case Kind::Raw: return "raw text";
    case Kind::Limit: return "limit";
    case Kind::Integer: return "integer";
    case Kind::Fstab: return "fstab";
    case Kind::Copy: return "copied file";
    case Kind::Link: return "link";
    case Kind::Directory: return "directory";
    case Kind::Executable: return "program";
  }
  return "unknown";
}

}  // namespace vs
