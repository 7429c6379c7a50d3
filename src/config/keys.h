// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace vs {

// How an entry of a guest's tree is read.
enum class Kind : std::uint8_t {
  Flag,        // only existence counts
  Scalar,      // first line
  Array,       // one element per line, no comments
  List,        // one element per line; blank lines and comments are skipped
  Raw,         // whole file
  Limit,       // number with a suffix, or inf
  Integer,     // number
  Fstab,       // fstab(5)
  Copy,        // copied as it is
  Link,        // symbolic link; its target is the value
  Directory,   // only its existence counts
  Executable,  // a program or script; never read
};

// One entry that a guest's tree may have.
struct Key {
  std::string_view path;  // below the guest's directory; '*' matches the rest of one component
  Kind kind;
  std::string_view unit;      // empty: none
  std::string_view fallback;  // what holds without the entry; empty: nothing
  std::string_view help;
  bool applied;  // false: kept, but the feature is not built yet
};

// All entries, more specific patterns first.
std::span<const Key> config_keys();

// The entry for a path such as "interfaces/0/ip", or null.
const Key* find_key(std::string_view path);

// True when entries may lie below this directory. The guest's directory itself is "".
bool is_key_directory(std::string_view path);

// The known path nearest to an unknown one, if it is near enough to be a slip of the finger.
std::optional<std::string> nearest_key(std::string_view path);

// "scalar", "list", ...: for messages and listings.
std::string_view kind_name(Kind kind);

}  // namespace vs
