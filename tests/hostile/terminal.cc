// SPDX-License-Identifier: GPL-2.0-or-later
// Characters pushed into a terminal, as if its owner had typed them.
#include <sys/ioctl.h>
#include <termios.h>

#include "attack.h"

namespace attack {
namespace {

int own_terminal() {
  setsid();
  int const master = posix_openpt(O_RDWR | O_NOCTTY);
  if (master < 0) return -1;
  unlockpt(master);
  int const slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY);
  if (slave >= 0) ioctl(slave, TIOCSCTTY, 0);
  return slave;
}
int inject() {
  return result(ioctl(own_terminal(), TIOCSTI, "x"));
}
// The kernel looks at the lower half of the number only.
int inject_with_high_bits() {
  return result(syscall(SYS_ioctl, own_terminal(), TIOCSTI | 0x700000000UL, "x"));
}
int hang_up() {
  return result(vhangup());
}
constexpr std::array kRows{
    Row{"TIOCSTI", inject, Control::Host, {EPERM}},
    Row{"TIOCSTI with high bits", inject_with_high_bits, Control::Host, {EPERM}},
    // With SYS_TTY_CONFIG, which the original leaves to a guest: of its own terminal.
    Row{"vhangup", hang_up, Control::Host, {EPERM}, {}, true},
};

}  // namespace
}  // namespace attack

int main(int argc, char** argv) {
  return attack::main_of(attack::kRows, argc, argv);
}
