// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "guest/stdio.h"
#include "guest/user.h"
#include "sys/fd.h"

namespace vs {

struct ExecRequest {
  std::vector<std::string> argv;
  GuestUser user;
  std::vector<std::string> env;  // NAME=VALUE, over the configured ones
  std::string cwd = "/";
  bool must_cwd = false;  // fail when it cannot be entered, instead of taking "/"
  Terminal terminal = Terminal::Auto;
  bool no_input = false;                // nothing of our stdin is read
  std::optional<std::uint32_t> spaces;  // CLONE_NEW* to join, and the guest's ids; all without
};

// Runs a program in a running guest and gives its exit status: its own, 128 + signal, 126 when it
// could not be run, 127 when it is not there. Errc::NotRunning when the guest does not run.
Result<int> exec_in_guest(const std::string& name, const ExecRequest& request);

// Joins our terminal to a guest's console socket until Ctrl-], its end, or the end of stdin; gives
// the exit status.
Result<int> relay_console(FdRef socket);

// The shell of `enter`: the configured one, else the first of bash, sh.
Result<std::vector<std::string>> login_shell(const std::string& name);

}  // namespace vs
