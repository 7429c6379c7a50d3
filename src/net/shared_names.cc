// SPDX-License-Identifier: GPL-2.0-or-later
#include "net/shared_names.h"

#include <names.skel.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/log.h"
#include "sys/bpf.h"
#include "sys/file.h"

namespace vs {

namespace {

struct Destroy {
  void operator()(names* skeleton) const noexcept { names::destroy(skeleton); }
};
using Skeleton = std::unique_ptr<names, Destroy>;

struct Hook {
  const char* pin;
  bpf_program* (*program)(const names&);
};
constexpr std::array kHooks{
    Hook{"name_connect", [](const names& s) { return s.progs.vs_unix_connect; }},
    Hook{"name_may_send", [](const names& s) { return s.progs.vs_unix_may_send; }},
};

std::string pin_of(const std::string& pins, const Hook& hook) {
  return fmt::format("{}/{}", pins, hook.pin);
}

Error unsupported(int err) {
  return Error::system(err, "load the programs for abstract names").with_code(Errc::Unsupported);
}

Result<Skeleton> open_skeleton() {
  quiet_libbpf();
  Skeleton skeleton{names::open()};
  if (!skeleton) return Error::system(errno, "open the programs for abstract names");
  return skeleton;
}

}  // namespace

Status load_names(const std::string& pins, std::uint32_t level, std::uint64_t parent) {
  auto const skeleton = VS_TRY(open_skeleton());
  skeleton->rodata->vs_level = level;
  skeleton->rodata->vs_parent = parent;
  VS_TRY(pin_maps(skeleton->obj, pins));
  if (int const err = names::load(skeleton.get()); err != 0) return unsupported(-err);
  for (auto const& hook : kHooks) {
    // Such a link cannot exchange its program: the new one stands beside the old one for a moment,
    // and what either refuses is refused.
    auto* const link = bpf_program__attach_trace(hook.program(*skeleton));
    if (link == nullptr) return unsupported(errno);
    auto const pinned = pin_object(FdRef::raw(bpf_link__fd(link)), pin_of(pins, hook));
    bpf_link__destroy(link);
    VS_TRY(pinned);
  }
  return {};
}

bool has_names(const std::string& pins) {
  for (auto const& hook : kHooks) {
    if (!exists(pin_of(pins, hook))) return false;
  }
  return true;
}

std::uint64_t names_hash() {
  std::size_t size = 0;
  auto const* const bytes = names::elf_bytes(&size);
  return hash_bytes(bytes, size);
}

Status probe_names() {
  auto const skeleton = VS_TRY(open_skeleton());
  if (int const err = names::load(skeleton.get()); err != 0) return unsupported(-err);
  return {};
}

}  // namespace vs
