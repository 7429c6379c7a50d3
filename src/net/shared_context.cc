// SPDX-License-Identifier: GPL-2.0-or-later
#include "net/shared_context.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

namespace vs {

namespace {

vs_addr encode(const Address& address) {
  vs_addr out{};
  if (address.family == AF_INET) {
    out.w[2] = htonl(0xffff);
    std::memcpy(&out.w[3], address.bytes.data(), 4);
  } else {
    std::memcpy(out.w, address.bytes.data(), sizeof out.w);
  }
  return out;
}

Address decode(const vs_addr& addr, unsigned prefix) {
  Address out;
  if (addr.w[0] == 0 && addr.w[1] == 0 && addr.w[2] == htonl(0xffff)) {
    std::memcpy(out.bytes.data(), &addr.w[3], 4);
  } else {
    out.family = AF_INET6;
    std::memcpy(out.bytes.data(), addr.w, sizeof addr.w);
  }
  out.prefix = prefix;
  return out;
}

std::uint32_t encode4(const Address& address) {
  return encode(address).w[3];
}

bool same(const vs_addr& a, const vs_addr& b) {
  return std::memcmp(&a, &b, sizeof a) == 0;
}

bool is_zero(const vs_addr& a) {
  return same(a, vs_addr{});
}

vs_addr mask_of(unsigned prefix) {
  vs_addr mask{};
  for (unsigned i = 0; i < 4; ++i) {
    unsigned const ones = prefix > 32 * i ? std::min(prefix - 32 * i, 32U) : 0;
    mask.w[i] = htonl(ones == 0 ? 0 : ~0U << (32 - ones));
  }
  return mask;
}

unsigned prefix_of(const vs_addr& mask) {
  unsigned n = 0;
  for (auto const word : mask.w)
    n += static_cast<unsigned>(__builtin_popcount(word));
  return n;
}

// Puts the present anchor in front of the former ones; those that are too many fall off.
template <class T, std::size_t N, class Same>
void push_anchor(T (&now)[N], const T& first, const T* before, Same equal, const T& none) {
  now[0] = first;
  std::size_t n = 1;
  for (std::size_t i = 0; before != nullptr && i < N && n < N; ++i) {
    if (!equal(before[i], none) && !equal(before[i], first)) now[n++] = before[i];
  }
}

Address nth(const Address& base, std::uint32_t nid) {
  Address out = base;
  out.bytes[14] = static_cast<std::uint8_t>(nid >> 8U);
  out.bytes[15] = static_cast<std::uint8_t>(nid);
  return out;
}

}  // namespace

Address default_lback(std::uint32_t nid) {
  return {
      AF_INET, {127, static_cast<std::uint8_t>(nid >> 8U), static_cast<std::uint8_t>(nid), 1}, 32};
}

Address default_lback6(std::uint32_t nid) {
  return nth({AF_INET6, {0xfd, 0x76, 0x73, 0x65, 0x72, 0x76, 0x65, 0x72}, 128}, nid);
}

vs_context encode_context(const NetContext& context, const vs_context* before) {
  vs_context out{};
  out.nflags = context.nflags;
  out.ncaps = context.ncaps;
  out.nid = context.nid;
  if (context.host) out.mode |= VS_MODE_HOST;
  if (context.raw) out.mode |= VS_MODE_RAW;
  out.userns = context.userns;
  out.lback4 = encode4(context.lback);
  if (context.lback6) out.lback6 = encode(*context.lback6);
  for (auto const& address : context.addresses) {
    if (address.family == AF_INET && out.n4 < VS_NET_SOURCES) {
      out.source4[out.n4++] = {encode4(address), mask_of(address.prefix).w[0]};
    } else if (address.family == AF_INET6 && out.n6 < VS_NET_SOURCES) {
      out.source6[out.n6++] = {encode(address), mask_of(address.prefix)};
    }
  }
  push_anchor(
      out.anchor4, out.n4 != 0 ? out.source4[0].addr : out.lback4,
      before != nullptr ? before->anchor4 : nullptr,
      [](std::uint32_t a, std::uint32_t b) { return a == b; }, 0U);
  push_anchor(out.anchor6, out.n6 != 0 ? out.source6[0].addr : out.lback6,
              before != nullptr ? before->anchor6 : nullptr, same, vs_addr{});
  return out;
}

NetContext decode_context(std::uint64_t cgroup, const vs_context& record) {
  NetContext out;
  out.cgroup = cgroup;
  out.nid = record.nid;
  out.nflags = record.nflags;
  out.ncaps = record.ncaps;
  out.host = (record.mode & VS_MODE_HOST) != 0;
  out.raw = (record.mode & VS_MODE_RAW) != 0;
  out.userns = record.userns;
  auto const mapped = [](std::uint32_t ip) { return vs_addr{{0, 0, htonl(0xffff), ip}}; };
  out.lback = decode(mapped(record.lback4), 32);
  if (!is_zero(record.lback6)) out.lback6 = decode(record.lback6, 128);
  for (std::uint32_t i = 0; i < record.n4; ++i) {
    auto const& one = record.source4[i];
    out.addresses.push_back(
        decode(mapped(one.addr), static_cast<unsigned>(__builtin_popcount(one.mask))));
  }
  for (std::uint32_t i = 0; i < record.n6; ++i)
    out.addresses.push_back(decode(record.source6[i].addr, prefix_of(record.source6[i].mask)));
  return out;
}

namespace {

// Does a packet to this address reach the sockets of all its contexts without steering?
bool is_direct(SharedSet& set, const vs_addr& addr, const vs_owner& owner) {
  bool const v4 = addr.w[0] == 0 && addr.w[1] == 0 && addr.w[2] == htonl(0xffff);
  for (auto const context : owner.context) {
    if (context == 0) break;
    auto const record = set.contexts().get(context);
    if (!record || !*record || !v4) return false;
    auto const& anchors = (*record)->anchor4;
    if (anchors[0] != addr.w[3] || anchors[1] != 0) return false;
  }
  return true;
}

Status own(SharedSet& set, std::uint64_t context, const vs_addr& addr) {
  auto owner = VS_TRY(set.owners().get(addr)).value_or(vs_owner{});
  auto* const end = std::end(owner.context);
  auto* at = std::find(owner.context, end, context);
  if (at == end) at = std::find(owner.context, end, 0U);
  if (at == end) {
    return Error::make(Errc::Config, "address {} has {} contexts already, as many as can share one",
                       format_host(decode(addr, 0)), +VS_NET_SHARERS);
  }
  *at = context;
  owner.direct = is_direct(set, addr, owner) ? 1 : 0;
  return set.owners().put(addr, owner);
}

Status disown(SharedSet& set, std::uint64_t context, const vs_addr& addr) {
  auto owner = VS_TRY(set.owners().get(addr));
  if (!owner) return {};
  auto* const end = std::remove(std::begin(owner->context), std::end(owner->context), context);
  std::fill(end, std::end(owner->context), 0U);
  if (owner->context[0] == 0) return set.owners().erase(addr);
  owner->direct = is_direct(set, addr, *owner) ? 1 : 0;
  return set.owners().put(addr, *owner);
}

Result<std::vector<vs_member>> members_of(SharedSet& set, std::uint64_t context) {
  auto all = VS_TRY(set.members().keys());
  std::erase_if(all, [&](const vs_member& m) { return m.context != context; });
  return all;
}

std::vector<vs_addr> loopbacks(const NetContext& context) {
  std::vector<vs_addr> out{encode(context.lback)};
  if (context.lback6) out.push_back(encode(*context.lback6));
  return out;
}

}  // namespace

Status put_context(SharedSet& set, const NetContext& context) {
  auto const before = VS_TRY(set.contexts().get(context.cgroup));
  std::vector<vs_addr> wanted;
  for (auto const& address : context.addresses) {
    wanted.push_back(encode(address));
    VS_TRY(set.members().put({context.cgroup, wanted.back()},
                             static_cast<std::uint8_t>(address.prefix)));
  }
  if (!before) VS_TRY(set.start_counting(context.cgroup));
  VS_TRY(set.contexts().put(context.cgroup, encode_context(context, before ? &*before : nullptr)));
  for (auto const& addr : wanted)
    VS_TRY(own(set, context.cgroup, addr));
  for (auto const& addr : loopbacks(context))
    VS_TRY(own(set, context.cgroup, addr));
  if (!before) return {};
  for (auto const& member : VS_TRY(members_of(set, context.cgroup))) {
    bool const kept = std::any_of(wanted.begin(), wanted.end(),
                                  [&](const vs_addr& a) { return same(a, member.addr); });
    if (kept) continue;
    VS_TRY(set.members().erase(member));
    VS_TRY(disown(set, context.cgroup, member.addr));
  }
  return {};
}

Status erase_context(SharedSet& set, std::uint64_t cgroup) {
  auto const record = VS_TRY(set.contexts().get(cgroup));
  for (auto const& member : VS_TRY(members_of(set, cgroup))) {
    VS_TRY(disown(set, cgroup, member.addr));
    VS_TRY(set.members().erase(member));
  }
  if (!record) return {};
  for (auto const& addr : loopbacks(decode_context(cgroup, *record)))
    VS_TRY(disown(set, cgroup, addr));
  VS_TRY(set.contexts().erase(cgroup));
  return set.stop_counting(cgroup);
}

Result<std::vector<NetContext>> list_contexts(SharedSet& set) {
  std::vector<NetContext> out;
  auto const members = VS_TRY(set.members().keys());
  for (auto const cgroup : VS_TRY(set.contexts().keys())) {
    auto const record = VS_TRY(set.contexts().get(cgroup));
    if (!record) continue;
    auto context = decode_context(cgroup, *record);
    for (auto const& member : members) {
      if (member.context != cgroup) continue;
      auto const prefix = VS_TRY(set.members().get(member)).value_or(0);
      auto const address = decode(member.addr, prefix);
      bool const known = std::any_of(context.addresses.begin(), context.addresses.end(),
                                     [&](const Address& a) { return a.same_host(address); });
      if (!known) context.addresses.push_back(address);
    }
    out.push_back(std::move(context));
  }
  std::sort(out.begin(), out.end(),
            [](const NetContext& a, const NetContext& b) { return a.nid < b.nid; });
  return out;
}

Result<std::optional<NetContext>> find_context(SharedSet& set, std::uint32_t nid) {
  for (auto& context : VS_TRY(list_contexts(set))) {
    if (context.nid == nid) return std::optional{std::move(context)};
  }
  return std::optional<NetContext>{};
}

std::uint64_t default_nflags() {
  return VS_NXF_LBACK_REMAP | VS_NXF_HIDE_LBACK;
}

std::uint32_t default_ncaps() {
  return VS_NXC_RAW_ICMP;
}

}  // namespace vs
