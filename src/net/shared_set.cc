// SPDX-License-Identifier: GPL-2.0-or-later
#include "net/shared_set.h"

#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>

#include "base/log.h"
#include "net/shared_load.h"
#include "net/shared_names.h"
#include "sys/file.h"

namespace vs {

namespace {

// How long another command may take with the set; loading it is the longest, at most a second.
constexpr int kLockTimeoutSeconds = 60;

std::string pins_in(const BpfDir& dir) {
  return fmt::format("{}/v{}", dir.path, VS_NET_ABI);
}

Status drop_all(const BpfDir& dir) {
  VS_TRY(unload_shared(pins_in(dir)));
  if (!dir.own_mount) {
    if (::rmdir(dir.path.c_str()) != 0 && errno != ENOTEMPTY)
      return Error::system(errno, "rmdir {}", dir.path);
    return {};
  }
  if (::umount2(dir.path.c_str(), 0) != 0) return Error::system(errno, "umount {}", dir.path);
  return {};
}

// Of a load that failed nothing stays, unless guests rest on what was there before.
void drop_failed(const BpfDir& dir) noexcept {
  auto const contexts = SharedSet::Contexts::open(pins_in(dir) + "/contexts");
  if (contexts) {
    auto const keys = contexts->keys();
    if (!keys || !keys->empty()) return;
  }
  if (auto const done = drop_all(dir); !done) warn("{}", done.error().message());
}

}  // namespace

Result<SharedSet> SharedSet::open_maps(BpfDir dir, Fd lock) {
  auto const pins = pins_in(dir);
  auto contexts = VS_TRY(Contexts::open(pins + "/contexts"));
  auto members = VS_TRY(Members::open(pins + "/members"));
  auto owners = VS_TRY(Owners::open(pins + "/owners"));
  auto traffic = VS_TRY(open_pinned(pins + "/traffic"));
  return SharedSet{std::move(dir),     std::move(lock),   std::move(contexts),
                   std::move(members), std::move(owners), std::move(traffic)};
}

Result<SharedSet> SharedSet::ensure(const SharedPlace& place) {
  auto lock = VS_TRY(lock_file(place.lock, kLockTimeoutSeconds));
  auto dir = VS_TRY(make_bpf_dir(place.name, place.fallback));
  if (auto done = load_shared(place.parent, pins_in(dir)); !done) {
    drop_failed(dir);
    return std::move(done).error();
  }
  return open_maps(std::move(dir), std::move(lock));
}

Result<std::optional<SharedSet>> SharedSet::open(const SharedPlace& place) {
  if (!exists(place.lock)) return std::optional<SharedSet>{};
  auto lock = VS_TRY(lock_file(place.lock, kLockTimeoutSeconds));
  auto dir = find_bpf_dir(place.name, place.fallback);
  if (!dir || !exists(pins_in(*dir) + "/contexts")) return std::optional<SharedSet>{};
  return std::optional{VS_TRY(open_maps(std::move(*dir), std::move(lock)))};
}

Result<vs_traffic> SharedSet::traffic(std::uint64_t context) const {
  std::vector<vs_traffic> parts(VS_TRY(possible_cpus()));
  vs_traffic sum{};
  if (!VS_TRY(bpf_raw::lookup(traffic_, &context, parts.data()))) return sum;
  // The structure is nothing but 64-bit counters.
  auto* const total = reinterpret_cast<std::uint64_t*>(&sum);
  for (auto const& part : parts) {
    auto const* const one = reinterpret_cast<const std::uint64_t*>(&part);
    for (std::size_t i = 0; i < sizeof sum / sizeof *total; ++i)
      total[i] += one[i];
  }
  return sum;
}

Status SharedSet::start_counting(std::uint64_t context) {
  std::vector<vs_traffic> const zero(VS_TRY(possible_cpus()));
  return bpf_raw::update(traffic_, &context, zero.data());
}

Status SharedSet::stop_counting(std::uint64_t context) {
  return bpf_raw::erase(traffic_, &context);
}

bool SharedSet::own_names() const {
  return has_names(pins_in(dir_));
}

Status SharedSet::remove_if_unused() {
  if (!VS_TRY(contexts_.keys()).empty()) return {};
  return drop_all(dir_);
}

}  // namespace vs
