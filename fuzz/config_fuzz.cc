// SPDX-License-Identifier: GPL-2.0-or-later
// A whole configuration tree from any bytes: "PATH\nTEXT" entries with a NUL between them. Whatever
// is accepted for writing must be read back as it was given, and the reader of guests must answer
// every tree with a configuration or with a message that names the file.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "config/keys.h"
#include "config/syntax.h"
#include "config/tree.h"
#include "config/write.h"
#include "guest/config.h"

namespace {

using vs::Kind;

std::vector<std::string> texts(const std::vector<vs::ConfigLine>& lines) {
  std::vector<std::string> out;
  int last = 0;
  for (auto const& line : lines) {
    VS_CHECK(line.line > last);
    last = line.line;
    out.push_back(line.text);
  }
  return out;
}

// What is written is read back.
void check_round_trip(const vs::Key& key, std::string_view text, const std::string& content) {
  VS_CHECK(content.empty() || content.ends_with('\n'));
  VS_CHECK(content.find('\0') == std::string::npos);
  switch (key.kind) {
    case Kind::Flag: VS_CHECK(content.empty()); break;
    case Kind::Scalar:
    case Kind::Limit:
    case Kind::Integer: VS_CHECK(vs::scalar_of(content) == vs::trim(text)); break;
    case Kind::Array: VS_CHECK(texts(vs::array_of(content)) == texts(vs::array_of(text))); break;
    case Kind::List: VS_CHECK(texts(vs::list_of(content)) == texts(vs::list_of(text))); break;
    case Kind::Raw:
    case Kind::Fstab:
    case Kind::Copy: VS_CHECK(vs::raw_of(content) == vs::raw_of(text)); break;
    case Kind::Link:
    case Kind::Directory:
    case Kind::Executable: VS_CHECK(false); break;  // have no text
  }
  if (key.kind == Kind::Limit) VS_CHECK(vs::limit_of(vs::scalar_of(content)).has_value());
  if (key.kind == Kind::Integer) VS_CHECK(vs::integer_of(vs::scalar_of(content)).has_value());
}

void check_entry(std::string_view path, std::string_view text) {
  auto const value = vs::scalar_of(text);
  VS_CHECK(value.find('\n') != std::string::npos || vs::scalar_of(vs::scalar_line(value)) == value);
  for (auto const& item : vs::list_of(text))
    VS_CHECK(!item.text.empty() && item.text[0] != '#');
  VS_CHECK(vs::array_of(text).size() >= vs::list_of(text).size());
  const vs::Key* key = vs::guest_keys().find(path);
  if (auto const content = vs::entry_content(path, text)) {
    VS_CHECK(key != nullptr);
    check_round_trip(*key, text, *content);
  }
  // Slow by nature, and reached with one name as with many.
  if (key == nullptr && path.size() < 40) {
    [[maybe_unused]] auto const near = vs::guest_keys().nearest(path);
  }
}

void check_tree(const vs::Tree& tree) {
  auto const config = vs::interpret("web", tree, vs::Tree{"/d", vs::default_keys()});
  if (!config) {
    VS_CHECK(config.error().code() == vs::Errc::Config);
    VS_CHECK(config.error().message().starts_with("/c/"));
    return;
  }
  VS_CHECK(config->style != nullptr && !config->kill_sequence.empty());
  VS_CHECK(config->nodename.size() <= 64);
  for (auto const& limit : config->limits)
    VS_CHECK(limit.soft <= limit.hard);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): libFuzzer's interface
  std::string_view const input{reinterpret_cast<const char*>(data), size};
  vs::Tree tree{"/c", vs::guest_keys()};
  for (std::string_view const entry : vs::split(input, '\0')) {
    auto const path = vs::first_line(entry);
    auto const text = entry.substr(path.size() == entry.size() ? path.size() : path.size() + 1);
    check_entry(path, text);
    tree.put(std::string{path}, std::string{text});
  }
  check_tree(tree);
  return 0;
}
