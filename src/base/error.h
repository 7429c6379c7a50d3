// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <fmt/core.h>

namespace vs {

// What kind of failure this is. Only these change the exit status of a command or a caller's path.
enum class Errc : std::uint8_t {
  System,       // a system call failed; Error::sys() has its errno
  Usage,        // the command line is wrong
  Config,       // a configuration entry is wrong
  NotFound,     // no such guest, file, entry
  NotRunning,   // the guest does not run
  Busy,         // somebody else holds it, or it is running
  Unsupported,  // this kernel or build cannot do it
  Internal,     // a broken promise between our own parts
};

// A failure as a value: a kind, the errno if a system call failed, a chain of contexts from the
// outside in, and at most one hint. The errno's text appears once, at the end of message().
class Error {
 public:
  // For a failed system call; `err` is errno, read in the statement after the call.
  template <class... A>
  static Error system(int err, fmt::format_string<A...> text, A&&... args) {
    return Error{Errc::System, err, fmt::format(text, std::forward<A>(args)...)};
  }

  template <class... A>
  static Error make(Errc code, fmt::format_string<A...> text, A&&... args) {
    return Error{code, 0, fmt::format(text, std::forward<A>(args)...)};
  }

  // Puts "outer: " in front of the message.
  [[nodiscard]] Error context(std::string_view outer) &&;

  // Adds the second line "hint: ..."; the innermost hint wins.
  [[nodiscard]] Error hint(std::string_view text) &&;

  // Replaces the kind, keeping text and errno.
  [[nodiscard]] Error with_code(Errc code) &&;

  [[nodiscard]] Errc code() const noexcept { return code_; }
  // The errno of a failed system call, else 0.
  [[nodiscard]] int sys() const noexcept { return sys_; }
  // "start guest 'web1': mount proc: attach: Operation not permitted"
  [[nodiscard]] std::string message() const;
  [[nodiscard]] const std::string& hint() const noexcept { return hint_; }

 private:
  Error(Errc code, int sys, std::string text) : text_{std::move(text)}, sys_{sys}, code_{code} {}

  std::string text_;
  std::string hint_;
  int sys_;
  Errc code_;
};

// Prints why and aborts: for broken invariants only, active in every build.
[[noreturn]] void check_failed(const char* condition, const char* file, int line) noexcept;

}  // namespace vs

#define VS_CHECK(condition) \
  (static_cast<bool>(condition) ? void(0) : ::vs::check_failed(#condition, __FILE__, __LINE__))
