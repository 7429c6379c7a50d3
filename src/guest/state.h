// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "context/xid.h"
#include "sys/cgroup.h"
#include "sys/fd.h"
#include "sys/process.h"

namespace vs {

// How far a run is.
enum class Phase : std::uint8_t {
  Starting,  // there is no init yet
  Running,
  Waiting,   // for its guard to start it again
  Stopping,  // a stop was begun: what ends now is not started again
};

// What is remembered of a running guest, in RUN/NAME/state: lines "key value", the first
// "version 1". Written before anything is made that would have to be taken away again.
struct RunState {
  Phase phase = Phase::Starting;
  std::uint32_t xid = 0;
  std::string config;  // directory of its configuration
  bool userns = true;
  std::uint32_t ns_flags = 0;  // CLONE_NEW* that exec has to join
  ProcessId init;              // pid 0 until it is known
  ProcessId guard;
  std::int64_t started = 0;          // seconds since the epoch
  unsigned rescue = 0;               // started with --rescue: 1 by our init, 2 as process 1
  unsigned restarts = 0;             // in a row, each after an end within a minute
  std::vector<std::string> cleanup;  // what stop takes away, in the words of the network part

  bool operator==(const RunState&) const = default;
};

// CLONE_NEW* of the namespaces that every guest has on this kernel, which may be built without time
// namespaces (time_namespaces(7)).
std::uint32_t guest_namespaces();

std::string format_state(const RunState& state);
// Also of what an older program wrote: what it did not know is derived from what it did.
// Fails with Errc::Unsupported when a newer version wrote it, Errc::Config when it is broken.
Result<RunState> parse_state(const std::string& text);

// The run directory of one guest; its lock is held as long as this object lives.
class RunDir {
 public:
  // Takes the guest's lock; fails with Errc::Busy when another command keeps it that long.
  //   prefix   another lock of the same guest
  static Result<RunDir> lock(const std::string& name, int timeout_s, std::string_view prefix = "");

  // The same with a lock that is held already.
  static RunDir adopt(std::string name, Fd lock) {
    return {std::move(name), std::move(lock), Fd{}};
  }

  [[nodiscard]] Result<std::optional<RunState>> read() const { return read_state(name_); }
  Status write(const RunState& state) const;
  // Removes the state and all else that was kept for the run.
  Status clear() const;
  // Removes the lock files of a guest that is no more. Nothing of it may be touched afterwards.
  void forget() noexcept;
  // Keeps the lock for the program that this process becomes or starts.
  [[nodiscard]] const Fd& lock_fd() const noexcept { return lock_; }
  [[nodiscard]] const std::string& name() const noexcept { return name_; }

  // The state without a lock: for status and lists. Empty when the guest is not running.
  static Result<std::optional<RunState>> read_state(const std::string& name);
  // The same for many.
  //   runs   of open_runs()
  static Result<std::optional<RunState>> read_state(FdRef runs, const std::string& name);
  // The directory of the run directories; empty when there was never a guest.
  static Result<Fd> open_runs();

 private:
  RunDir(std::string name, Fd lock, Fd startup)
      : name_{std::move(name)}, lock_{std::move(lock)}, startup_{std::move(startup)} {}
  std::string name_;
  Fd lock_;
  Fd startup_;  // what util-vserver's tools would lock
};

std::string run_path(const std::string& name, const std::string& file);

// Claims an xid for a starting guest: the configured one, or a free one. The claim is the link
// RUN/xid/N -> NAME, made atomically, so that no two running guests have one xid.
// Fails with Errc::Busy naming the guest that has it.
Result<Xid> claim_xid(const std::string& name, std::optional<Xid> wanted);
// Gives a claim back; with a name only when it is this guest's.
void release_xid(std::uint32_t xid) noexcept;
void release_xid(const std::string& name, std::uint32_t xid) noexcept;
// Name of the running guest with this xid.
std::optional<std::string> guest_of(std::uint32_t xid);

// True while any process of the guest lives.
bool is_running(const std::string& name);
// Why a guest that runs is not started: Errc::Busy, or another when it is on its way down.
Error running_already(const std::string& name);

}  // namespace vs
