// SPDX-License-Identifier: GPL-2.0-or-later
// The small parsers of texts that a guest, an archive or another version has written. The first
// byte says which: (l)isting of an archive, (f)ormat of one, (u)sers and groups, run (s)tate, what
// a process (h)ears.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/text.h"
#include "build/archive.h"
#include "guest/state.h"
#include "guest/stop.h"
#include "guest/user.h"

namespace {

// As tar --quoting-style=c writes a name, in octal where there is any doubt.
std::string quoted(std::string_view name) {
  std::string out = "\"";
  for (char const c : name) {
    auto const byte = static_cast<unsigned char>(c);
    bool const plain = byte > 0x20 && byte < 0x7f && c != '"' && c != '\\';
    out += plain ? std::string{c} : fmt::format("\\{:03o}", byte);
  }
  return out + '"';
}

void check_listing_of(std::string_view text) {
  vs::Listing listing;
  for (auto const line : vs::split_lines(text)) {
    auto const entry = vs::parse_listing(line);
    if (!entry) continue;
    listing.add(*entry);
    auto const again = vs::parse_listing(
        fmt::format("{}rw-r--r-- {}/{} {} 2024-01-01 00:00:00.1   {}", entry->type, entry->uid,
                    entry->gid, entry->size, quoted(entry->name)));
    VS_CHECK(again && again->name == entry->name && again->uid == entry->uid);
  }
  VS_CHECK(listing.devices.size() <= listing.n_devices && listing.examples.size() <= 5);
  bool const wrong = listing.climbers != 0 || listing.strangers != 0 || listing.files == 0;
  VS_CHECK(!wrong || !vs::check_listing(listing));
}

void check_users_of(std::string_view text) {
  auto const cut = text.find('\n');
  auto const wanted = text.substr(0, cut);
  auto const rest = cut == std::string_view::npos ? std::string_view{} : text.substr(cut + 1);
  if (auto const user = vs::parse_user(rest, wanted))
    VS_CHECK(user->uid <= 65535 && user->gid <= 65535);
  auto const groups = vs::parse_groups(rest, wanted);
  VS_CHECK(groups.size() <= 1024);
  for (auto const gid : groups)
    VS_CHECK(gid <= 65535);
}

void check_state_of(std::string_view text) {
  auto const state = vs::parse_state(std::string{text});
  if (!state) {
    VS_CHECK(!state.error().message().empty());
    return;
  }
  auto const again = vs::parse_state(vs::format_state(*state));
  VS_CHECK(again.has_value() && *again == *state);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::string_view const text{reinterpret_cast<const char*>(data) + 1, size - 1};
  switch (data[0]) {
    case 'l': check_listing_of(text); break;
    case 'f': static_cast<void>(vs::archive_format(text).has_value()); break;
    case 'u': check_users_of(text); break;
    case 's': check_state_of(text); break;
    case 'h': static_cast<void>(vs::listens_for(text, text, 12)); break;
    default: break;
  }
  return 0;
}
