// SPDX-License-Identifier: GPL-2.0-or-later
#include "build/parts.h"

namespace vs {

Status check_rsync(const BuildRequest&) {
  return Error::make(Errc::Unsupported, "the method rsync is not built yet");
}

Status fill_from_rsync(Build&) {
  return {};
}

}  // namespace vs
