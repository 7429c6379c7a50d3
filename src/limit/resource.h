// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace vs {

// No limit, in every unit.
inline constexpr std::uint64_t kUnlimited = ~std::uint64_t{0};

// What counts a resource and stops a guest at its limit.
enum class Holder : std::uint8_t {
  Cgroup,         // a control group: the whole guest, changed while it runs
  UserNamespace,  // counted by the guest's user namespace: the whole guest, fixed at its start
  IpcNamespace,   // a sysctl of the guest's IPC namespace; its root can make namespaces anew
  EachProcess,    // setrlimit(2): each process on its own, not their sum
  Program,        // a BPF program on the cgroup (limit/sockets.h): the whole guest
  Nothing,        // no mechanism of a stock kernel: refused by name
};

// The three limits that a resource may have.
enum class LimitKind : std::uint8_t { Min, Soft, Hard };

enum class Unit : std::uint8_t { Count, Pages, Bytes, Seconds };

// A resource whose use by a whole guest can be asked for a limit.
struct Resource {
  std::string_view name;   // as in rlimits/NAME and vlimit
  std::string_view alias;  // what people say; may be empty
  int id;                  // number in the original, -1: not there
  Unit unit;               // of numbers in rlimits/ and vlimit
  Holder holder;
  int rlimit;            // RLIMIT_* when a namespace or each process holds it, else -1
  std::string_view min;  // knob of cgroup v2 or sysctl for each kind; empty: this kind is refused
  std::string_view soft;
  std::string_view hard;
  std::string_view note;  // how it is held, or why nothing can
};

// All of them, in the original's order, then those it did not have.
std::span<const Resource> resources();

// By name or alias in any case; null when there is none.
const Resource* find_resource(std::string_view name);
const Resource* find_resource(int id);

// Bytes of one unit, 1 for counts and seconds.
std::uint64_t unit_size(Unit unit);

// The knob or sysctl that holds one kind of limit; empty when this kind is refused.
std::string_view knob_of(const Resource& resource, LimitKind kind);
std::string_view kind_name(LimitKind kind);

// What people write: "512M" (1024-based, B K M G T), "30%" of `whole` if that is not 0, a number,
// or inf, max, none, unlimited. Fails with Errc::Usage.
Result<std::uint64_t> parse_amount(std::string_view text, std::uint64_t whole = 0);

}  // namespace vs
