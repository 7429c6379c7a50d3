// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace vs {

// How an archive is read; found by its first bytes, as the original's h2ext does.
struct ArchiveFormat {
  std::string_view name;        // "tar.xz"
  std::string_view decompress;  // tar's option, "--xz"; empty: none
  std::string_view program;     // what that needs, "xz"; empty: nothing
};

// The format by the first 512 bytes. Fails with Errc::Unsupported naming what it looks like.
Result<ArchiveFormat> archive_format(std::string_view head);

// One entry of `tar --list --verbose --numeric-owner --full-time --quoting-style=c`.
struct ArchiveEntry {
  char type = '-';  // as ls shows it; 'h': a hard link
  std::uint64_t uid = 0;
  std::uint64_t gid = 0;
  std::uint64_t size = 0;
  std::string name;  // as stored, unescaped
};

// Nothing when the line is not an entry (a message of tar's).
std::optional<ArchiveEntry> parse_listing(std::string_view line);

// What an archive would unpack to.
struct Listing {
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
  std::vector<std::string> devices;   // names of the device nodes, which are left out
  std::uint64_t n_devices = 0;        // more than names: too many
  std::uint64_t strangers = 0;        // entries with owners above 65535
  std::uint64_t climbers = 0;         // entries whose name has a ".."
  std::vector<std::string> examples;  // a few of the two above
  void add(const ArchiveEntry& entry);
};

// Errc::Config when the archive cannot become a guest: owners that do not fit, names with "..",
// more device nodes than any system has.
Status check_listing(const Listing& listing);

}  // namespace vs
