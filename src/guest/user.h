// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace vs {

// A user inside a guest.
struct GuestUser {
  std::string name = "root";
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::string home = "/root";
  std::vector<std::uint32_t> groups;  // supplementary
};

// The gids of the groups in the text of a group(5) that name this user. Broken lines are passed
// over; at most 1024 are taken.
std::vector<std::uint32_t> parse_groups(std::string_view group, std::string_view user);

// Looks a name or number up in the text of a passwd(5). A number without an entry is itself, as
// gid too; a name without one is nothing. Broken lines are passed over: the guest wrote them.
std::optional<GuestUser> parse_user(std::string_view passwd, std::string_view wanted);

// A user of a guest by name or number, from the guest's own /etc/passwd and /etc/group. Fails with
// Errc::Usage when there is no such user.
Result<GuestUser> find_user(const std::string& guest, std::string_view wanted);

}  // namespace vs
