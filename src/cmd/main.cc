// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <string_view>

#include "base/log.h"
#include "base/text.h"
#include "build/copy.h"
#include "cmd/commands.h"
#include "guest/bucket_loop.h"
#include "guest/guard.h"
#include "guest/start.h"
#include "guest/stop.h"
#include "guest/units.h"
#include "sys/file.h"
#include "sys/systemd.h"

namespace {

// What our systemd units run: --unit start|stop|guard INSTANCE.
vs::Result<int> run_unit(std::string_view verb, const std::string& instance) {
  std::string const guest = vs::unescape_unit(instance);
  vs::enter_unit();
  if (verb == "guard") return vs::guard_guest(guest);
  bool const start = verb == "start";
  auto done = start ? vs::start_guest(guest) : vs::stop_guest(guest);
  auto const reached = start ? vs::Errc::Busy : vs::Errc::NotRunning;
  if (done || (done.error().code() == reached && vs::is_running(guest) == start)) return 0;
  return std::move(done).error();
}

// What the shell library's lock runs: says "locked" and keeps the lock until it is killed, at the
// latest with its caller.
vs::Result<int> hold_lock(const std::string& path, const std::string& timeout) {
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  auto const seconds = vs::parse_decimal(timeout);
  if (!seconds || *seconds > 86400)
    return vs::Error::make(vs::Errc::Usage, "'{}' is not a number of seconds", timeout);
  [[maybe_unused]] vs::Fd const lock = VS_TRY(vs::lock_file(path, static_cast<int>(*seconds)));
  fmt::print("locked\n");
  std::fclose(stdout);
  for (;;)
    ::pause();
}

vs::Result<int> dispatch(std::string_view program, const std::vector<std::string>& words) {
  for (const vs::Command* tool : vs::all_programs()) {
    if (tool->name == program) return vs::run_command(*tool, words);
  }
  // vs-guard becomes the command when its guest's init has ended.
  if (words.size() == 3 && words[0] == "--ended") {
    auto const status = vs::parse_base0(words[2]);
    VS_TRY(vs::guest_ended(words[1], static_cast<int>(status.value_or(-1))));
    return 0;
  }
  if (words.size() == 3 && words[0] == "--unit") return run_unit(words[1], words[2]);
  // The loop beside a guest whose token bucket needs one (guest/bucket_loop.h).
  if (words.size() == 2 && words[0] == "--bucket") {
    VS_TRY(vs::run_bucket_loop(words[1]));
    return 0;
  }
  if (words.size() == 3 && words[0] == "--hold-lock") return hold_lock(words[1], words[2]);
  // The program of a workshop that copies a tree (build/copy.h).
  if (words.size() == 3 && words[0] == "--copy-tree") {
    VS_TRY(vs::copy_tree(words[1], words[2]));
    return 0;
  }
  return vs::run_vserver(words);
}

}  // namespace

int main(int argc, char** argv) {
  // A descriptor of ours must never get the number 0, 1 or 2 by accident.
  for (int fd = 0; fd < 3; ++fd) {
    // Programs that are started later shall have it too: not close-on-exec.
    if (::fcntl(fd, F_GETFD) < 0 &&
        ::open("/dev/null", O_RDWR | O_NOCTTY) != fd) {  // NOLINT(android-cloexec-open)
      return 1;
    }
  }
  std::string_view program = argc > 0 ? argv[0] : "vserver";
  program.remove_prefix(program.rfind('/') + 1);
  vs::set_log_name(program);
  auto const code = dispatch(program, {argv + (argc > 0 ? 1 : 0), argv + argc});
  return code ? *code : vs::report_error(code.error());
}
