// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace vs {

// How progress is shown.
struct ProgressStyle {
  bool live = false;     // one line, drawn again and again
  bool colours = false;  // only if live
};

// A live line needs a terminal that is not dumb; colours also that NO_COLOR is unset or empty.
// `term` and `no_color` are values of the environment, null when unset.
ProgressStyle progress_style(bool is_terminal, const char* term, const char* no_color);

// One live line of at most `width` characters, without its newline. Without a total it has a
// spinner, turned by `tick`.
std::string format_progress(std::string_view stage, std::uint64_t done,
                            std::optional<std::uint64_t> total, std::string_view text,
                            std::size_t width, unsigned tick);

// Shows how far one stage of a long command is, on stderr. Away from a terminal each stage is one
// plain line; with -q nothing is shown. A stage that ends without done() leaves no line behind: the
// error will say what happened.
class Progress {
 public:
  explicit Progress(std::string_view stage, int fd = STDERR_FILENO);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  Progress(Progress&&) = delete;
  Progress& operator=(Progress&&) = delete;
  ~Progress();

  void set_total(std::uint64_t total) { total_ = total; }
  // Cheap enough for every file: draws ten times a second at most.
  void update(std::uint64_t done, std::string_view text = {});
  void done();

 private:
  void draw(std::string_view line) const;

  std::string stage_;
  std::optional<std::uint64_t> total_;
  std::int64_t drawn_ms_ = -1;
  int fd_;
  unsigned tick_ = 0;
  ProgressStyle style_;
  bool shown_ = true;  // false: with -q
  bool finished_ = false;
};

}  // namespace vs
