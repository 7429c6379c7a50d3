// SPDX-License-Identifier: GPL-2.0-or-later
#include "sys/fd.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>

namespace vs {

void Fd::reset(int fd) noexcept {
  int const old = std::exchange(fd_, fd);
  if (old < 0) return;
  int const saved = errno;
  // Linux frees the descriptor even on EINTR: never retry, it may already be somebody else's.
  // EBADF means that it was closed twice: a bug.
  if (::close(old) != 0 && errno == EBADF) std::abort();
  errno = saved;
}

}  // namespace vs
