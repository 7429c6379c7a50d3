// SPDX-License-Identifier: GPL-2.0-or-later
#include "net/shared_load.h"

#include <net.skel.h>
#include <net/if.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <string_view>
#include <vector>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/log.h"
#include "base/scope_exit.h"
#include "base/text.h"
#include "bpf/abi.h"
#include "net/shared_names.h"
#include "sys/bpf.h"
#include "sys/file.h"

namespace vs {

namespace {

struct Destroy {
  void operator()(net* skeleton) const noexcept { net::destroy(skeleton); }
};
using Skeleton = std::unique_ptr<net, Destroy>;
using State = BpfMap<std::uint32_t, vs_state>;

struct Hook {
  std::string_view pin;  // name of the link's pin
  bpf_program* (*program)(const net&);
};

#define VS_HOOK(name)                                     \
  Hook {                                                  \
#name, [](const net& s) { return s.progs.vs_##name; } \
  }
// The guard comes first: what has no rule yet gets no packet out.
constexpr std::array kHooks{
    VS_HOOK(egress),       VS_HOOK(ingress),      VS_HOOK(sock_create),  VS_HOOK(sock_release),
    VS_HOOK(setsockopt),   VS_HOOK(bind4_hook),   VS_HOOK(bind6_hook),   VS_HOOK(connect4),
    VS_HOOK(connect6),     VS_HOOK(sendmsg4),     VS_HOOK(sendmsg6),     VS_HOOK(recvmsg4),
    VS_HOOK(recvmsg6),     VS_HOOK(getpeername4), VS_HOOK(getpeername6), VS_HOOK(getsockname4),
    VS_HOOK(getsockname6),
};
#undef VS_HOOK

// What each device gets: the pin of the program, and in front of the device's number of the link.
struct Direction {
  std::string_view program;
  std::string_view link;
  bpf_tc_attach_point filter;
  bool out;
};
constexpr std::array kDirections{Direction{"prog_steer", "in_", BPF_TC_INGRESS, false},
                                 Direction{"prog_leave", "out_", BPF_TC_EGRESS, true}};
constexpr std::string_view kLookupPin = "link_lookup";
constexpr std::string_view kLookupProgramPin = "prog_lookup";
// Our filter on a device of a kernel without tcx: "vs" as priority.
constexpr std::uint32_t kFilterHandle = 1;
constexpr std::uint32_t kFilterPriority = 0x7673;

std::uint64_t programs_hash() {
  std::size_t size = 0;
  auto const* const bytes = net::elf_bytes(&size);
  return hash_bytes(bytes, size) ^ names_hash();
}

Result<std::uint64_t> cgroup_id(const std::string& path) {
  struct stat st {};
  // The id of a cgroup is the inode of its directory.
  if (::stat(path.c_str(), &st) != 0) return Error::system(errno, "cgroup {}", path);
  return st.st_ino;
}

Result<Skeleton> open_skeleton() {
  quiet_libbpf();
  Skeleton skeleton{net::open()};
  if (!skeleton) return Error::system(errno, "open the network programs");
  return skeleton;
}

Error load_error(int err) {
  return Error::system(err, "load the network programs")
      .with_code(Errc::Unsupported)
      .hint(
          "the shared network needs Linux 6.1 with CONFIG_CGROUP_BPF and "
          "CONFIG_DEBUG_INFO_BTF; 'net/mode' private works without (-vv shows why)");
}

// Runs a body in a child process inside a fresh cgroup below parent.
template <class Body>
Status in_cgroup(const std::string& parent, Body body) {
  auto const path = fmt::format("{}/.probe-{}", parent, ::getpid());
  if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST)
    return Error::system(errno, "mkdir {}", path);
  pid_t const pid = ::fork();
  if (pid == 0) {
    if (!write_knob(path + "/cgroup.procs", "0")) ::_exit(1);
    body();
    ::_exit(0);
  }
  int status = -1;
  while (pid > 0 && ::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  ::rmdir(path.c_str());
  if (status != 0) return Error::make(Errc::System, "no process could enter {}", path);
  return {};
}

// The level of a context's cgroup below the root of all. Asked of the kernel: when we run in a
// container of our own, what we see of the tree does not tell.
Result<std::uint32_t> measure_level(const std::string& parent) {
  Skeleton const probe = VS_TRY(open_skeleton());
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, probe->obj)
      bpf_program__set_autoload(program, program == probe->progs.vs_probe_level);
  if (int const err = net::load(probe.get()); err != 0) return load_error(-err);
  std::uint32_t const zero = 0;
  vs_state state{};
  state.parent = VS_TRY(cgroup_id(parent));
  auto const map = FdRef::raw(bpf_map__fd(probe->maps.state));
  VS_TRY(bpf_raw::update(map, &zero, &state));
  Fd const dir = VS_TRY(open_path(parent, O_RDONLY | O_DIRECTORY));
  bpf_link* const link = bpf_program__attach_cgroup(probe->progs.vs_probe_level, dir.get());
  if (link == nullptr) return Error::system(errno, "attach to {}", parent);
  ScopeExit detach{[&]() noexcept { bpf_link__destroy(link); }};
  VS_TRY(in_cgroup(parent, [] { Fd const any{::socket(AF_INET, SOCK_DGRAM, 0)}; }));
  VS_TRY(bpf_raw::lookup(map, &zero, &state));
  if (state.level_probe == 0)
    return Error::make(Errc::Unsupported, "the level of {} could not be measured", parent);
  return static_cast<std::uint32_t>(state.level_probe);
}

// ---- what is in force ---------------------------------------------------------------------------

std::string link_pin(const std::string& pins, std::string_view name) {
  return fmt::format("{}/link_{}", pins, name);
}

bool is_live(const std::string& pin, std::uint64_t target) {
  auto const link = open_pinned(pin);
  if (!link) return false;
  auto const at = link_target(*link);
  return at && *at == target;
}

std::vector<unsigned> devices() {
  std::vector<unsigned> out;
  auto* const all = ::if_nameindex();
  if (all == nullptr) return out;
  for (auto const* one = all; one->if_index != 0; ++one)
    out.push_back(one->if_index);
  ::if_freenameindex(all);
  return out;
}

std::string device_pin(const std::string& pins, const Direction& direction, unsigned device) {
  return fmt::format("{}/{}{}", pins, direction.link, device);
}

// On kernels before 6.6.
bool has_filter(const Direction& direction, unsigned device) {
  LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = static_cast<int>(device),
              .attach_point = direction.filter);
  LIBBPF_OPTS(bpf_tc_opts, options, .handle = kFilterHandle, .priority = kFilterPriority);
  return bpf_tc_query(&hook, &options) == 0;
}

