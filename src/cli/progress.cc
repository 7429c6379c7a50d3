// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/progress.h"

#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include <fmt/core.h>

#include "base/log.h"

namespace vs {
namespace {

constexpr std::int64_t kInterval = 100;  // milliseconds between two drawings
constexpr std::size_t kBar = 24;
constexpr std::string_view kErase = "\r\x1b[K";

std::int64_t now_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

std::size_t terminal_width(int fd) {
  winsize size{};
  if (::ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

// Progress is a courtesy: what cannot be written is dropped.
void write_text(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
}

bool continues(char c) {
  return (static_cast<unsigned char>(c) & 0xc0U) == 0x80U;
}

// At most `width` code points, none of them a control character.
std::string fitted(std::string_view text, std::size_t width) {
  std::string out;
  std::size_t used = 0;
  for (const char c : text) {
    if (!continues(c) && used++ == width) break;
    const auto byte = static_cast<unsigned char>(c);
    out += byte < 0x20 || byte == 0x7f ? '?' : c;
  }
  return out;
}

std::uint64_t percent(std::uint64_t done, std::uint64_t total) {
  if (done >= total) return 100;
  return static_cast<std::uint64_t>(100.0 * static_cast<double>(done) / static_cast<double>(total));
}

}  // namespace

ProgressStyle progress_style(bool is_terminal, const char* term, const char* no_color) {
  const bool live =
      is_terminal && term != nullptr && *term != '\0' && std::string_view{term} != "dumb";
  return {live, live && (no_color == nullptr || *no_color == '\0')};
}

std::string format_progress(std::string_view stage, std::uint64_t done,
                            std::optional<std::uint64_t> total, std::string_view text,
                            std::size_t width, unsigned tick) {
  std::string line{stage};
  if (total) {
    const std::uint64_t part = percent(done, *total);
    const std::size_t filled = static_cast<std::size_t>(part) * kBar / 100;
    line += fmt::format(" [{}{}] {:3}%", std::string(filled, '#'), std::string(kBar - filled, '-'),
                        part);
  } else {
    line += fmt::format(" {}", std::string_view{"|/-\\"}[tick % 4]);
  }
  if (!text.empty()) line += fmt::format(" {}", text);
  return fitted(line, width);
}

Progress::Progress(std::string_view stage, int fd)
    : stage_{fitted(stage, stage.size())},
      fd_{fd},
      style_{progress_style(::isatty(fd) == 1, ::getenv("TERM"), ::getenv("NO_COLOR"))},
      shown_{log_level != Level::Quiet} {
  if (!shown_) return;
  if (style_.live) {
    update(0);
  } else {
    write_text(fd_, stage_ + "\n");
  }
}

Progress::~Progress() {
  if (shown_ && style_.live && !finished_) write_text(fd_, kErase);
}

void Progress::update(std::uint64_t done, std::string_view text) {
  if (!shown_ || !style_.live || finished_) return;
  const std::int64_t now = now_ms();
  if (drawn_ms_ >= 0 && now - drawn_ms_ < kInterval) return;
  drawn_ms_ = now;
  // The last column stays free: some terminals wrap as soon as it is written.
  draw(format_progress(stage_, done, total_, text, terminal_width(fd_) - 1, tick_++));
}

void Progress::done() {
  if (!shown_ || !style_.live || finished_) return;
  finished_ = true;
  draw(stage_);
  write_text(fd_, style_.colours ? ": \x1b[32mdone\x1b[0m\n" : ": done\n");
}

void Progress::draw(std::string_view line) const {
  std::string out{kErase};
  const bool bold = style_.colours && line.substr(0, stage_.size()) == stage_;
  if (bold) {
    out += fmt::format("\x1b[1m{}\x1b[0m{}", stage_, line.substr(stage_.size()));
  } else {
    out += line;
  }
  write_text(fd_, out);
}

}  // namespace vs
