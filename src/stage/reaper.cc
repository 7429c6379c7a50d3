// SPDX-License-Identifier: GPL-2.0-or-later
// Process 1 of a guest without an init: runs the init command, then buries what its services leave.
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "stage/raw.h"
#include "stage/stage.h"

namespace vs::stage {

namespace {

// Tells the guard that the init command is done, as systemd's guests do.
void tell_ready() {
  static constexpr char kReady[] = "READY=1\n";
  static constexpr char kPath[] = "/run/host/notify";
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  memcpy(address.sun_path, kPath, sizeof kPath);
  int const fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  [[maybe_unused]] auto const n =
      sendto(fd, kReady, sizeof kReady - 1, MSG_NOSIGNAL,
             reinterpret_cast<const sockaddr*>(&address), sizeof address);
  close(fd);
}

}  // namespace

void run_and_reap(Plan& plan) {
  int const command = must(fork(), "start the init command");
  if (command == 0) exec_program(plan);
  // The reports are the command's from now on: the start goes on when it is executed.
  close_range(3, ~0U);
  for (;;) {
    int status = 0;
    auto const gone = waitpid(-1, &status, 0);
    if (gone < 0 && errno == EINTR) continue;
    if (gone < 0) _exit(0);  // nobody is left
    if (gone != command) continue;
    if (WIFSIGNALED(status)) _exit(128 + WTERMSIG(status));
    if (WEXITSTATUS(status) != 0) _exit(WEXITSTATUS(status));
    // A command that has left nothing running has started nothing.
    if (waitpid(-1, &status, WNOHANG) < 0 && errno == ECHILD) _exit(0);
    tell_ready();
  }
}

}  // namespace vs::stage
