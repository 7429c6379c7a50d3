// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/test_seam.h"

#ifdef VS_TEST_SEAM

#include <csignal>
#include <cstdlib>

namespace vs {

Status test_seam(std::string_view step) {
  if (const char* name = std::getenv("VSERVER_TEST_KILL"); name != nullptr && step == name) {
    std::raise(SIGKILL);
  }
  if (const char* name = std::getenv("VSERVER_TEST_INTERRUPT"); name != nullptr && step == name)
    std::raise(SIGINT);
  if (const char* name = std::getenv("VSERVER_TEST_FAIL"); name != nullptr && step == name) {
    return Error::make(Errc::Internal, "step {} was told to fail", step);
  }
  return {};
}

}  // namespace vs

#endif
