// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "guest/user.h"
#include "sys/fd.h"

namespace vs {

// Whether the program gets a terminal of the guest's own, relayed to ours.
enum class Terminal : std::uint8_t {
  Auto,  // when stdin and stdout are terminals
  Always,
  Never,
};

struct ExecRequest {
  std::vector<std::string> argv;
  GuestUser user;
  std::vector<std::string> env;  // NAME=VALUE, over the configured ones
  std::string cwd = "/";
  Terminal terminal = Terminal::Auto;
  bool no_input = false;  // nothing of our stdin is read
};

// Runs a program in a running guest and gives its exit status: its own, 128 + signal, 126 when it
// could not be run, 127 when it is not there. Errc::NotRunning when the guest does not run.
Result<int> exec_in_guest(const std::string& name, const ExecRequest& request);

// Joins our terminal to a guest's console socket until Ctrl-] or its end.
Status relay_console(FdRef socket);

// The shell of `enter`: the configured one, else the first of bash, sh.
Result<std::vector<std::string>> login_shell(const std::string& name);

}  // namespace vs
