// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "sys/fd.h"

namespace vs {

// The host's cgroup hierarchies, found by reading /proc/self/mountinfo: unified (all controllers
// on v2), or hybrid (v1 controllers beside a v2 tree that only tracks processes).
class CgroupHost {
 public:
  struct V1 {
    std::string mount;
    std::vector<std::string> controllers;
  };

  // Fails with Errc::Unsupported when no v2 tree is mounted anywhere.
  static Result<CgroupHost> find();
  // The same from given text, for tests.
  static Result<CgroupHost> parse(const std::string& mountinfo);

  [[nodiscard]] const std::string& v2() const noexcept { return v2_; }
  [[nodiscard]] const std::vector<V1>& v1() const noexcept { return v1_; }
  // True when no controller is on v1; a named hierarchy ("name=systemd") may be there.
  [[nodiscard]] bool unified() const noexcept;
  // Mount point of the hierarchy that has this controller: v1 if there, else v2.
  [[nodiscard]] const std::string& mount_of(std::string_view controller) const;
  [[nodiscard]] bool is_v1(std::string_view controller) const;

 private:
  static std::optional<CgroupHost> only_unified();

  std::string v2_;
  std::vector<V1> v1_;
};

// The parent of all contexts' cgroups: "vserver.slice", or what VSERVER_SLICE says for tests.
const std::string& context_slice();

// A context's cgroup in every hierarchy, and on v2 below it `guest` (the root of the guest's cgroup
// namespace). Where systemd manages the host it is `vserver.slice/vserver-NAME.scope/context`,
// below the scope because systemd writes the scope's own knobs at each daemon-reload, and the guard
// is in a service of its own; elsewhere it is `vserver.slice/NAME` with a `guard` beside `guest`.
class ContextCgroup {
 public:
  // Finds where it is by looking; what is not there yet will be `vserver.slice/NAME`.
  ContextCgroup(CgroupHost host, const std::string& name);
  // From here on it is the scope of this guest, which exists.
  void enter_scope();
  static std::string scope_unit(std::string_view name);
  // Moves a process into `guest`, by a write to cgroup.procs.
  Status adopt(int pid) const;

  // Makes it everywhere; what is there already is taken over.
  Status create();
  // Hands the controllers down to `guest`; no process may be above it any more.
  Status enable();
  // Makes what is needed to be born in `guard`, and opens that.
  Result<Fd> create_guard();
  // Moves the calling process to the root cgroup, so that `guard` can be removed.
  Status leave() const { return write_own(host_.v2()); }
  // Hands `guest` to its root: processes, subtree control and threads of uid and gid `owner`.
  Status delegate(std::uint32_t owner);
  // Removes it everywhere; fails with EBUSY while processes are left. Nothing there is success.
  Status remove();

  // The child of the slice that the context is, or is in.
  [[nodiscard]] std::string context_path() const {
    return host_.v2() + "/" + (in_scope() ? scope_ : dir_);
  }
  [[nodiscard]] std::string guest_path() const { return v2_path() + "/guest"; }
  [[nodiscard]] std::string guard_path() const { return v2_path() + "/guard"; }
  [[nodiscard]] const CgroupHost& host() const noexcept { return host_; }

  // `tasks` of each v1 hierarchy, open for writing: a single thread that writes "0" there moves
  // itself without the grace period that a write to cgroup.procs costs.
  //   all   false: an older program may have left the context out of some
  Result<std::vector<Fd>> open_v1_procs(bool all = true) const;
  // A descriptor of `guest` for CLONE_INTO_CGROUP.
  Result<Fd> open_guest() const;
  // The same for the cgroup that the guest's init sits in: `guest` itself takes no process once
  // an init such as systemd has handed controllers to its children.
  Result<Fd> open_beside(int init_pid) const;

  // Id of the child of the slice that the context is, or is in: the inode of its directory on v2.
  Result<std::uint64_t> id() const;

  // True when `guest` is there, and when anything of it is there.
  [[nodiscard]] bool exists() const;
  [[nodiscard]] bool left_over() const;
  // True while any process is in the guest.
  [[nodiscard]] bool populated() const;
  // Ids of all processes in the guest, nested cgroups included.
  Result<std::vector<int>> processes() const;
  // Kills every process of the guest at once (cgroup.kill, Linux 5.14).
  Status kill_all();
  // Waits until it is empty; false when the time is over.
  Result<bool> wait_empty(int timeout_ms);

  // A knob of the context by controller, e.g. ("memory", "memory.max") on v2.
  Result<std::string> read_knob_of(std::string_view controller, const std::string& knob) const;
  Status write_knob_of(std::string_view controller, const std::string& knob, std::string_view text);

  // Makes the parent of all contexts weigh what they weigh together when processors are short: by
  // default each guest as much as one process of the host, and not all of them. To be asked after a
  // context came or changed its weight; remove() does it. Nothing where systemd manages the host:
  // there slices stand beside slices, and share by CPUWeight.
  [[nodiscard]] Status weigh() const;

 private:
  static Status write_own(const std::string& path);
  [[nodiscard]] bool in_scope() const {
    return dir_.size() > scope_.size() && dir_.starts_with(scope_);
  }
  [[nodiscard]] std::string v2_path() const { return host_.v2() + "/" + dir_; }
  [[nodiscard]] std::string path_of(std::string_view controller) const;

  CgroupHost host_;
  // Below a hierarchy's mount: the scope that it has under systemd, and its own directory.
  std::string scope_;
  std::string dir_;
};

// Which of many guests run, for lists: the slice is looked up once.
class ContextSlice {
 public:
  // A slice that does not exist is no error: nothing runs in it.
  static ContextSlice open(const CgroupHost& host);
  // As ContextCgroup::populated().
  [[nodiscard]] bool populated(const std::string& name);

 private:
  Fd dir_;
  bool scopes_first_ = false;  // where the last one was found
};

// Name of the guest that a process with this path in the unified hierarchy belongs to; empty for
// the host's own, guards among them.
std::string guest_of_cgroup(std::string_view path);
// Names of all guests that have a cgroup.
std::vector<std::string> guests_with_cgroup(const CgroupHost& host);

}  // namespace vs
