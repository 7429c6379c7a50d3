// SPDX-License-Identifier: GPL-2.0-or-later
#include "limit/sockets.h"

#include <linux/bpf.h>

#include <array>
#include <cerrno>
#include <memory>
#include <string_view>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/sockets.h"
#include "limit/resource.h"
#include "sockets.skel.h"
#include "sys/bpf.h"

namespace vs {

namespace {

// As the kernel lays the value of the map out: a spin lock in front.
struct Counted {
  std::uint32_t lock;
  std::uint32_t padding;
  vs_socket_counts counts;
};

struct Maps {
  Fd counts, limit;
};

struct Destroy {
  void operator()(sockets* skeleton) const noexcept { sockets::destroy(skeleton); }
};

// The map of this name that a program uses.
Fd map_of(const bpf_prog_info& program, std::span<const std::uint32_t> ids, std::string_view name) {
  for (std::size_t i = 0; i < program.nr_map_ids && i < ids.size(); ++i) {
    Fd map{::bpf_map_get_fd_by_id(ids[i])};
    bpf_map_info info{};
    __u32 size = sizeof info;
    if (map && ::bpf_obj_get_info_by_fd(map.get(), &info, &size) == 0 && name == info.name)
      return map;
  }
  return {};
}

std::optional<Maps> find_maps(const ContextCgroup& cgroup) {
  auto const dir = cgroup.open_guest();
  if (!dir) return std::nullopt;
  std::array<std::uint32_t, 64> programs{};
  __u32 n = programs.size();
  if (::bpf_prog_query(dir->get(), BPF_CGROUP_INET_SOCK_CREATE, 0, nullptr, programs.data(), &n) !=
      0)
    return std::nullopt;
  for (__u32 i = 0; i < n; ++i) {
    Fd const program{::bpf_prog_get_fd_by_id(programs.at(i))};
    bpf_prog_info info{};
    std::array<std::uint32_t, 8> ids{};
    info.nr_map_ids = ids.size();
    info.map_ids = reinterpret_cast<std::uint64_t>(ids.data());
    __u32 size = sizeof info;
    if (!program || ::bpf_obj_get_info_by_fd(program.get(), &info, &size) != 0) continue;
    if (std::string_view{info.name} != "vs_socket_made") continue;
    return Maps{map_of(info, ids, "vs_counts"), map_of(info, ids, "vs_limit")};
  }
  return std::nullopt;
}

constexpr std::uint32_t kOnly = 0;

Error cannot(int err, const char* what) {
  return Error::system(err, "nsock: {}", what)
      .with_code(Errc::Unsupported)
      .hint("counting sockets needs CONFIG_CGROUP_BPF and CONFIG_DEBUG_INFO_BTF");
}

Status attach(const ContextCgroup& cgroup, std::uint64_t limit) {
  ::libbpf_set_print(nullptr);
  std::unique_ptr<sockets, Destroy> const skeleton{sockets::open()};
  if (!skeleton) return cannot(errno, "open the programs");
  if (int const err = sockets::load(skeleton.get()); err != 0)
    return cannot(-err, "load the programs");
  VS_TRY(bpf_raw::update(FdRef::raw(::bpf_map__fd(skeleton->maps.vs_limit)), &kOnly, &limit));
  Fd const dir = VS_TRY(cgroup.open_guest());
  // The one that takes back first: nothing is counted that would stay.
  for (auto const& [program, type] :
       {std::pair{skeleton->progs.vs_socket_gone, BPF_CGROUP_INET_SOCK_RELEASE},
        std::pair{skeleton->progs.vs_socket_made, BPF_CGROUP_INET_SOCK_CREATE}}) {
    if (::bpf_prog_attach(::bpf_program__fd(program), dir.get(), type, BPF_F_ALLOW_MULTI) != 0)
      return cannot(errno, "attach the programs");
  }
  return {};
}

}  // namespace

std::optional<SocketUse> read_sockets(const ContextCgroup& cgroup) {
  auto const maps = find_maps(cgroup);
  if (!maps || !maps->counts || !maps->limit) return std::nullopt;
  Counted counted{};
  SocketUse out;
  auto const read = bpf_raw::lookup(maps->counts, &kOnly, &counted);
  auto const limit = bpf_raw::lookup(maps->limit, &kOnly, &out.limit);
  if (!read || !limit) return std::nullopt;
  out.current = counted.counts.current;
  out.maximum = counted.counts.maximum;
  out.hits = counted.counts.hits;
  return out;
}

Status limit_sockets(const ContextCgroup& cgroup, std::uint64_t limit) {
  auto const maps = find_maps(cgroup);
  if (maps && maps->limit) return bpf_raw::update(maps->limit, &kOnly, &limit);
  if (limit == kUnlimited) return {};
  return attach(cgroup, limit);
}

}  // namespace vs
