// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "sys/fd.h"

namespace vs {

// A user namespace, by descriptor, in which `count` uids and gids from `inside` on are those from
// `outside` on of ours.
Result<Fd> make_id_map(std::uint32_t inside, std::uint32_t outside, std::uint32_t count);

// Mounts a directory, read-only, at `target`, with the owners on the disk translated by the map
// (idmapped mount, Linux 5.12). Fails with Errc::Unsupported where the file system cannot.
Status mount_with_owners(FdRef directory, FdRef map, const std::string& target);

}  // namespace vs
