// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "bpf/abi.h"
#include "sys/bpf.h"
#include "sys/fd.h"

namespace vs {

// Where the shared network of a host has its parts.
struct SharedPlace {
  std::string parent;    // the cgroup whose children are the contexts, on the unified hierarchy
  std::string name;      // directory below /sys/fs/bpf
  std::string fallback;  // mount point for a BPF file system where that is none
  std::string lock;      // file that changes are made under
};

// The programs and maps of the shared network: one set per host, attached to the parent of all
// contexts and kept alive by its pins alone. An object of this class holds the lock.
class SharedSet {
 public:
  // The set as it must be: loaded if there is none, repaired where a link is gone or sits on
  // another cgroup, given our programs where an other version's are, and put on devices that are
  // new. Programs are exchanged one by one under their links: at no moment is a hook without one.
  // Returns only when everything is in force. Fails with Errc::Unsupported when a newer layout is
  // in use.
  static Result<SharedSet> ensure(const SharedPlace& place);
  // The set that is there, without looking at its links; empty when there is none.
  static Result<std::optional<SharedSet>> open(const SharedPlace& place);

  using Contexts = BpfMap<std::uint64_t, vs_context>;
  using Members = BpfMap<vs_member, std::uint8_t>;
  using Owners = BpfMap<vs_addr, vs_owner>;
  [[nodiscard]] Contexts& contexts() noexcept { return contexts_; }
  [[nodiscard]] Members& members() noexcept { return members_; }
  [[nodiscard]] Owners& owners() noexcept { return owners_; }
  // Sums over all CPUs.
  [[nodiscard]] Result<vs_traffic> traffic(std::uint64_t context) const;
  Status start_counting(std::uint64_t context);
  Status stop_counting(std::uint64_t context);

  // Are abstract names of unix sockets a context's own? Where the kernel allows; see load_names().
  [[nodiscard]] bool own_names() const;

  // Takes the whole set away if no context is left.
  Status remove_if_unused();

 private:
  SharedSet(BpfDir dir, Fd lock, Contexts contexts, Members members, Owners owners, Fd traffic)
      : dir_{std::move(dir)},
        lock_{std::move(lock)},
        contexts_{std::move(contexts)},
        members_{std::move(members)},
        owners_{std::move(owners)},
        traffic_{std::move(traffic)} {}
  static Result<SharedSet> open_maps(BpfDir dir, Fd lock);

  BpfDir dir_;
  Fd lock_;
  Contexts contexts_;
  Members members_;
  Owners owners_;
  Fd traffic_;
};

}  // namespace vs
