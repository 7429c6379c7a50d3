// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <map>
#include <string>
#include <utility>

#include "base/result.h"
#include "guest/state.h"
#include "sys/cgroup.h"
#include "sys/fd.h"

namespace vs {

// What a list says of a guest: two small files are read for it.
struct GuestBrief {
  std::string name;
  std::uint32_t xid = 0;
  bool running = false;
  bool stopping = false;  // a stop was begun and has not ended
  std::int64_t uptime_s = 0;
};

// What is to be seen of a guest from outside.
struct GuestStatus : GuestBrief {
  bool guarded = false;  // its vs-guard lives
  bool ready = false;    // its init has reported readiness
  std::size_t processes = 0;
};

// What listings call a guest: the first line of its entry 'name', else its own name. A context
// without a guest has only the former, or none.
std::string display_name(const std::string& guest);

// For lists: what is common to all guests is looked up once.
class GuestBriefs {
 public:
  static Result<GuestBriefs> open();
  Result<GuestBrief> read(const std::string& name);

 private:
  GuestBriefs(ContextSlice slice, Fd runs) : slice_{std::move(slice)}, runs_{std::move(runs)} {}
  ContextSlice slice_;
  Fd runs_;
};

Result<GuestStatus> guest_status(const std::string& name);

// Name and xid of the guest that a process of the host belongs to; xid 0 and "MAIN" for the host.
struct ContextOf {
  std::uint32_t xid = 0;
  std::string name;
};

// Which context a process is in; what was read once of a guest is kept.
class ContextMap {
 public:
  // "ERR" when there is no such process any more. Valid as long as this object.
  const ContextOf& find(int pid);

 private:
  std::map<std::string, ContextOf> known_;
};

}  // namespace vs