struct Wanted {
  std::uint64_t parent;
  std::uint64_t netns;
  std::uint64_t programs;
};

// Are the hooks as they must be? A handful of system calls at each start.
bool in_force(const std::string& pins, const Wanted& wanted) {
  auto const map = State::open(pins + "/state");
  if (!map) return false;
  auto const state = map->get(0);
  if (!state || !*state) return false;
  if ((*state)->abi != VS_NET_ABI || (*state)->programs != wanted.programs ||
      (*state)->parent != wanted.parent || (*state)->netns != wanted.netns)
    return false;
  return std::all_of(kHooks.begin(), kHooks.end(), [&](const Hook& hook) {
    return is_live(link_pin(pins, hook.pin), wanted.parent);
  });
}

// ---- loading ------------------------------------------------------------------------------------

Result<Skeleton> load_programs(const std::string& pins, std::uint32_t level, std::uint64_t netns) {
  auto skeleton = VS_TRY(open_skeleton());
  skeleton->rodata->vs_level = level;
  skeleton->rodata->vs_netns = netns;
  bpf_program__set_autoload(skeleton->progs.vs_probe_level, false);
  VS_TRY(pin_maps(skeleton->obj, pins));
  if (int const err = net::load(skeleton.get()); err != 0) return load_error(-err);
  return skeleton;
}

