// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "base/result.h"
#include "sys/fd.h"

namespace vs {

// One direction of a relay. Each end is a descriptor of ours (0, 1, 2), which is only borrowed and
// never set to non-blocking: others share it; or one of the relay's own, which is non-blocking.
struct Stream {
  int from = -1;
  int to = -1;
  Fd own;                 // the end that is the relay's; closed when the other end is done
  bool input = false;     // from us to the program
  bool terminal = false;  // `own` is the master of a terminal: its end of file is a character
};

struct RelayOptions {
  // The relay is over when this process has ended and what it wrote is out; -1: when a stream is.
  int pidfd = -1;
  // What is done with SIGINT, SIGTERM, ... of ours; nothing: they end the relay.
  std::function<void(int signal)> on_signal;
  // A byte of the input that ends the relay; -1: none.
  int stop = -1;
  // A master whose window size follows ours; our terminal is raw while the relay runs.
  int master = -1;
  bool raw = false;
};

// Copies until the end; gives 0, or the signal that ended it. Our terminal is as before when it
// returns, however it comes, and while we are stopped. What was read of a regular file on stdin
// but not by the program is given back to the file's offset.
Result<int> relay(std::vector<Stream> streams, const RelayOptions& options);

}  // namespace vs
