// SPDX-License-Identifier: GPL-2.0-or-later
// A guest on its way: being made under ".new." names, or going under ".deleted." names. The
// configuration directory says where the tree is, so it comes first and goes last.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/result.h"
#include "build/build.h"
#include "guest/state.h"

namespace vs {

// The paths of a guest that is being made.
struct Draft {
  std::string name;
  std::string vdir;   // where its root directory will be
  std::string tree;   // where it is until then
  std::string conf;   // where its configuration will be
  std::string draft;  // where it is until then

  static Draft make(const std::string& name, const std::string& vdir);
};

// Removes a directory tree, if it is there. `on_removed` is called for each file that went.
Status remove_path(const std::string& path, const std::function<void()>& on_removed = {});

// Makes the guest appear: renames the tree, then the configuration. What is in the way is renamed
// to PATH.~EPOCH~ when the draft says "force", else Errc::Busy. Once the mark is set an interrupted
// publication is finished by the next command.
Status publish(const Draft& draft, bool force);

// The target of CONF/vdir, without following it further.
Result<std::string> vdir_of(const std::string& conf);

}  // namespace vs
