// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>

#include "base/log.h"
#include "cmd/commands.h"
#include "guest/paths.h"
#include "guest/state.h"
#include "guest/stop.h"
#include "sys/file.h"

namespace vs {

namespace {

bool confirmed(const std::string& guest) {
  fmt::print("Delete guest '{}' with all its files? [y/N] ", guest);
  std::fflush(stdout);
  std::array<char, 8> answer{};
  if (std::fgets(answer.data(), answer.size(), stdin) == nullptr) return false;
  return answer[0] == 'y' || answer[0] == 'Y';
}

Status remove_path(const std::string& path) {
  auto const slash = path.rfind('/');
  Fd const dir = VS_TRY(open_path(path.substr(0, slash), O_RDONLY | O_DIRECTORY));
  // Renamed first: what is half deleted never looks like a guest.
  std::string const gone = fmt::format(".deleted.{}.{}", path.substr(slash + 1), ::getpid());
  if (::renameat(dir.get(), path.substr(slash + 1).c_str(), dir.get(), gone.c_str()) != 0) {
    if (errno == ENOENT) return {};
    return Error::system(errno, "rename {}", path);
  }
  return remove_tree_at(dir, gone);
}

Result<int> run_delete(const Parsed& args) {
  auto const guest = VS_TRY(resolve_guest(args.operands[0]));
  std::string const conf = fmt::format("{}/{}", Paths::get().conf, guest);
  // Not by way of the configuration's other entries: a guest that is broken can be deleted.
  std::unique_ptr<char, decltype(&::free)> const vdir{::realpath((conf + "/vdir").c_str(), nullptr),
                                                      &::free};
  if (!vdir) return Error::system(errno, "delete guest '{}': {}/vdir", guest, conf);
  if (!is_silent() && !confirmed(guest)) {
    warn("guest '{}' is not deleted", guest);
    return 2;
  }
  if (is_running(guest)) VS_TRY(stop_guest(guest));
  VS_TRY(remove_path(vdir.get()), "delete guest '{}'", guest);
  VS_TRY(remove_path(conf), "delete guest '{}'", guest);
  return 0;
}

}  // namespace

constexpr Command kDelete{
    .name = "delete",
    .operands = "GUEST",
    .summary = "Stop a guest and remove all its files, after a question",
    .min_operands = 1,
    .max_operands = 1,
    .run = run_delete,
    .details = "Asks first unless --silent is given. Exit status 2 when the answer is not yes.",
    .program = "vserver",
    .common = kCommonOptions};

}  // namespace vs
