// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vs {

struct Column {
  std::string_view header;
  bool right_aligned = false;
};

// Rows of text in columns as wide as they need to be.
class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_{std::move(columns)} {}

  // Missing cells are empty; there must not be more cells than columns.
  void add_row(std::vector<std::string> cells);

  // Header and rows, each with its newline and without blanks at its end. Control characters in
  // cells become '?': names that come from guests must not steer the terminal.
  [[nodiscard]] std::string text() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

// Text as a JSON string, with its quotes; bytes that are not UTF-8 become U+FFFD.
std::string json_escape(std::string_view text);

class JsonArray;

// Builds one JSON object; names keep the order in which they were added.
class JsonObject {
 public:
  JsonObject();
  JsonObject(JsonObject&&) noexcept;
  JsonObject& operator=(JsonObject&&) noexcept;
  ~JsonObject();

  JsonObject& add(std::string_view name, std::string_view value);
  JsonObject& add(std::string_view name, const char* value);
  JsonObject& add(std::string_view name, const std::vector<std::string>& values);
  JsonObject& add(std::string_view name, double value);
  JsonObject& add(std::string_view name, JsonObject value);
  JsonObject& add(std::string_view name, JsonArray value);
  JsonObject& add_null(std::string_view name);

  JsonObject& add(std::string_view name, std::same_as<bool> auto value) {
    return add_bool(name, value);
  }
  template <std::integral T>
  requires(!std::same_as<T, bool>) JsonObject& add(std::string_view name, T value) {
    if constexpr (std::signed_integral<T>) {
      return add_signed(name, value);
    } else {
      return add_unsigned(name, value);
    }
  }

  // Indented by two blanks, without a newline at the end.
  [[nodiscard]] std::string text() const;

 private:
  friend class JsonArray;
  struct Node;
  JsonObject& add_bool(std::string_view name, bool value);
  JsonObject& add_signed(std::string_view name, std::int64_t value);
  JsonObject& add_unsigned(std::string_view name, std::uint64_t value);

  std::unique_ptr<Node> node_;
};

class JsonArray {
 public:
  JsonArray();
  JsonArray(JsonArray&&) noexcept;
  JsonArray& operator=(JsonArray&&) noexcept;
  ~JsonArray();

  JsonArray& add(JsonObject value);
  JsonArray& add(std::string_view value);

  [[nodiscard]] std::string text() const;

 private:
  friend class JsonObject;
  std::unique_ptr<JsonObject::Node> node_;
};

}  // namespace vs
