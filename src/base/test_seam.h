// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string_view>

#include "base/result.h"

namespace vs {

// In builds with VS_TEST_SEAM=ON the environment decides what happens just before a step:
//   VSERVER_TEST_FAIL=NAME   the step fails
//   VSERVER_TEST_KILL=NAME   the process kills itself with SIGKILL
//   VSERVER_TEST_INTERRUPT=NAME   the process gets a SIGINT, as by Ctrl-C, and goes on
// In all other builds this is nothing at all.
#ifdef VS_TEST_SEAM
Status test_seam(std::string_view step);
#else
inline Status test_seam(std::string_view) {
  return {};
}
#endif

}  // namespace vs
