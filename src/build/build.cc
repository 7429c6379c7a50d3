// SPDX-License-Identifier: GPL-2.0-or-later
#include "build/build.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/log.h"
#include "base/step.h"
#include "base/text.h"
#include "build/parts.h"
#include "config/write.h"
#include "guest/config.h"
#include "guest/paths.h"
#include "guest/run_files.h"
#include "limit/setting.h"
#include "sys/file.h"

namespace vs {

namespace {

Status check_nothing(const BuildRequest&) {
  return {};
}

Status fill_skeleton(Build& b) {
  if (b.request.adopt) return {};
  for (const char* dir :
       {"bin", "dev", "etc", "proc", "root", "run", "sbin", "sys", "tmp", "usr", "var"}) {
    std::string const path = fmt::format("{}/{}", b.draft.tree, dir);
    if (::mkdir(path.c_str(), 0755) != 0 ||
        ::chown(path.c_str(), b.xid->base_id(), b.xid->base_id()) != 0)
      return Error::system(errno, "mkdir {}", path);
  }
  return {};
}

constexpr std::array kMethods{
    Method{"clone", check_clone, fill_from_guest},
    Method{"debootstrap", check_packages, fill_from_packages},
    Method{"rsync", check_rsync, fill_by_rsync},
    Method{"skeleton", check_nothing, fill_skeleton},
    Method{"template", check_template, fill_from_templates},
};

// ---- steps ------------------------------------------------------------------------------------

Status choose_context(Build& b) {
  b.xid = VS_TRY(claim_xid(b.draft.name, b.request.xid));
  return {};
}

void forget_context(Build& b) noexcept {
  if (b.xid) release_xid(b.xid->value());
  if (auto done = b.run.clear(); !done) warn("{}", done.error().message());
}

Status write_draft(Build& b) {
  VS_TRY(make_dirs(Paths::get().conf));
  if (::mkdir(b.draft.draft.c_str(), 0755) != 0)
    return Error::system(errno, "mkdir {}", b.draft.draft);
  // First of all: it says where the tree is.
  if (::symlink(b.draft.vdir.c_str(), (b.draft.draft + "/vdir").c_str()) != 0)
    return Error::system(errno, "link {}/vdir", b.draft.draft);
  auto const set = [&](const std::string& entry, const std::string& text) {
    return set_entry(b.draft.draft, entry, text);
  };
  VS_TRY(link_run_file(b.draft.draft, b.draft.name));
  VS_TRY(set("name", b.draft.name));
  VS_TRY(set("context", std::to_string(b.xid->value())));
  VS_TRY(set("apps/init/style", "plain"));
  auto const defaults = read_file(Paths::get().conf + "/.defaults/fstab");
  VS_TRY(set("fstab", defaults ? *defaults : "none /tmp tmpfs mode=1777,nosuid,nodev 0 0"));
  auto const memory = static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) *
                      static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  for (auto const& [entry, text] : default_limits(memory))
    VS_TRY(set(entry, text));
  for (auto const& [entry, text] : b.request.entries)
    VS_TRY(set(entry, text));
  return {};
}

void drop_draft(Build& b) noexcept {
  if (auto done = remove_path(b.draft.draft); !done) warn("{}", done.error().message());
}

Status make_tree(Build& b) {
  if (b.request.adopt) return {};
  VS_TRY(make_dirs(b.draft.tree.substr(0, b.draft.tree.rfind('/')), 0700));
  if (::mkdir(b.draft.tree.c_str(), 0755) != 0 ||
      ::chown(b.draft.tree.c_str(), b.xid->base_id(), b.xid->base_id()) != 0)
    return Error::system(errno, "mkdir {}", b.draft.tree);
  return {};
}

void drop_tree(Build& b) noexcept {
  if (b.request.adopt) return;
  if (b.request.keep) {
    auto const kept = fmt::format("{}.failed", b.draft.vdir);
    if (::rename(b.draft.tree.c_str(), kept.c_str()) == 0) {
      warn("the files of the failed build are kept in {}", kept);
      return;
    }
  }
  if (auto done = remove_path(b.draft.tree); !done) warn("{}", done.error().message());
}

Status fill_tree(Build& b) {
  return find_method(b.request.method)->fill(b);
}

// What the admin's .defaults/files has for every guest, and the host's name servers.
Status add_host_files(Build& b) {
  if (b.request.adopt || b.request.method == "skeleton") return {};
  for (const char* name : {"hosts", "nsswitch.conf", "krb5.conf", "krb.conf", "krb.realms",
                           "ldap.conf", "localtime", "resolv.conf"}) {
    auto const text = read_file(fmt::format("{}/.defaults/files/{}", Paths::get().conf, name));
    if (text) VS_TRY(put_file(b, fmt::format("etc/{}", name), *text, 0644, true));
  }
  if (auto const resolv = read_file("/etc/resolv.conf"))
    VS_TRY(put_file(b, "etc/resolv.conf", *resolv, 0644, true));
  return {};
}

// Once for the whole tree: the programs that filled it did not wait for the disk.
Status sync_tree(Build& b) {
  b.advance({"writing to the disk", 0, {}, ""});
  Fd const tree =
      VS_TRY(open_path(b.request.adopt ? b.draft.vdir : b.draft.tree, O_RDONLY | O_DIRECTORY));
  if (::syncfs(tree.get()) != 0) return Error::system(errno, "write to the disk");
  return Interrupts::check();
}

Status publish_guest(Build& b) {
  return publish(b.draft, b.request.force);
}

constexpr std::array kBuildSteps{
    Step<Build>{"context", choose_context, forget_context},
    Step<Build>{"configuration", write_draft, drop_draft},
    Step<Build>{"tree", make_tree, drop_tree},
    Step<Build>{"fill", fill_tree, nullptr},
    Step<Build>{"files", add_host_files, nullptr},
    Step<Build>{"sync", sync_tree, nullptr},
    Step<Build>{"publish", publish_guest, nullptr},
};

// ---- before the first change ------------------------------------------------------------------

std::string root_parent(const BuildRequest& request) {
  if (!request.rootdir.empty()) return request.rootdir;
  std::string const link = Paths::get().conf + "/.defaults/vdirbase";
  if (auto const target = read_link_at(FdRef::cwd(), link); target && target->starts_with('/'))
    return *target;
  return Paths::get().vdirs;
}

Status check_free(const Draft& draft, const BuildRequest& request) {
  if (request.force) return {};
  for (auto const& path : {draft.vdir, draft.conf}) {
    if (!exists(path) || (request.adopt && path == draft.vdir)) continue;
    return Error::make(Errc::Busy, "{} exists already", path)
        .hint("'vserver GUEST delete' removes a guest; build --force renames it");
  }
  return {};
}

Status check_request(const BuildRequest& request) {
  VS_TRY(check_name(request.name));
  auto const* method = find_method(request.method);
  if (method == nullptr) {
    std::vector<std::string> names;
    names.reserve(std::size(kMethods));
    for (auto const& known : kMethods)
      names.emplace_back(known.name);
    return Error::make(Errc::Usage, "build method '{}' is not known", request.method)
        .hint("known are " + join(names, ", "));
  }
  if (!request.rootdir.empty() && !request.rootdir.starts_with('/'))
    return Error::make(Errc::Usage, "'{}' is not an absolute path", request.rootdir);
  if (request.adopt && request.method != "skeleton")
    return Error::make(Errc::Usage, "only the method skeleton can take a directory that is there");
  return method->check(request);
}

// The directory that is there keeps its owners: they decide the context.
Status check_adopted(const Draft& draft, const BuildRequest& request) {
  struct stat st {};
  if (::stat(draft.vdir.c_str(), &st) != 0) return Error::system(errno, "root {}", draft.vdir);
  auto const owner = st.st_uid >> 16U;
  if (owner != 0 && (!request.xid || request.xid->value() != owner)) {
    return Error::make(Errc::Config, "{} belongs to context {}", draft.vdir, owner)
        .hint(fmt::format("build with --context {}", owner));
  }
  return {};
}

}  // namespace

const Method* find_method(std::string_view name) {
  auto const* found = std::find_if(kMethods.begin(), kMethods.end(),
                                   [&](const Method& m) { return m.name == name; });
  return found == kMethods.end() ? nullptr : found;
}

Status build_guest(const BuildRequest& request) {
  Interrupts const interrupts;
  VS_TRY(check_request(request));
  auto const draft = Draft::make(request.name, root_parent(request) + "/" + request.name);
  sweep_leftovers(request.name);
  VS_TRY(check_free(draft, request), "build guest '{}'", request.name);
  if (request.adopt) VS_TRY(check_adopted(draft, request), "build guest '{}'", request.name);
  Build b{request, VS_TRY(RunDir::lock(request.name, 5)), draft, {}};
  if (is_running(request.name))
    return Error::make(Errc::Busy, "build guest '{}': it is running", request.name);
  auto done = run_steps<Build>(kBuildSteps, b);
  if (!done) {
    if (!exists(draft.conf)) b.run.forget();
    return std::move(done).error().context(fmt::format("build guest '{}'", request.name));
  }
  forget_context(b);
  return {};
}

}  // namespace vs
