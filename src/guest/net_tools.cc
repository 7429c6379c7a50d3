// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/net_tools.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/text.h"
#include "guest/net_context.h"
#include "guest/state.h"
#include "net/net_flags.h"
#include "sys/cgroup.h"
#include "sys/file.h"

namespace vs {

namespace {

constexpr std::uint32_t kFirstDynamic = 49152;
constexpr std::uint32_t kLastNid = 65535;
constexpr std::string_view kPrefix = ".nid-";

Error no_context(std::uint32_t nid) {
  return Error::make(Errc::NotFound, "there is no network context {}", nid);
}

std::string own_cgroup(const SharedPlace& place, std::uint32_t nid) {
  return fmt::format("{}/{}{}", place.parent, kPrefix, nid);
}

Result<std::uint64_t> inode_of(const std::string& path) {
  struct stat st {};
  if (::stat(path.c_str(), &st) != 0) return Error::system(errno, "cgroup {}", path);
  return st.st_ino;
}

// Contexts without a guest that nobody is in.
Status collect_unused(SharedSet& set, const SharedPlace& place) {
  Fd const dir = VS_TRY(open_path(place.parent, O_RDONLY | O_DIRECTORY));
  for (auto const& name : VS_TRY(list_dir(dir))) {
    if (!name.starts_with(kPrefix)) continue;
    auto const path = fmt::format("{}/{}", place.parent, name);
    auto const id = VS_TRY(inode_of(path));
    auto const record = VS_TRY(set.contexts().get(id));
    if (record && (record->nflags & kNetPersistent) != 0) continue;
    // Fails while a process is inside.
    if (::rmdir(path.c_str()) == 0) VS_TRY(erase_context(set, id));
  }
  return {};
}

Result<std::uint32_t> free_nid(SharedSet& set) {
  auto const all = VS_TRY(list_contexts(set));
  for (auto nid = kFirstDynamic; nid <= kLastNid; ++nid) {
    if (std::none_of(all.begin(), all.end(), [&](const NetContext& c) { return c.nid == nid; }))
      return nid;
  }
  return Error::make(Errc::Busy, "no network context id is free");
}

// The set, which must be there when a context is.
Result<SharedSet> open_set(std::uint32_t nid) {
  auto set = VS_TRY(SharedSet::open(VS_TRY(shared_place())));
  if (!set) return no_context(nid);
  return std::move(*set);
}

Result<NetContext> find_in(SharedSet& set, std::uint32_t nid) {
  auto found = VS_TRY(find_context(set, nid));
  if (!found) return no_context(nid);
  return std::move(*found);
}

Status change_allowed(const NetContext& context) {
  if ((context.nflags & kNetLock) == 0) return {};
  return Error::make(Errc::Busy, "network context {} is locked (nflag lock)", context.nid);
}

bool has(const NetContext& context, const Address& address) {
  return std::any_of(context.addresses.begin(), context.addresses.end(),
                     [&](const Address& one) { return one.same_host(address); });
}

}  // namespace

Result<Address> parse_net_address(const std::string& text) {
  auto const slash = text.find('/');
  auto const host = text.substr(0, slash);
  auto parsed = parse_address(host);
  if (!parsed) {
    auto netlink = VS_TRY(Netlink::open());
    auto const link = VS_TRY(netlink.find_link(host));
    if (!link) return Error::make(Errc::Usage, "'{}' is neither an address nor a device", host);
    for (auto const& one : VS_TRY(netlink.addresses())) {
      if (one.link == *link && one.address.family == AF_INET) return one.address;
    }
    return Error::make(Errc::Usage, "device '{}' has no IPv4 address", host);
  }
  if (slash == std::string::npos) return parsed;
  auto const mask = text.substr(slash + 1);
  parsed->prefix = mask.find('.') != std::string::npos ? VS_TRY(parse_mask(mask))
                                                       : VS_TRY(parse_prefix(mask, parsed->family));
  return parsed;
}

Status check_settings(const NetSettings& settings) {
  for (auto const& text :
       {unsupported_net_flags(settings.nflags), unsupported_net_capabilities(settings.ncaps)}) {
    if (!text.empty()) return Error::make(Errc::Unsupported, "{}", text);
  }
  return {};
}

Result<std::uint32_t> create_net_context(std::optional<std::uint32_t> nid,
                                         const NetSettings& settings) {
  VS_TRY(check_settings(settings));
  auto const place = VS_TRY(shared_place());
  auto set = VS_TRY(SharedSet::ensure(place));
  VS_TRY(collect_unused(set, place));
  NetContext context;
  context.nid = nid ? *nid : VS_TRY(free_nid(set));
  if (VS_TRY(find_context(set, context.nid)))
    return Error::make(Errc::Busy, "there is a network context {} already", context.nid);
  context.nflags = settings.nflags.applied_to(default_nflags());
  context.ncaps = static_cast<std::uint32_t>(settings.ncaps.applied_to(default_ncaps()));
  context.lback = settings.lback ? *settings.lback : default_lback(context.nid);
  context.addresses = settings.addresses;
  auto const cgroup = own_cgroup(place, context.nid);
  if (::mkdir(cgroup.c_str(), 0755) != 0 && errno != EEXIST)
    return Error::system(errno, "mkdir {}", cgroup);
  context.cgroup = VS_TRY(inode_of(cgroup));
  VS_TRY(put_context(set, context));
  return context.nid;
}

Status enter_net_context(std::uint32_t nid) {
  auto const place = VS_TRY(shared_place());
  {
    auto set = VS_TRY(open_set(nid));
    auto const context = VS_TRY(find_in(set, nid));
    if ((context.nflags & kNetPrivate) != 0)
      return Error::make(Errc::Busy, "network context {} may not be entered (nflag private)", nid);
  }
  auto const own = own_cgroup(place, nid);
  if (exists(own)) return write_knob(own + "/cgroup.procs", "0");
  auto const guest = guest_of(nid);
  if (!guest) return no_context(nid);
  // Beside the guest's own cgroup, so that it is none of the guest's processes.
  ContextCgroup const cgroup{VS_TRY(CgroupHost::find()), *guest};
  auto const path = cgroup.context_path() + "/net";
  if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST)
    return Error::system(errno, "mkdir {}", path);
  return write_knob(path + "/cgroup.procs", "0");
}

