// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/net_context.h"

#include <sys/stat.h>

#include <algorithm>

#include "base/log.h"
#include "base/text.h"
#include "guest/network.h"
#include "guest/paths.h"
#include "guest/state.h"
#include "net/net_flags.h"
#include "sys/cgroup.h"
#include "sys/file.h"

namespace vs {

namespace {

constexpr unsigned kCapNetRaw = 13;

// Inode of a process's user namespace.
Result<std::uint32_t> user_namespace(int pid) {
  struct stat st {};
  auto const path = fmt::format("/proc/{}/ns/user", pid);
  if (::stat(path.c_str(), &st) != 0) return Error::system(errno, "{}", path);
  return static_cast<std::uint32_t>(st.st_ino);
}

Result<std::uint64_t> cgroup_of(const std::string& name) {
  return ContextCgroup{VS_TRY(CgroupHost::find()), name}.id();
}

// Gives lo the guest's ::1. A host without IPv6 has none to give.
Result<bool> add_lback6(const Address& address) {
  if (!exists("/proc/net/if_inet6")) return false;
  auto netlink = VS_TRY(Netlink::open());
  NewAddress request;
  request.address = address;
  request.no_dad = true;
  auto done = netlink.add_address(1, request);
  if (done || done.error().sys() == EEXIST) return true;
  if (done.error().sys() == EACCES || done.error().sys() == EOPNOTSUPP) return false;
  return std::move(done).error();
}

constexpr const char* kPingRange = "/proc/sys/net/ipv4/ping_group_range";
constexpr std::uint64_t kLastGid = 0x7fffffff;  // the kernel takes no higher one there

// Lets the guest's groups ping. Where nobody may (the kernel's default; systemd lets all), the
// groups of guests are let: no group of the host is among them.
Status allow_ping(std::uint32_t xid) {
  auto const text = VS_TRY(read_file(kPingRange));
  auto const words = split_words(text);
  if (words.size() != 2) return {};
  auto const first = parse_decimal(words[0]).value_or(0);
  auto const last = parse_decimal(words[1]).value_or(0);
  std::uint64_t const base = std::uint64_t{xid} << 16U;
  if (first <= base && base + 0xffff <= last) return {};
  bool const nobody = first > last;
  bool const guests_only = last == kLastGid && first > 0xffff;
  if (base + 0xffff > kLastGid || (!nobody && !guests_only)) {
    warn("ping will be refused to context {}: {} is {} {}", xid, kPingRange, first, last);
    return {};
  }
  auto const from = std::min(base, std::uint64_t{Xid::kFirstNew} << 16U);
  return write_knob(kPingRange, fmt::format("{} {}", from, kLastGid));
}

// Guests with the host's network that started before there was a set.
Status adopt_host_guests(SharedSet& set) {
  for (auto const& name : VS_TRY(list_guests())) {
    auto const state = RunDir::read_state(name);
    if (!state || !*state) continue;
    for (auto const& item : (*state)->cleanup) {
      auto const cgroup = host_context_of(item);
      if (!cgroup || VS_TRY(set.contexts().get(*cgroup))) continue;
      NetContext context;
      context.cgroup = *cgroup;
      context.nid = (*state)->xid;
      context.host = true;
      context.lback = default_lback(context.nid);
      VS_TRY(put_context(set, context));
    }
  }
  return {};
}

}  // namespace

Result<SharedPlace> shared_place() {
  auto const host = VS_TRY(CgroupHost::find());
  auto const& slice = context_slice();
  SharedPlace place;
  place.parent = fmt::format("{}/{}", host.v2(), slice);
  // vserver.slice: below /sys/fs/bpf no name has a dot.
  place.name = slice.substr(0, slice.find('.'));
  place.fallback = Paths::get().run + "/bpf";
  place.lock = Paths::get().run + "/network.lock";
  VS_TRY(make_dirs(place.parent));
  VS_TRY(make_dirs(Paths::get().run));
  return place;
}

Result<NetContext> plan_context(const GuestConfig& config, std::uint32_t xid,
                                const std::vector<HostAddress>& addresses) {
  NetContext context;
  context.nid = xid;
  auto const flags = VS_TRY(parse_net_flags(config.nflags), "nflags");
  auto const capabilities = VS_TRY(parse_net_capabilities(config.ncapabilities), "ncapabilities");
  for (auto const& text :
       {unsupported_net_flags(flags), unsupported_net_capabilities(capabilities)}) {
    if (!text.empty()) warn("guest '{}': {}", config.name, text);
  }
  context.nflags = flags.applied_to(default_nflags());
  context.ncaps = static_cast<std::uint32_t>(capabilities.applied_to(default_ncaps()));
  context.raw = !config.userns && (config.capabilities >> kCapNetRaw & 1U) != 0;
  context.lback = config.lback.empty() ? default_lback(xid) : VS_TRY(parse_address(config.lback));
  for (auto const& entry : addresses)
    context.addresses.push_back(entry.address);
  return context;
}

Status join_shared(const GuestConfig& config, std::uint32_t xid, int init_pid,
                   const std::vector<HostAddress>& addresses) {
  auto context = VS_TRY(plan_context(config, xid, addresses));
  context.cgroup = VS_TRY(cgroup_of(config.name));
  if (config.userns) context.userns = VS_TRY(user_namespace(init_pid));
  if (config.userns && (context.ncaps & VS_NXC_RAW_ICMP) != 0) VS_TRY(allow_ping(xid));
  if (VS_TRY(add_lback6(default_lback6(xid)))) context.lback6 = default_lback6(xid);
  auto set = VS_TRY(SharedSet::ensure(VS_TRY(shared_place())));
  VS_TRY(adopt_host_guests(set));
  return put_context(set, context);
}

Status join_as_host(const std::string& name, std::uint32_t xid) {
  auto set = VS_TRY(SharedSet::open(VS_TRY(shared_place())));
  if (!set) return {};
  NetContext context;
  context.cgroup = VS_TRY(cgroup_of(name));
  context.nid = xid;
  context.host = true;
  context.lback = default_lback(xid);
  return put_context(*set, context);
}

Status leave_shared(std::uint64_t cgroup) {
  auto set = VS_TRY(SharedSet::open(VS_TRY(shared_place())));
  if (!set) return {};
  VS_TRY(erase_context(*set, cgroup));
  return set->remove_if_unused();
}

Status cover_new_devices() {
  auto const place = VS_TRY(shared_place());
  if (!VS_TRY(SharedSet::open(place))) return {};
  VS_TRY(SharedSet::ensure(place));
  return {};
}

}  // namespace vs
