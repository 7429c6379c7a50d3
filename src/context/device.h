// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "base/result.h"
#include "sys/cgroup.h"

namespace vs {

// Lets a context open the harmless devices only (null, zero, full, random, urandom, tty, ptmx,
// pts), and make no others: the devices controller on v1, a BPF program (BPF_CGROUP_DEVICE,
// Linux 4.15) on v2. Must run before the first process of the guest. The second line behind the
// user namespace, and the first for classic guests.
Status restrict_devices(ContextCgroup& cgroup);

}  // namespace vs
