// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "guest/workshop.h"
#include "sys/fd.h"

namespace vs {

// While one lives, SIGINT, SIGTERM and SIGHUP do not end the process: they are noted, and the step
// that runs fails, so that everything is undone.
class Interrupts {
 public:
  Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;
  ~Interrupts();
  // Fails when one has come.
  static Status check();
};

// How a long-running child is looked after.
struct Watch {
  std::function<void(std::string_view line)> on_line;  // each line of its output; may be empty
  std::function<Status()> on_tick;                     // ten times a second; may be empty
};

// The end of a child: its status and the last lines that it said, control characters replaced.
struct Ended {
  int status = 0;
  std::deque<std::string> tail;
  // The last line that looks like an error, else the last line.
  [[nodiscard]] std::string reason() const;
  [[nodiscard]] bool says(std::string_view text) const;
};

// Runs a program of the host in mount and pid namespaces of its own, so that all it started ends
// with it, and it with us. Its output comes line by line.
//   input   its standard input; -1: /dev/null
Result<Ended> run_tool(const std::vector<std::string>& argv, const Watch& watch, int input = -1,
                       const std::vector<std::string>& environment = {});

// Runs a program in a workshop; its output comes line by line.
Result<Ended> run_work(const RunDir& run, Xid xid, WorkPlan plan, const Watch& watch);

}  // namespace vs
