// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/user.h"

#include <algorithm>

#include "base/text.h"
#include "guest/paths.h"
#include "sys/file.h"

namespace vs {

namespace {

constexpr std::uint64_t kMaxId = 65535;  // a guest has ids 0 to 65535

std::optional<GuestUser> parse_line(std::string_view line) {
  auto const fields = split(line, ':');
  if (fields.size() < 6) return std::nullopt;
  auto const uid = parse_decimal(fields[2]);
  auto const gid = parse_decimal(fields[3]);
  if (!uid || !gid || *uid > kMaxId || *gid > kMaxId) return std::nullopt;
  return GuestUser{std::string{fields[0]},
                   static_cast<std::uint32_t>(*uid),
                   static_cast<std::uint32_t>(*gid),
                   std::string{fields[5].empty() ? "/" : fields[5]},
                   {}};
}

}  // namespace

std::optional<GuestUser> parse_user(std::string_view passwd, std::string_view wanted) {
  auto const number = parse_decimal(wanted);
  for (auto const line : split_lines(passwd)) {
    auto user = parse_line(line);
    if (!user) continue;
    if (user->name == wanted || (number && user->uid == *number)) return user;
  }
  if (number == 0 || wanted == "root") return GuestUser{};
  if (!number || *number > kMaxId) return std::nullopt;
  auto const id = static_cast<std::uint32_t>(*number);
  return GuestUser{std::string{wanted}, id, id, "/", {}};
}

std::vector<std::uint32_t> parse_groups(std::string_view group, std::string_view user) {
  constexpr std::size_t kMost = 1024;
  std::vector<std::uint32_t> out;
  for (auto const line : split_lines(group)) {
    auto const fields = split(line, ':');
    if (fields.size() < 4 || out.size() == kMost) continue;
    auto const gid = parse_decimal(fields[2]);
    auto const members = split(fields[3], ',');
    if (gid && *gid <= kMaxId && std::find(members.begin(), members.end(), user) != members.end())
      out.push_back(static_cast<std::uint32_t>(*gid));
  }
  return out;
}

Result<GuestUser> find_user(const std::string& guest, std::string_view wanted) {
  // By the host's own mounts: what the guest has mounted over its /etc cannot keep us waiting.
  Fd const root =
      VS_TRY(open_path(fmt::format("{}/{}/vdir", Paths::get().conf, guest), O_PATH | O_DIRECTORY));
  auto const passwd = read_file_at(root, "etc/passwd", Resolve::InRoot);
  auto user = parse_user(passwd ? std::string_view{*passwd} : std::string_view{}, wanted);
  if (user) {
    auto const group = read_file_at(root, "etc/group", Resolve::InRoot);
    if (group) user->groups = parse_groups(*group, user->name);
    // As initgroups(3).
    std::erase(user->groups, user->gid);
    user->groups.insert(user->groups.begin(), user->gid);
    return *user;
  }
  return Error::make(Errc::Usage, "guest '{}' has no user '{}' in its /etc/passwd", guest, wanted);
}

}  // namespace vs
