// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/edit.h"

#include <algorithm>

#include "base/log.h"
#include "config/tree.h"
#include "config/write.h"
#include "guest/config.h"
#include "guest/paths.h"
#include "guest/state.h"
#include "guest/sweep.h"
#include "sys/file.h"

namespace vs {

Status change_entry(const std::string& name, const std::string& path,
                    std::optional<std::string_view> text) {
  VS_TRY(check_name(name));
  std::string const dir = fmt::format("{}/{}", Paths::get().conf, name);
  if (!exists(dir + "/vdir"))
    return Error::make(Errc::NotFound, "guest '{}' does not exist (looked for {}/vdir)", name, dir);
  auto const lock = VS_TRY(RunDir::lock(name, 30));
  for (auto const& what : VS_TRY(sweep_changes(lock)))
    warn("guest '{}': {}", name, what);
  Tree const before = VS_TRY(read_tree(dir));
  Tree const defaults = VS_TRY(read_defaults());
  Tree after = before;
  if (text) {
    after.put(path, VS_TRY(entry_content(path, *text)));
  } else {
    after.erase(path);
  }
  // A guest that is wrong already can be mended one entry at a time.
  auto const old_faults = find_faults(name, before, defaults);
  for (auto const& fault : find_faults(name, after, defaults)) {
    if (std::find(old_faults.begin(), old_faults.end(), fault) == old_faults.end())
      return Error::make(Errc::Config, "nothing is changed: {}", fault);
  }
  return text ? set_entry(dir, path, *text) : unset_entry(dir, path);
}

}  // namespace vs