Status attach_hook(const Hook& hook, const net& skeleton, const std::string& pins, FdRef parent,
                   std::uint64_t parent_id) {
  auto* const program = hook.program(skeleton);
  auto const pin = link_pin(pins, hook.pin);
  if (is_live(pin, parent_id)) {
    Fd const link = VS_TRY(open_pinned(pin));
    if (::bpf_link_update(link.get(), bpf_program__fd(program), nullptr) != 0)
      return Error::system(errno, "exchange program {}", hook.pin);
    return {};
  }
  Fd const link{::bpf_link_create(bpf_program__fd(program), parent.get(),
                                  bpf_program__expected_attach_type(program), nullptr)};
  if (!link) return Error::system(errno, "attach program {}", hook.pin);
  return pin_object(link, pin);
}

Status pin_program(const bpf_program* program, const std::string& pin) {
  return pin_object(FdRef::raw(bpf_program__fd(program)), pin);
}

Status attach_filter(FdRef program, const Direction& direction, unsigned device) {
  LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = static_cast<int>(device),
              .attach_point = direction.filter);
  if (int const err = bpf_tc_hook_create(&hook); err != 0 && err != -EEXIST) {
    return Error::system(-err, "queue of device {}", device)
        .hint("kernels before 6.6 need the modules sch_ingress and cls_bpf");
  }
  LIBBPF_OPTS(bpf_tc_opts, options, .prog_fd = program.get(), .flags = BPF_TC_F_REPLACE,
              .handle = kFilterHandle, .priority = kFilterPriority);
  if (int const err = bpf_tc_attach(&hook, &options); err != 0)
    return Error::system(-err, "filter on device {}", device);
  return {};
}

// Before 6.6: what a filter cannot give to a socket is found by the lookup program.
Status attach_lookup(const std::string& pins, bool exchange) {
  auto const pin = fmt::format("{}/{}", pins, kLookupPin);
  Fd const program = VS_TRY(open_pinned(fmt::format("{}/{}", pins, kLookupProgramPin)));
  if (auto const old = open_pinned(pin)) {
    if (!exchange || ::bpf_link_update(old->get(), program.get(), nullptr) == 0) return {};
  }
  Fd const netns = VS_TRY(open_path("/proc/self/ns/net", O_RDONLY));
  Fd const link{::bpf_link_create(program.get(), netns.get(), BPF_SK_LOOKUP, nullptr)};
  if (!link) return Error::system(errno, "attach the lookup program");
  return pin_object(link, pin);
}

// Steers on one device: by a link of its own from 6.6 on, by a filter before. An exchange replaces
// the program of what is there.
Status attach_device(FdRef program, const std::string& pins, const Direction& direction,
                     unsigned device, bool exchange) {
  auto const pin = device_pin(pins, direction, device);
  if (is_live(pin, device)) {
    if (!exchange) return {};
    Fd const link = VS_TRY(open_pinned(pin));
    if (::bpf_link_update(link.get(), program.get(), nullptr) != 0)
      return Error::system(errno, "exchange the program of device {}", device);
    return {};
  }
  bool const filters = exists(fmt::format("{}/{}", pins, kLookupPin));
  if (filters && !exchange && has_filter(direction, device)) return {};
  auto const link = attach_tcx(program, device, direction.out);
  if (link) return pin_object(*link, pin);
  if (link.error().sys() != EINVAL) return link.error();
  VS_TRY(attach_filter(program, direction, device));
  return attach_lookup(pins, exchange);
}

Status attach_devices(const std::string& pins, bool exchange) {
  for (auto const& direction : kDirections) {
    Fd const program = VS_TRY(open_pinned(fmt::format("{}/{}", pins, direction.program)));
    for (auto const device : devices()) {
      auto done = attach_device(program, pins, direction, device, exchange);
      // A device may go while we look at it.
      if (!done && done.error().sys() != ENODEV) return done;
    }
  }
  return {};
}