Result<std::uint32_t> own_net_context() {
  auto const text = VS_TRY(read_file("/proc/self/cgroup"));
  auto const prefix = fmt::format("/{}/", context_slice());
  for (auto const line : split_lines(text)) {
    if (!line.starts_with("0::")) continue;
    auto const at = line.find(prefix);
    if (at == std::string_view::npos) return 0U;
    auto const rest = line.substr(at + prefix.size());
    auto const place = VS_TRY(shared_place());
    auto const id =
        VS_TRY(inode_of(fmt::format("{}/{}", place.parent, rest.substr(0, rest.find('/')))));
    auto set = VS_TRY(SharedSet::open(place));
    if (!set) return 0U;
    auto const record = VS_TRY(set->contexts().get(id));
    return record ? record->nid : 0U;
  }
  return 0U;
}

Status change_addresses(std::uint32_t nid, AddressChange change,
                        const std::vector<Address>& addresses,
                        const std::optional<Address>& lback) {
  auto set = VS_TRY(open_set(nid));
  auto context = VS_TRY(find_in(set, nid));
  VS_TRY(change_allowed(context));
  if (lback) {
    return Error::make(Errc::Unsupported, "the loopback address of a context with sockets stays")
        .hint("give it when the context is made: chbind --lback, or interfaces/lback");
  }
  if (change == AddressChange::Set) context.addresses.clear();
  for (auto const& address : addresses) {
    bool const known = has(context, address);
    if (change != AddressChange::Remove) {
      if (known)
        return Error::system(EEXIST, "network context {}: address {}", nid, format_host(address));
      context.addresses.push_back(address);
      continue;
    }
    if (!known)
      return Error::system(ESRCH, "network context {}: address {}", nid, format_host(address));
    std::erase_if(context.addresses, [&](const Address& one) { return one.same_host(address); });
  }
  // As the original: with a second IPv4 address it is no longer single.
  auto const n4 = std::count_if(context.addresses.begin(), context.addresses.end(),
                                [](const Address& a) { return a.family == AF_INET; });
  if (n4 > 1) context.nflags &= ~VS_NXF_SINGLE_IP;
  return put_context(set, context);
}

Status change_attributes(std::uint32_t nid, const FlagChange& nflags, const FlagChange& ncaps) {
  VS_TRY(check_settings({{}, {}, nflags, ncaps}));
  auto set = VS_TRY(open_set(nid));
  auto context = VS_TRY(find_in(set, nid));
  context.nflags = nflags.applied_to(context.nflags);
  context.ncaps = static_cast<std::uint32_t>(ncaps.applied_to(context.ncaps));
  return put_context(set, context);
}

Result<NetContext> read_net_context(std::uint32_t nid) {
  auto set = VS_TRY(open_set(nid));
  return find_in(set, nid);
}

Result<std::optional<NetReport>> report_net_context(std::uint32_t nid) {
  auto set = VS_TRY(SharedSet::open(VS_TRY(shared_place())));
  if (!set) return std::optional<NetReport>{};
  auto context = VS_TRY(find_context(*set, nid));
  if (!context) return std::optional<NetReport>{};
  auto const traffic = VS_TRY(set->traffic(context->cgroup));
  return std::optional{NetReport{std::move(*context), traffic, set->own_names()}};
}

}  // namespace vs
