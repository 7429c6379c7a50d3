// SPDX-License-Identifier: GPL-2.0-or-later
// Loads the shared network with as many contexts as asked, beside those of guests that run, says
// how long an addition took, and takes them away again when its standard input ends.
//   bench-net-load COUNT
#include <arpa/inet.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/log.h"
#include "guest/net_context.h"
#include "net/shared_context.h"

namespace vs {
namespace {

NetContext context_of(std::uint32_t i) {
  NetContext context;
  context.cgroup = (1ULL << 40U) + i;  // of no cgroup
  context.nid = 40000 + i;
  context.nflags = default_nflags();
  context.ncaps = default_ncaps();
  context.lback = default_lback(context.nid);
  Address address;
  std::uint32_t const number = htonl(0x0a610000U + i + 1);  // 10.97.0.1 and on
  std::memcpy(address.bytes.data(), &number, sizeof number);
  context.addresses.push_back(address);
  return context;
}

Status run(std::uint32_t count) {
  using Clock = std::chrono::steady_clock;
  auto const began = Clock::now();
  {
    auto set = VS_TRY(SharedSet::ensure(VS_TRY(shared_place())));
    for (std::uint32_t i = 0; i < count; ++i)
      VS_TRY(put_context(set, context_of(i)));
  }
  std::chrono::duration<double, std::micro> const took = Clock::now() - began;
  std::printf("%.1f\n", took.count() / count);
  std::fflush(stdout);
  char end = 0;
  while (::read(0, &end, 1) > 0) {
  }
  auto set = VS_TRY(SharedSet::ensure(VS_TRY(shared_place())));
  for (std::uint32_t i = 0; i < count; ++i)
    VS_TRY(erase_context(set, context_of(i).cgroup));
  return set.remove_if_unused();
}

}  // namespace
}  // namespace vs

int main(int argc, char** argv) {
  auto const done = vs::run(argc > 1 ? static_cast<std::uint32_t>(std::atoi(argv[1])) : 0);
  if (done) return 0;
  std::fprintf(stderr, "bench-net-load: %s\n", done.error().message().c_str());
  return 1;
}