// Pins of devices that are gone.
Status drop_stale(const std::string& pins) {
  Fd const dir = VS_TRY(open_path(pins, O_RDONLY | O_DIRECTORY));
  for (auto const& name : VS_TRY(list_dir(dir))) {
    for (auto const& direction : kDirections) {
      if (!name.starts_with(direction.link)) continue;
      auto const device = parse_decimal(std::string_view{name}.substr(direction.link.size()));
      auto const pin = fmt::format("{}/{}", pins, name);
      if (!device || !is_live(pin, *device)) ::unlink(pin.c_str());
    }
  }
  return {};
}

}  // namespace

Status load_shared(const std::string& parent, const std::string& pins) {
  Wanted const wanted{VS_TRY(cgroup_id(parent)), VS_TRY(netns_cookie()), programs_hash()};
  if (in_force(pins, wanted)) {
    VS_TRY(attach_devices(pins, false), "shared network");
    return drop_stale(pins);
  }
  if (::mkdir(pins.c_str(), 0700) != 0 && errno != EEXIST)
    return Error::system(errno, "mkdir {}", pins);
  auto const level = VS_TRY(measure_level(parent));
  auto const skeleton = VS_TRY(load_programs(pins, level, wanted.netns));
  Fd const dir = VS_TRY(open_path(parent, O_RDONLY | O_DIRECTORY));
  for (auto const& hook : kHooks)
    VS_TRY(attach_hook(hook, *skeleton, pins, dir, wanted.parent), "shared network");
  for (auto const& direction : kDirections) {
    VS_TRY(pin_program(direction.out ? skeleton->progs.vs_leave : skeleton->progs.vs_steer,
                       fmt::format("{}/{}", pins, direction.program)));
  }
  if (auto done = load_names(pins, level, wanted.parent); !done) {
    if (done.error().code() != Errc::Unsupported) return done;
    debug("{}", done.error().message());
  }
  VS_TRY(pin_program(skeleton->progs.vs_lookup, fmt::format("{}/{}", pins, kLookupProgramPin)));
  VS_TRY(attach_devices(pins, true), "shared network");
  VS_TRY(drop_stale(pins));
  auto map = VS_TRY(State::open(pins + "/state"));
  vs_state state{};
  state.abi = VS_NET_ABI;
  state.level = level;
  state.programs = wanted.programs;
  state.netns = wanted.netns;
  state.parent = wanted.parent;
  return map.put(0, state);
}

Status probe_shared() {
  auto const skeleton = VS_TRY(open_skeleton());
  bpf_program__set_autoload(skeleton->progs.vs_probe_level, false);
  if (int const err = net::load(skeleton.get()); err != 0) return load_error(-err);
  VS_TRY(probe_names());
  // Steering, on the loopback device of a network that ends with the child.
  FdRef const steer = FdRef::raw(bpf_program__fd(skeleton->progs.vs_steer));
  pid_t const pid = ::fork();
  if (pid == 0) {
    bool const good = ::unshare(CLONE_NEWNET) == 0 &&
                      (attach_tcx(steer, 1, false) || attach_filter(steer, kDirections[0], 1));
    ::_exit(good ? 0 : 1);
  }
  int status = -1;
  while (pid > 0 && ::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (status != 0) {
    return Error::make(Errc::Unsupported, "devices take no programs")
        .hint("kernels before 6.6 need the modules sch_ingress and cls_bpf");
  }
  return {};
}

Status unload_shared(const std::string& pins) {
  if (exists(fmt::format("{}/{}", pins, kLookupPin))) {
    for (auto const device : devices()) {
      for (auto const& direction : kDirections) {
        LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = static_cast<int>(device),
                    .attach_point = direction.filter);
        LIBBPF_OPTS(bpf_tc_opts, options, .handle = kFilterHandle, .priority = kFilterPriority);
        bpf_tc_detach(&hook, &options);
      }
    }
  }
  auto const dir = open_path(pins, O_RDONLY | O_DIRECTORY);
  if (!dir) return {};
  for (auto const& name : VS_TRY(list_dir(*dir)))
    ::unlink(fmt::format("{}/{}", pins, name).c_str());
  if (::rmdir(pins.c_str()) != 0 && errno != ENOENT) return Error::system(errno, "rmdir {}", pins);
  return {};
}

}  // namespace vs
