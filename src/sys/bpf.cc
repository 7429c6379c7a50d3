// SPDX-License-Identifier: GPL-2.0-or-later
#include "sys/bpf.h"

#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdarg>
#include <cstdio>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/log.h"
#include "base/text.h"
#include "sys/file.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

namespace vs {

namespace {

constexpr const char* kStandard = "/sys/fs/bpf";
// Of newer headers than Debian's.
constexpr int kTcxIngress = 46;
constexpr int kTcxEgress = 47;

bool is_bpf_fs(const std::string& path) {
  struct statfs fs {};
  return ::statfs(path.c_str(), &fs) == 0 && fs.f_type == BPF_FS_MAGIC;
}

[[gnu::format(printf, 2, 0)]] int print_libbpf(libbpf_print_level level, const char* format,
                                               va_list arguments) {
  if (log_level < Level::Debug || level == LIBBPF_DEBUG) return 0;
  std::array<char, 1024> text{};
  ::vsnprintf(text.data(), text.size(), format, arguments);
  debug("libbpf: {}", trim(text.data()));
  return 0;
}

}  // namespace

std::optional<BpfDir> find_bpf_dir(const std::string& name, const std::string& fallback) {
  if (is_bpf_fs(kStandard)) {
    auto const path = fmt::format("{}/{}", kStandard, name);
    if (exists(path)) return BpfDir{path, false};
  }
  if (is_bpf_fs(fallback)) return BpfDir{fallback, true};
  return std::nullopt;
}

Result<BpfDir> make_bpf_dir(const std::string& name, const std::string& fallback) {
  if (auto found = find_bpf_dir(name, fallback)) return *found;
  if (is_bpf_fs(kStandard)) {
    auto const path = fmt::format("{}/{}", kStandard, name);
    if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
      return Error::system(errno, "mkdir {}", path);
    return BpfDir{path, false};
  }
  VS_TRY(make_dirs(fallback, 0700));
  if (::mount("vserver", fallback.c_str(), "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") !=
      0)
    return Error::system(errno, "mount a BPF file system on {}", fallback);
  return BpfDir{fallback, true};
}

Result<Fd> open_pinned(const std::string& path) {
  Fd fd{::bpf_obj_get(path.c_str())};
  if (!fd) return Error::system(errno, "{}", path);
  return fd;
}

Status pin_object(FdRef object, const std::string& pin) {
  auto const fresh = pin + "~";
  ::unlink(fresh.c_str());
  if (::bpf_obj_pin(object.get(), fresh.c_str()) != 0) return Error::system(errno, "pin {}", fresh);
  if (::rename(fresh.c_str(), pin.c_str()) != 0) return Error::system(errno, "rename {}", fresh);
  return {};
}

Status pin_maps(bpf_object* object, const std::string& pins) {
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object) {
    std::string_view const name = bpf_map__name(map);
    if (name.find('.') != std::string_view::npos) continue;  // ".rodata"
    if (int const err = bpf_map__set_pin_path(map, fmt::format("{}/{}", pins, name).c_str());
        err != 0)
      return Error::system(-err, "map {}", name);
  }
  return {};
}

void quiet_libbpf() {
  ::libbpf_set_print(print_libbpf);
}

std::uint64_t hash_bytes(const void* bytes, std::size_t size) noexcept {
  std::uint64_t h = 0xcbf29ce484222325ULL;
  for (std::size_t i = 0; i < size; ++i)
    h = (h ^ static_cast<const unsigned char*>(bytes)[i]) * 0x100000001b3ULL;
  return h;
}

Result<bool> bpf_raw::lookup(FdRef map, const void* key, void* value) {
  if (::bpf_map_lookup_elem(map.get(), key, value) == 0) return true;
  if (errno == ENOENT) return false;
  return Error::system(errno, "read a BPF map");
}

Status bpf_raw::update(FdRef map, const void* key, const void* value) {
  if (::bpf_map_update_elem(map.get(), key, value, BPF_ANY) == 0) return {};
  return Error::system(errno, "write a BPF map");
}

Status bpf_raw::erase(FdRef map, const void* key) {
  if (::bpf_map_delete_elem(map.get(), key) == 0 || errno == ENOENT) return {};
  return Error::system(errno, "clear an entry of a BPF map");
}

Result<bool> bpf_raw::next(FdRef map, const void* key, void* next) {
  if (::bpf_map_get_next_key(map.get(), key, next) == 0) return true;
  if (errno == ENOENT) return false;
  return Error::system(errno, "list a BPF map");
}

Result<unsigned> possible_cpus() {
  int const n = ::libbpf_num_possible_cpus();
  if (n <= 0) return Error::system(-n, "count the CPUs");
  return static_cast<unsigned>(n);
}

Result<std::uint64_t> link_target(FdRef link) {
  bpf_link_info info{};
  __u32 size = sizeof info;
  if (::bpf_obj_get_info_by_fd(link.get(), &info, &size) != 0)
    return Error::system(errno, "ask a BPF link");
  if (info.type == BPF_LINK_TYPE_CGROUP) return info.cgroup.cgroup_id;
  // struct { ifindex, attach_type } in later headers; netns links have { netns_ino, attach_type }.
  return info.netns.netns_ino;
}

Result<Fd> attach_tcx(FdRef program, unsigned device, bool egress) {
  int const fd =
      ::bpf_link_create(program.get(), static_cast<int>(device),
                        static_cast<bpf_attach_type>(egress ? kTcxEgress : kTcxIngress), nullptr);
  if (fd < 0) return Error::system(errno, "attach to device {}", device);
  return Fd{fd};
}

Result<std::uint64_t> netns_cookie() {
  Fd const socket{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  if (!socket) return Error::system(errno, "socket");
  std::uint64_t cookie = 0;
  socklen_t size = sizeof cookie;
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size) != 0)
    return Error::system(errno, "cookie of the network namespace");
  return cookie;
}

}  // namespace vs
