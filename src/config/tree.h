// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "config/keys.h"

namespace vs {

// Largest file accepted, in bytes.
inline constexpr std::size_t kMaxConfigFile = 1U << 20U;

// Where a value comes from.
struct Position {
  std::string file;  // absolute, or as the guest's directory was given
  int line = 0;      // 0: the file as a whole
};

// "FILE:LINE", or "FILE" without a line.
std::string to_string(const Position& position);

// A value as written, not yet checked.
struct Value {
  std::string path;  // "interfaces/0/ip"
  const Key* key = nullptr;
  std::string text;
  Position position;
};

// Errc::Config with "FILE:LINE: text".
Error wrong_value(const Value& value, std::string_view why);

// A guest's tree as syntax: what is written where, before any of it is checked.
class Tree {
 public:
  // An empty tree, as of a directory that is not there.
  Tree(std::string dir, const KeyTable& keys) : dir_{std::move(dir)}, keys_{&keys} {}

  std::vector<std::string> warnings;  // "FILE: text", in the order of the walk

  [[nodiscard]] const std::string& dir() const noexcept { return dir_; }
  // Paths of entries whose feature is not built yet, sorted.
  [[nodiscard]] std::vector<std::string> not_applied() const;
  // Whether there is such an entry.
  [[nodiscard]] bool flag(std::string_view path) const;
  // First line; nothing when there is no such entry. An empty file gives an empty text.
  [[nodiscard]] std::optional<Value> scalar(std::string_view path) const;
  // Elements with their lines; no such entry gives none.
  [[nodiscard]] std::vector<Value> list(std::string_view path) const;
  [[nodiscard]] std::vector<Value> array(std::string_view path) const;
  // The whole text, without newlines at its end.
  [[nodiscard]] std::optional<Value> raw(std::string_view path) const;
  // Target of a link such as vdir; the path itself when it is a real directory or file.
  [[nodiscard]] std::optional<Value> link(std::string_view path) const;

  // Checked first lines; nothing without the entry or when it is empty.
  [[nodiscard]] Result<std::optional<std::int64_t>> integer(std::string_view path) const;
  [[nodiscard]] Result<std::optional<std::uint64_t>> limit(std::string_view path) const;
  [[nodiscard]] Result<std::optional<bool>> on_off(std::string_view path) const;

  // Names of the directories directly below dir ("" is the guest's), sorted.
  [[nodiscard]] std::vector<std::string> children(std::string_view dir) const;
  // Puts an entry with this text, or takes one or a directory of them away, in memory only: how a
  // change would be read. Without a key for the path nothing is put.
  void put(const std::string& path, std::string text);
  void erase(std::string_view path);

  // All entries by path; text is the whole file.
  [[nodiscard]] const std::map<std::string, Value, std::less<>>& values() const noexcept {
    return values_;
  }

 private:
  friend class TreeWalk;
  [[nodiscard]] const Value* find(std::string_view path) const;

  std::string dir_;
  const KeyTable* keys_;
  std::map<std::string, Value, std::less<>> values_;
  std::vector<std::string> dirs_;  // sorted
};

// True for names that package managers and editors leave behind.
bool is_ignored_name(std::string_view name);

// Reads a guest's directory, or another one of the same form. Fails with Errc::NotFound when there
// is none, with Errc::Config naming the file when one is unreadable, too large or binary.
Result<Tree> read_tree(const std::string& dir, const KeyTable& keys = guest_keys());

}  // namespace vs
