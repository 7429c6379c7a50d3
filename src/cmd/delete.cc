// SPDX-License-Identifier: GPL-2.0-or-later
#include <array>
#include <cstdio>

#include "base/log.h"
#include "build/build.h"
#include "cmd/advance.h"
#include "cmd/commands.h"
#include "guest/paths.h"
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

Result<int> run_delete(const Parsed& args) {
  auto const& name = args.operands[0];
  // What is left of an interrupted build or delete has no configuration to find it by.
  if (sweep_leftovers(name) && !exists(fmt::format("{}/{}", Paths::get().conf, name))) return 0;
  auto const guest = VS_TRY(resolve_guest(name));
  if (!is_silent() && !confirmed(guest)) {
    warn("guest '{}' is not deleted", guest);
    return 2;
  }
  ShownAdvance shown;
  VS_TRY(delete_guest(guest, [&](const Advance& how_far) { shown.show(how_far); }));
  shown.done();
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
