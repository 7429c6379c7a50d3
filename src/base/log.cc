// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/log.h"

#include <unistd.h>

#include <cstdlib>
#include <string>

namespace vs {

Level log_level = Level::Warning;

namespace {

std::string_view log_name = "vserver";

std::string_view journal_prefix(Level level) noexcept {
  // systemd sets JOURNAL_STREAM for units whose stderr goes to the journal (systemd.exec(5)).
  if (std::getenv("JOURNAL_STREAM") == nullptr) return "";
  switch (level) {
    case Level::Quiet:
    case Level::Warning: return "<4>";
    case Level::Info: return "<6>";
    case Level::Debug: return "<7>";
  }
  return "";
}

}  // namespace

void set_log_name(std::string_view name) noexcept {
  log_name = name;
}

void write_log(Level level, std::string_view text) noexcept {
  std::string line;
  line.append(journal_prefix(level)).append(log_name).append(": ");
  if (level == Level::Warning) line.append("warning: ");
  line.append(text).push_back('\n');
  // A log that cannot be written has nowhere to say so.
  [[maybe_unused]] auto const n = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace vs
