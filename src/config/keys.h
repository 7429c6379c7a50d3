// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace vs {

// How an entry of a configuration tree is read.
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

// What becomes of an entry.
enum class Use : std::uint8_t {
  Applied,    // takes effect when the guest is started, stopped or entered
  NotYet,     // kept and reported: its feature is not built yet
  Elsewhere,  // of other commands (build, unification): a start has nothing to apply
};

// One entry that a tree may have.
struct Key {
  std::string_view path;  // below the tree's directory; '*' matches the rest of one component
  Kind kind;
  std::string_view unit;      // empty: none
  std::string_view fallback;  // what holds without the entry; empty: nothing
  std::string_view help;
  Use use;
};

// The keys that share their first component, by position.
struct KeyGroup {
  std::string_view name;
  std::size_t begin = 0;
  std::size_t end = 0;
};

// All entries of one kind of tree. A path is "interfaces/0/ip".
class KeyTable {
 public:
  constexpr KeyTable(std::span<const Key> keys, std::span<const KeyGroup> groups)
      : keys_{keys}, groups_{groups} {}

  [[nodiscard]] std::span<const Key> keys() const noexcept { return keys_; }
  // The entry for a path, or null.
  [[nodiscard]] const Key* find(std::string_view path) const;
  // True when entries may lie below this directory. The tree's directory itself is "".
  [[nodiscard]] bool is_directory(std::string_view path) const;
  // The known path nearest to an unknown one, if it is near enough to be a slip of the finger.
  [[nodiscard]] std::optional<std::string> nearest(std::string_view path) const;

 private:
  [[nodiscard]] std::span<const Key> group_of(std::string_view path) const;

  std::span<const Key> keys_;
  std::span<const KeyGroup> groups_;
};

// CONF/NAME.
const KeyTable& guest_keys();
// CONF/.defaults: what holds for guests that say nothing themselves.
const KeyTable& default_keys();

// The feature that an entry waits for, of those with Use::NotYet: "kernel helper", ...
std::string_view feature_of(std::string_view path);

// "scalar", "list", ...: for messages and listings.
std::string_view kind_name(Kind kind);

// For the tables, at compile time.
constexpr std::string_view first_component(std::string_view path) {
  return path.substr(0, path.find('/'));
}

// True when the first components are in order and every entry explains itself.
constexpr bool is_key_table(std::span<const Key> keys) {
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (keys[i].path.empty() || keys[i].help.empty()) return false;
    if (i > 0 && first_component(keys[i].path) < first_component(keys[i - 1].path)) return false;
  }
  return true;
}

constexpr std::size_t count_key_groups(std::span<const Key> keys) {
  std::size_t n = 0;
  for (std::size_t i = 0; i < keys.size(); ++i)
    n += i == 0 || first_component(keys[i].path) != first_component(keys[i - 1].path) ? 1 : 0;
  return n;
}

template <std::size_t N>
constexpr std::array<KeyGroup, N> key_groups(std::span<const Key> keys) {
  std::array<KeyGroup, N> groups{};
  std::size_t n = 0;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    auto const name = first_component(keys[i].path);
    if (n == 0 || groups[n - 1].name != name) groups[n++] = KeyGroup{name, i, i};
    groups[n - 1].end = i + 1;
  }
  return groups;
}

}  // namespace vs
