// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "base/result.h"
#include "sys/fd.h"

namespace vs {

// A network namespace without devices, for the /sys of guests that live in the host's: it shows the
// devices of the namespace it was mounted in. Making one costs a third of a start, so one is kept
// for all, mounted on RUNDIR/no-network (network_namespaces(7)). An invalid descriptor, never an
// error, where it cannot be kept: each start then makes its own.
Fd empty_network();

// Gives up the one that is kept; guests that run are not concerned.
void drop_empty_network() noexcept;

}  // namespace vs
