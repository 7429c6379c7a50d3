// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "stage/stage.h"

namespace vs::stage {

namespace {

constexpr std::uint32_t kMaxFilter = 4096;  // BPF_MAXINSNS

std::uint64_t align8(std::uint64_t n) {
  return (n + 7) & ~std::uint64_t{7};
}

}  // namespace

char* Strings::next() {
  char* text = at;
  at += strlen(at) + 1;
  return text;
}

const char* check_plan(char* bytes, std::size_t size, Plan* out) {
  if (size < sizeof(Header)) return "too short";
  auto const* header = reinterpret_cast<const Header*>(bytes);
  if (header->magic != kPlanMagic) return "not a plan of this version";
  if (header->n_v1 > kMaxV1) return "too many cgroup hierarchies";
  if (header->n_late > header->n_ops) return "more late operations than operations";
  if (header->n_filter > kMaxFilter) return "the seccomp filter is too long";
  // 64 bits hold every sum of 32-bit counts.
  std::uint64_t const rlimits = align8(sizeof(Header) + std::uint64_t{header->strings_size});
  std::uint64_t const filter = rlimits + header->n_rlimits * std::uint64_t{sizeof(Rlimit)};
  std::uint64_t const groups = filter + header->n_filter * std::uint64_t{8};
  if (size < groups + header->n_groups * std::uint64_t{4}) return "truncated";
  std::uint64_t const wanted =
      4 + header->n_ops * std::uint64_t{4} + header->n_argv + std::uint64_t{header->n_envp};
  std::uint64_t found = 0;
  char* const strings = bytes + sizeof(Header);
  for (std::uint32_t i = 0; i < header->strings_size; ++i)
    found += strings[i] == '\0' ? 1 : 0;
  if (found < wanted) return "strings are missing";
  if (header->n_argv == 0) return "no program";
  *out = {header,
          {strings},
          reinterpret_cast<const Rlimit*>(bytes + rlimits),
          bytes + filter,
          reinterpret_cast<const std::uint32_t*>(bytes + groups)};
  return nullptr;
}

}  // namespace vs::stage
