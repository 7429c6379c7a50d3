// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "base/result.h"
#include "sys/fd.h"

struct bpf_object;

namespace vs {

// A directory for pinned BPF objects, on a BPF file system.
struct BpfDir {
  std::string path;
  bool own_mount = false;  // `path` is a mount that was made by us
};

// Finds or makes the directory: NAME below /sys/fs/bpf where a BPF file system is mounted there,
// else the mount point `fallback`, where one is mounted if necessary.
Result<BpfDir> make_bpf_dir(const std::string& name, const std::string& fallback);
// The same without making anything; empty when it is not there.
std::optional<BpfDir> find_bpf_dir(const std::string& name, const std::string& fallback);

// A pinned program, map or link; ENOENT when there is none.
Result<Fd> open_pinned(const std::string& path);
// Pins a new link or program under a name that may have an old one: the new one is in force before
// the old one goes.
Status pin_object(FdRef object, const std::string& pin);
// Before its load: the object's maps are those pinned in `pins`, made where there are none.
// Constants of the programs are its own.
Status pin_maps(bpf_object* object, const std::string& pins);

// Lets libbpf speak on -vv only.
void quiet_libbpf();

// FNV-1a: what tells one version of a program from another.
std::uint64_t hash_bytes(const void* bytes, std::size_t size) noexcept;

// Operations on a map by its descriptor; keys and values are plain structures.
namespace bpf_raw {
Result<bool> lookup(FdRef map, const void* key, void* value);
Status update(FdRef map, const void* key, const void* value);
Status erase(FdRef map, const void* key);
// The key behind `key`, or the first; false at the end.
Result<bool> next(FdRef map, const void* key, void* next);
}  // namespace bpf_raw

// A map with these keys and values.
template <class Key, class Value>
class BpfMap {
  static_assert(std::is_trivially_copyable_v<Key> && std::is_trivially_copyable_v<Value>);

 public:
  static Result<BpfMap> open(const std::string& path) { return BpfMap{VS_TRY(open_pinned(path))}; }

  [[nodiscard]] Result<std::optional<Value>> get(const Key& key) const {
    Value value{};
    if (!VS_TRY(bpf_raw::lookup(fd_, &key, &value))) return std::optional<Value>{};
    return std::optional<Value>{value};
  }
  // Replaces the whole value at once: nobody sees half of it.
  Status put(const Key& key, const Value& value) { return bpf_raw::update(fd_, &key, &value); }
  // Nothing there is success.
  Status erase(const Key& key) { return bpf_raw::erase(fd_, &key); }
  [[nodiscard]] Result<std::vector<Key>> keys() const {
    std::vector<Key> out;
    Key next{};
    const Key* at = nullptr;
    while (VS_TRY(bpf_raw::next(fd_, at, &next))) {
      out.push_back(next);
      at = &out.back();
    }
    return out;
  }
  [[nodiscard]] FdRef fd() const { return fd_; }

 private:
  explicit BpfMap(Fd fd) : fd_{std::move(fd)} {}
  Fd fd_;
};

// Number of values that a per-CPU map has for each key.
Result<unsigned> possible_cpus();

// What a link is attached to: the id of a cgroup, or the index of a device; 0 when that is gone.
Result<std::uint64_t> link_target(FdRef link);

// Makes a link between a program and what a network device receives, or sends (tcx, Linux 6.6);
// EINVAL before.
Result<Fd> attach_tcx(FdRef program, unsigned device, bool egress);

// Cookie of the caller's network namespace (SO_NETNS_COOKIE, Linux 5.14).
Result<std::uint64_t> netns_cookie();

}  // namespace vs
