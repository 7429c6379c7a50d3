// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "sys/fd.h"

namespace vs {

struct ExecRequest {
  std::vector<std::string> argv;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  bool terminal = false;  // a terminal of the guest's own, relayed to ours
  std::string cwd = "/";
};

// Runs a program in a running guest and gives its exit status: its own, 128 + signal, 126 when it
// could not be run, 127 when it is not there. Errc::NotFound when the guest does not run.
Result<int> exec_in_guest(const std::string& name, const ExecRequest& request);

// Joins our terminal to a guest's console socket until Ctrl-] or its end.
Status relay_console(FdRef socket);

// The shell of `enter`: the configured one, else the first of bash, sh.
Result<std::vector<std::string>> login_shell(const std::string& name);

}  // namespace vs
