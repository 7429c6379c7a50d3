// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/spaces.h"

#include <sched.h>

#include <array>
#include <vector>

#include "base/text.h"

namespace vs {

const std::uint32_t kSpacesByDefault = kSpaceFs | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC;
const std::uint32_t kAllSpaces = kSpacesByDefault | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;

namespace {

struct Space {
  std::string_view name;
  std::uint32_t bits;
};
constexpr std::array kSpaces{
    Space{"mount", CLONE_NEWNS}, Space{"fs", kSpaceFs},        Space{"ipc", CLONE_NEWIPC},
    Space{"uts", CLONE_NEWUTS},  Space{"user", CLONE_NEWUSER}, Space{"pid", CLONE_NEWPID},
    Space{"net", CLONE_NEWNET},
};

}  // namespace

Status take_space(std::string_view word, std::uint32_t& mask) {
  std::string_view name = word;
  while (name.starts_with('-'))
    name.remove_prefix(1);
  bool const off = name.starts_with('~');
  if (off) name.remove_prefix(1);
  std::uint32_t bits = name == "default" ? kSpacesByDefault : 0;
  std::vector<std::string_view> names{"default"};
  for (auto const& space : kSpaces) {
    names.push_back(space.name);
    if (name == space.name) bits = space.bits;
  }
  auto const number = bits == 0 ? parse_base0(name) : std::nullopt;
  if (number && *number >= 0 &&
      (static_cast<std::uint64_t>(*number) & ~std::uint64_t{kAllSpaces}) == 0)
    bits = static_cast<std::uint32_t>(*number);
  if (bits == 0 && !number) {
    auto error =
        Error::make(Errc::Usage, "'{}' is no namespace: mount, fs, ipc, uts, user, pid, net", word);
    if (auto const near = nearest(name, names))
      return std::move(error).hint(fmt::format("did you mean '{}'?", *near));
    return error;
  }
  mask = off ? mask & ~bits : mask | bits;
  return {};
}

Result<std::uint32_t> parse_spaces(std::string_view words) {
  std::uint32_t mask = 0;
  for (auto const part : split(words, ',')) {
    for (auto const word : split_words(part))
      VS_TRY(take_space(word, mask));
  }
  return mask;
}

std::string space_names(std::uint32_t mask) {
  std::vector<std::string> out;
  for (auto const& space : kSpaces) {
    if ((mask & space.bits) != 0) out.emplace_back(space.name);
  }
  return join(out, ", ");
}

}  // namespace vs
