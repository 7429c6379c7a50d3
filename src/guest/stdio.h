// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <vector>

#include "base/result.h"
#include "guest/relay.h"
#include "sys/fd.h"

namespace vs {

// Whether the program gets a terminal of the guest's own, relayed to ours.
enum class Terminal : std::uint8_t {
  Auto,  // when stdin and stdout are terminals
  Always,
  Never,
};

// The standard streams of a program inside a guest. A descriptor of the host's in there could be
// opened anew by /proc/self/fd with other rights, seeked, truncated, typed into (TIOCSTI), made
// non-blocking for all who share it, or kept long after the program. So none gets in: the program
// has pipes of its own, or its own terminal, and we copy. The one exception is a pipe on stdin,
// which the guest can read and nothing more (it belongs to nobody it knows, so no other end of it
// can be opened): with a copy in between, what the program does not read would be lost for those
// who read after it.
class Stdio {
 public:
  // Makes the pipes.
  //   uid, gid   of the program, on the host: it may open its /dev/stdout
  static Result<Stdio> open(Terminal terminal, bool no_input, std::uint32_t uid, std::uint32_t gid);

  // Bit n: descriptor n is to be the guest's terminal.
  [[nodiscard]] unsigned terminal_mask() const noexcept { return mask_; }
  // Size of our terminal, rows << 16 | columns; 0 without one.
  [[nodiscard]] static std::uint32_t window();
  // What the helper is to find at 0, 1 and 2 (-1: what we have there); valid until relay().
  [[nodiscard]] std::array<int, 3> inner() const;

  // Copies until the program has ended and what it wrote is out; 0, or the signal that ended us.
  //   master   of the terminal, when the mask is not 0
  //   pidfd    of the program, or of the helper that waits for it
  Result<int> relay(Fd master, FdRef pidfd, std::function<void(int signal)> on_signal);

 private:
  unsigned mask_ = 0;
  bool merged_ = false;  // 1 and 2 are one file, and keep their order
  std::array<Fd, 3> inner_;
  std::array<Fd, 3> ours_;
};

}  // namespace vs
