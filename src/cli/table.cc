// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/table.h"

#ifndef JSON_NOEXCEPTION
#define JSON_NOEXCEPTION
#endif
#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/text.h"

namespace vs {
namespace {

using Json = nlohmann::ordered_json;

std::string dump(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

// Code points: bytes that do not continue one.
std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U;
  }));
}

}  // namespace

struct JsonObject::Node {
  Json json;
};

void Table::add_row(std::vector<std::string> cells) {
  VS_CHECK(cells.size() <= columns_.size());
  cells.resize(columns_.size());
  for (std::string& cell : cells)
    cell = printable(cell);
  rows_.push_back(std::move(cells));
}

std::string Table::text() const {
  std::vector<std::string> headers;
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    headers.emplace_back(columns_[i].header);
    std::size_t width = width_of(headers.back());
    for (const auto& row : rows_)
      width = std::max(width, width_of(row[i]));
    widths.push_back(width);
  }
  std::string out;
  const auto append = [&](const std::vector<std::string>& row) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string padding(widths[i] - width_of(row[i]), ' ');
      if (i > 0) line += "  ";
      line += columns_[i].right_aligned ? padding + row[i] : row[i] + padding;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + '\n';
  };
  append(headers);
  for (const auto& row : rows_)
    append(row);
  return out;
}

std::string json_escape(std::string_view text) {
  return dump(Json(text), -1);
}

JsonObject::JsonObject() : node_{std::make_unique<Node>(Node{Json::object()})} {}
JsonObject::JsonObject(JsonObject&&) noexcept = default;
JsonObject& JsonObject::operator=(JsonObject&&) noexcept = default;
JsonObject::~JsonObject() = default;

JsonObject& JsonObject::add(std::string_view name, std::string_view value) {
  node_->json[std::string{name}] = value;
  return *this;
}

JsonObject& JsonObject::add(std::string_view name, const char* value) {
  return add(name, std::string_view{value});
}

JsonObject& JsonObject::add(std::string_view name, const std::vector<std::string>& values) {
  node_->json[std::string{name}] = values;
  return *this;
}

JsonObject& JsonObject::add(std::string_view name, double value) {
  node_->json[std::string{name}] = value;
  return *this;
}

JsonObject& JsonObject::add(std::string_view name, JsonObject value) {
  node_->json[std::string{name}] = std::move(value.node_->json);
  return *this;
}

JsonObject& JsonObject::add(std::string_view name, JsonArray value) {
  node_->json[std::string{name}] = std::move(value.node_->json);
  return *this;
}

JsonObject& JsonObject::add_null(std::string_view name) {
  node_->json[std::string{name}] = nullptr;
  return *this;
}

JsonObject& JsonObject::add_bool(std::string_view name, bool value) {
  node_->json[std::string{name}] = value;
  return *this;
}

JsonObject& JsonObject::add_signed(std::string_view name, std::int64_t value) {
  node_->json[std::string{name}] = value;
  return *this;
}

JsonObject& JsonObject::add_unsigned(std::string_view name, std::uint64_t value) {
  node_->json[std::string{name}] = value;
  return *this;
}

std::string JsonObject::text() const {
  return dump(node_->json, 2);
}

JsonArray::JsonArray()
    : node_{std::make_unique<JsonObject::Node>(JsonObject::Node{Json::array()})} {}
JsonArray::JsonArray(JsonArray&&) noexcept = default;
JsonArray& JsonArray::operator=(JsonArray&&) noexcept = default;
JsonArray::~JsonArray() = default;

JsonArray& JsonArray::add(JsonObject value) {
  node_->json.push_back(std::move(value.node_->json));
  return *this;
}

JsonArray& JsonArray::add(std::string_view value) {
  node_->json.push_back(value);
  return *this;
}

std::string JsonArray::text() const {
  return dump(node_->json, 2);
}

}  // namespace vs
