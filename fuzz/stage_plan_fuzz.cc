// SPDX-License-Identifier: GPL-2.0-or-later
// Any bytes as the plan that vs-stage is handed: what check_plan() lets through is read to its end.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "stage/stage.h"

namespace {

struct Free {
  void operator()(char* p) const noexcept { std::free(p); }
};

std::uint64_t read_all_of(vs::stage::Plan plan) {
  auto const& header = *plan.header;
  std::uint64_t sum = 0;
  std::uint64_t const strings =
      4 + header.n_ops * std::uint64_t{4} + header.n_argv + std::uint64_t{header.n_envp};
  for (std::uint64_t i = 0; i < strings; ++i)
    sum += std::strlen(plan.strings.next());
  for (std::uint32_t i = 0; i < header.n_rlimits; ++i)
    sum += plan.rlimits[i].resource + plan.rlimits[i].hard;
  auto const* filter = static_cast<const std::uint64_t*>(plan.filter);
  for (std::uint32_t i = 0; i < header.n_filter; ++i)
    sum += filter[i];
  return sum;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  // Of just this size, so that a byte too far is seen; mmap and malloc align alike.
  std::unique_ptr<char, Free> const bytes{static_cast<char*>(std::malloc(size))};
  std::memcpy(bytes.get(), data, size);
  vs::stage::Plan plan{};
  if (vs::stage::check_plan(bytes.get(), size, &plan) == nullptr) {
    volatile std::uint64_t const sum = read_all_of(plan);
    (void)sum;
  }
  return 0;
}
