// SPDX-License-Identifier: GPL-2.0-or-later
#include "build/archive.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace vs {

namespace {

struct Magic {
  std::size_t offset;
  std::string_view bytes;
  ArchiveFormat format;
  bool supported;
};

using namespace std::string_view_literals;

constexpr std::array kMagics{
    Magic{0, "\x1f\x8b"sv, {"tar.gz", "--gzip", "gzip"}, true},
    Magic{0,
          "\xfd"
          "7zXZ\0"sv,
          {"tar.xz", "--xz", "xz"},
          true},
    Magic{0, "\x28\xb5\x2f\xfd"sv, {"tar.zst", "--zstd", "zstd"}, true},
    Magic{0, "BZh"sv, {"tar.bz2", "--bzip2", "bzip2"}, true},
    Magic{257, "ustar"sv, {"tar", "", ""}, true},
    Magic{0, "0707"sv, {"cpio", "", ""}, false},
    Magic{0, "PK\3\4"sv, {"zip", "", ""}, false},
    Magic{0, "hsqs"sv, {"squashfs image", "", ""}, false},
    Magic{1080, "\x53\xef"sv, {"ext image", "", ""}, false},
    Magic{0, "QFI\xfb"sv, {"qcow2 image", "", ""}, false},
    Magic{24, "\x6c\xea\0\0"sv, {"dump", "", ""}, false},
    Magic{24, "\x6b\xea\0\0"sv, {"dump", "", ""}, false},
};

constexpr std::size_t kExamples = 5;
constexpr std::size_t kMostDevices = 10000;

void note(std::vector<std::string>& examples, std::string text) {
  if (examples.size() == kExamples) return;
  // They end on the admin's terminal.
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  examples.push_back(std::move(text));
}

// tar escapes what is not printable, and the backslash: \n, \\, \303.
std::string unescape(std::string_view text) {
  constexpr std::string_view kLetters = "abfnrtv\\\"? ";
  constexpr std::string_view kMeant = "\a\b\f\n\r\t\v\\\"? ";
  auto const octal = [](char c) { return c >= '0' && c <= '7'; };
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      out += text[i];
    } else if (i + 3 < text.size() && octal(text[i + 1]) && octal(text[i + 2]) &&
               octal(text[i + 3])) {
      out += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 +
                               (text[i + 3] - '0'));
      i += 3;
    } else {
      auto const letter = kLetters.find(text[++i]);
      out += letter != std::string_view::npos ? kMeant[letter] : text[i];
    }
  }
  return out;
}

// What stands between the quotes that the text starts with.
std::optional<std::string_view> quoted(std::string_view text) {
  if (!text.starts_with('"')) return std::nullopt;
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '"') return text.substr(1, i - 1);
    if (text[i] == '\\') ++i;
  }
  return std::nullopt;
}

bool climbs(std::string_view name) {
  auto const parts = split(name, '/');
  return std::find(parts.begin(), parts.end(), "..") != parts.end();
}

// Takes the next word; false when there is none.
bool next_word(std::string_view& rest, std::string_view& word) {
  auto const start = rest.find_first_not_of(' ');
  if (start == std::string_view::npos) return false;
  auto const end = rest.find(' ', start);
  if (end == std::string_view::npos) return false;
  word = rest.substr(start, end - start);
  rest.remove_prefix(end);
  return true;
}

}  // namespace

Result<ArchiveFormat> archive_format(std::string_view head) {
  for (auto const& magic : kMagics) {
    if (head.size() < magic.offset + magic.bytes.size() ||
        head.substr(magic.offset, magic.bytes.size()) != magic.bytes)
      continue;
    if (magic.supported) return magic.format;
    return Error::make(Errc::Unsupported, "it is a {}, not a tar archive", magic.format.name)
        .hint("unpack it into a directory and give that as the template");
  }
  return Error::make(Errc::Unsupported, "it is not a tar archive (plain, gz, xz, zst or bz2)");
}

std::optional<ArchiveEntry> parse_listing(std::string_view line) {
  constexpr std::string_view kTypes = "-dlhbcpsCSVMDNL";
  // drwxr-xr-x 0/0               0 2024-01-01 00:00:00.123 "name"
  // crw-rw-rw- 0/0             1,3 2024-01-01 00:00:00.1   "name"
  // lrwxrwxrwx 0/0               0 2024-01-01 00:00:00     "name" -> "target"
  ArchiveEntry entry;
  std::string_view mode, owner, size, date, time;
  std::string_view rest = line;
  if (line.empty() || kTypes.find(line[0]) == std::string_view::npos) return std::nullopt;
  if (!next_word(rest, mode) || mode.size() < 10 || !next_word(rest, owner) ||
      !next_word(rest, size) || !next_word(rest, date) || !next_word(rest, time))
    return std::nullopt;
  // A time is padded to the longest so far: without its quotes a name could not be told from it.
  auto const name = quoted(trim(rest));
  if (!name) return std::nullopt;
  entry.type = mode[0];
  auto const slash = owner.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  auto const uid = parse_decimal(owner.substr(0, slash));
  auto const gid = parse_decimal(owner.substr(slash + 1));
  auto const bytes = size.find(',') != std::string_view::npos ? 0 : parse_decimal(size);
  if (!uid || !gid || !bytes) return std::nullopt;
  entry.uid = *uid;
  entry.gid = *gid;
  entry.size = *bytes;
  entry.name = unescape(*name);
  return entry;
}

void Listing::add(const ArchiveEntry& entry) {
  ++files;
  if (entry.type == '-') bytes += entry.size;
  if (entry.type == 'c' || entry.type == 'b') {
    if (devices.size() < kMostDevices) devices.push_back(entry.name);
    ++n_devices;
  }
  if (entry.uid > 0xffff || entry.gid > 0xffff) {
    ++strangers;
    note(examples, fmt::format("{} ({}:{})", entry.name, entry.uid, entry.gid));
  } else if (climbs(entry.name)) {
    ++climbers;
    note(examples, entry.name);
  }
}

Status check_listing(const Listing& listing) {
  if (listing.climbers != 0) {
    return Error::make(Errc::Config, "{} names in it lead upwards by '..': {}", listing.climbers,
                       join(listing.examples, ", "));
  }
  if (listing.strangers != 0) {
    return Error::make(
               Errc::Config,
               "{} of {} entries belong to owners above 65535, which a guest cannot have: {}",
               listing.strangers, listing.files, join(listing.examples, ", "))
        .hint("pack it anew with owners of the guest: tar --numeric-owner --owner-map/--group-map");
  }
  if (listing.n_devices > listing.devices.size()) {
    return Error::make(Errc::Config, "it holds {} device nodes: more than {} are no system's",
                       listing.n_devices, kMostDevices);
  }
  if (listing.files == 0) return Error::make(Errc::Config, "it holds no files");
  return {};
}

}  // namespace vs
