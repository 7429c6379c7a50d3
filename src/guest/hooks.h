// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "guest/config.h"
#include "sys/process.h"

namespace vs {

// The administrator's scripts around a start or a stop (CONF/NAME/scripts, CONF/.defaults/scripts),
// run on the host as root. An executable file is a program; any other one is sourced, all of one
// start or stop into one bash, so that what one of them sets the next one sees. Arguments: hook,
// guest. The caller's environment is kept, with VSERVER_NAME, VSERVER_DIR and INIT_CWD added.
class Hooks {
 public:
  enum class Phase : std::uint8_t {
    Start,  // initialize, prepre-start, pre-start, post-start; a failure is an error
    Stop,   // pre-stop, post-stop, postpost-stop; a failure is a warning
  };

  // command   what INITCMD_START or INITCMD_STOP holds at first
  Hooks(const GuestConfig& config, Phase phase, std::vector<std::string> command);

  // Whether there is any script for this phase.
  [[nodiscard]] bool any() const;
  // Runs the scripts of one hook in order: the guest's own; those of .defaults when it has none,
  // or when a sourced one has set DONT_SKIP_DEFAULTS.
  Status run(std::string_view point);
  // INITCMD_START or INITCMD_STOP as the scripts have left it.
  [[nodiscard]] const std::vector<std::string>& command() const noexcept { return command_; }
  // Ends the shell. Must be called before its cgroup or this process becomes something else.
  void end() noexcept { shell_.reset(); }

 private:
  struct Shell {
    Child child;
    Fd requests;
    Fd answers;
  };
  // What a script has left behind.
  struct Answer {
    int status = 0;
    bool with_defaults = false;
    std::size_t extra_commands = 0;
  };

  Status start_shell();
  Result<Answer> ask(const std::string& file, std::string_view point);
  Result<bool> run_files(std::string_view point, bool own);

  std::string name_, dir_, vdir_;
  std::vector<HookFile> files_;
  Phase phase_;
  std::vector<std::string> command_;
  bool with_defaults_ = false;
  std::optional<Shell> shell_;
};

// Moves this process into a mount namespace of its own that gets what changes on the host and
// gives nothing back: mounts made by start hooks are seen by the guest and by nobody else.
// Returns the namespace it came from, for setns(2). Only for single-threaded programs.
Result<Fd> private_mounts();

}  // namespace vs
