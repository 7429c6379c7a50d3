// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string_view>

#include <fmt/core.h>

namespace vs {

// There is no level "error": errors are returned, and main prints them once.
enum class Level : std::uint8_t { Quiet, Warning, Info, Debug };

// What is printed: Warning unless -q, -v or -vv was given.
extern Level log_level;

// Prints "NAME: TEXT" to stderr, with a syslog prefix when stderr is the journal's stream.
void write_log(Level level, std::string_view text) noexcept;

// The name in front of each line; set once by main. The text must outlive the program.
void set_log_name(std::string_view name) noexcept;

template <class... A>
void warn(fmt::format_string<A...> text, A&&... args) {
  if (log_level >= Level::Warning)
    write_log(Level::Warning, fmt::format(text, std::forward<A>(args)...));
}

template <class... A>
void info(fmt::format_string<A...> text, A&&... args) {
  if (log_level >= Level::Info) write_log(Level::Info, fmt::format(text, std::forward<A>(args)...));
}

// Nothing is formatted unless it is wanted.
template <class... A>
void debug(fmt::format_string<A...> text, A&&... args) {
  if (log_level >= Level::Debug)
    write_log(Level::Debug, fmt::format(text, std::forward<A>(args)...));
}

}  // namespace vs
