// SPDX-License-Identifier: GPL-2.0-or-later
// A host in a network namespace of its own, with a client behind a link, and contexts as cgroups.
// Everything is forgotten with the process.
#pragma once

#include <sys/mount.h>
#include <sys/stat.h>

#include <memory>
#include <string>
#include <vector>

#include "net/address.h"
#include "net/shared_context.h"
#include "net/shared_set.h"
#include "net_talk.h"
#include "sys/cgroup.h"
#include "sys/file.h"

namespace vs::rig {

inline Status give(Netlink& netlink, std::string_view dev, std::string_view address) {
  auto const link = VS_TRY(netlink.link_index(dev));
  NewAddress request;
  request.address = VS_TRY(parse_address(address));
  request.no_dad = true;
  VS_TRY(netlink.set_link_up(link));
  return netlink.add_address(link, request);
}

// The host: the calling process is moved into new namespaces, for good.
class Host {
 public:
  static Result<std::unique_ptr<Host>> make() {
    std::unique_ptr<Host> host{new Host};
    VS_TRY(host->set_up());
    return host;
  }
  ~Host() {
    if (set_) {
      auto const left = list_contexts(*set_);
      for (auto const& one : left ? *left : std::vector<NetContext>{})
        (void)erase_context(*set_, one.cgroup).has_value();
      (void)set_->remove_if_unused().has_value();
    }
    set_.reset();
    ::umount2((work_ + "/bpf").c_str(), MNT_DETACH);
    for (auto const& group : groups_)
      ::rmdir(group.c_str());
    ::rmdir(parent_.c_str());
    ::unlink(place_.lock.c_str());
    ::rmdir((work_ + "/bpf").c_str());
    ::rmdir(work_.c_str());
  }

  // Makes a context with these addresses, "10.9.0.11/24", and puts them on the link.
  Result<Where> context(std::uint32_t nid, const std::vector<std::string>& addresses) {
    auto const path = fmt::format("{}/{}", parent_, nid);
    if (::mkdir(path.c_str(), 0755) != 0) return Error::system(errno, "mkdir {}", path);
    groups_.push_back(path);
    auto netlink = VS_TRY(Netlink::open());
    NetContext context;
    struct stat st {};
    ::stat(path.c_str(), &st);
    context.cgroup = st.st_ino;
    context.nid = nid;
    context.nflags = default_nflags();
    context.ncaps = default_ncaps();
    context.lback = default_lback(nid);
    context.lback6 = default_lback6(nid);
    VS_TRY(give(netlink, "lo", format_address(*context.lback6)));
    for (auto const& text : addresses) {
      VS_TRY(give(netlink, "lan0", text));
      context.addresses.push_back(VS_TRY(parse_address(text)));
    }
    VS_TRY(put_context(set(), context));
    return Where{path, -1};
  }
  // Changes a context.
  Status change(std::uint32_t nid, void (*edit)(NetContext&)) {
    auto context = VS_TRY(find_context(set(), nid));
    if (!context) return Error::make(Errc::NotFound, "no context {}", nid);
    edit(*context);
    return put_context(set(), *context);
  }
  [[nodiscard]] SharedSet& set() { return *set_; }
  [[nodiscard]] const SharedPlace& place() const { return place_; }
  [[nodiscard]] Where client() const { return {"", lan_.get()}; }
  [[nodiscard]] static Where host() { return {}; }
  // Lets the set's lock go and takes the set again, as each command does.
  Status again() {
    set_.reset();
    set_.emplace(VS_TRY(SharedSet::ensure(place_)));
    return {};
  }
  void let_go() { set_.reset(); }

 private:
  Host() = default;
  Status set_up() {
    static int number = 0;
    work_ = fmt::format("/run/vs-net-test-{}-{}", ::getpid(), number++);
    VS_TRY(make_dirs(work_));
    if (::unshare(CLONE_NEWNET | CLONE_NEWNS) != 0) return Error::system(errno, "unshare");
    if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
      return Error::system(errno, "private mounts");
    auto const cgroups = VS_TRY(CgroupHost::find());
    parent_ = fmt::format("{}/vs-net-test-{}-{}", cgroups.v2(), ::getpid(), number);
    if (::mkdir(parent_.c_str(), 0755) != 0) return Error::system(errno, "mkdir {}", parent_);
    auto own = VS_TRY(open_path("/proc/self/ns/net", O_RDONLY));
    if (::unshare(CLONE_NEWNET) != 0) return Error::system(errno, "unshare");
    lan_ = VS_TRY(open_path("/proc/self/ns/net", O_RDONLY));
    if (::setns(own.get(), CLONE_NEWNET) != 0) return Error::system(errno, "setns");
    auto here = VS_TRY(Netlink::open());
    VS_TRY(here.set_link_up(1));
    VS_TRY(here.create_veth("lan0", "eth0", lan_));
    VS_TRY(give(here, "lan0", "10.9.0.1/24"));
    VS_TRY(give(here, "lan0", "fd09::1/64"));
    auto there = VS_TRY(Netlink::open_in(lan_));
    VS_TRY(there.set_link_up(1));
    VS_TRY(give(there, "eth0", "10.9.0.9/24"));
    VS_TRY(give(there, "eth0", "fd09::9/64"));
    place_ = {parent_, fmt::format("vs-net-test-{}-{}", ::getpid(), number), work_ + "/bpf",
              work_ + "/lock"};
    set_.emplace(VS_TRY(SharedSet::ensure(place_)));
    return {};
  }

  std::string work_;
  std::string parent_;
  std::vector<std::string> groups_;
  Fd lan_;
  SharedPlace place_;
  std::optional<SharedSet> set_;
};

}  // namespace vs::rig
