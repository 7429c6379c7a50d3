// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "context/xid.h"
#include "guest/state.h"
#include "rootfs/tree_plan.h"
#include "sys/cgroup.h"
#include "sys/fd.h"

namespace vs {

// What runs in a workshop.
struct WorkPlan {
  std::string root;         // directory of the host that becomes "/"
  std::vector<TreeOp> ops;  // mounts and links besides those that every guest has
  std::vector<std::string> argv;
  std::vector<std::string> envp;
  std::array<int, 3> stdio{-1, -1, -1};  // -1: the caller's own
};

// One program that works on a guest's tree while the guest is being made: with the guest's ids,
// capabilities and system call filter, in its own namespaces and cgroup, without network. What the
// tree or an archive can make of the program, it can hurt nobody but the guest. Writes are not
// synced one by one (fsync(2) and its kin succeed at once): the caller syncs the tree at the end.
class Workshop {
 public:
  // The caller holds the guest's lock and the claim of its xid. Returns when the program runs.
  static Result<Workshop> start(const RunDir& run, Xid xid, const WorkPlan& plan);
  Workshop(Workshop&& o) noexcept
      : cgroup_{std::move(o.cgroup_)},
        pid_{std::exchange(o.pid_, -1)},
        pidfd_{std::move(o.pidfd_)} {}
  Workshop& operator=(Workshop&&) = delete;
  // Ends what still runs and takes the cgroup away.
  ~Workshop();

  [[nodiscard]] FdRef pidfd() const noexcept { return FdRef{pidfd_}; }
  // Exit status as a shell sees it; after pidfd() became readable.
  Result<int> wait();

 private:
  explicit Workshop(ContextCgroup cgroup) : cgroup_{std::move(cgroup)} {}
  ContextCgroup cgroup_;
  pid_t pid_ = 0;  // of the program; 0: none yet, -1: moved from
  Fd pidfd_;
};

}  // namespace vs
