// SPDX-License-Identifier: GPL-2.0-or-later
// Any bytes as the text of a configuration file, and as a path with its text.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "base/text.h"
#include "config/keys.h"
#include "config/syntax.h"
#include "config/write.h"

namespace {

void read_text(std::string_view text) {
  auto const value = vs::scalar_of(text);
  // What is written is read back.
  VS_CHECK(value.find('\n') != std::string::npos || vs::scalar_of(vs::scalar_line(value)) == value);
  int last = 0;
  for (auto const& item : vs::list_of(text)) {
    VS_CHECK(!item.text.empty() && item.text[0] != '#' && item.line > last);
    last = item.line;
  }
  VS_CHECK(vs::array_of(text).size() >= vs::list_of(text).size());
  VS_CHECK(!vs::raw_of(text).ends_with('\n'));
  [[maybe_unused]] auto const integer = vs::integer_of(value);
  [[maybe_unused]] auto const limit = vs::limit_of(value);
  [[maybe_unused]] auto const on = vs::switch_of(value);
}

void write_text(std::string_view text) {
  auto const path = vs::first_line(text);
  text.remove_prefix(path.size());
  if (!text.empty()) text.remove_prefix(1);
  if (path.size() > 200) return;  // the search for the nearest name is slow on names nobody writes
  if (auto const content = vs::entry_content(path, text)) {
    VS_CHECK(vs::guest_keys().find(path) != nullptr);
    VS_CHECK(content->empty() || content->ends_with('\n'));
    VS_CHECK(content->find('\0') == std::string::npos);
  }
  [[maybe_unused]] auto const near = vs::guest_keys().nearest(path);
  [[maybe_unused]] bool const branch = vs::guest_keys().is_directory(path);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): libFuzzer's interface
  std::string_view const text{reinterpret_cast<const char*>(data), size};
  read_text(text);
  write_text(text);
  return 0;
}
