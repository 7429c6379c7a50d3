// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/doctor.h"

#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "base/text.h"
#include "context/xid.h"
#include "guest/paths.h"
#include "net/shared_load.h"
#include "net/shared_names.h"
#include "sys/cgroup.h"
#include "sys/file.h"
#include "sys/probe.h"

namespace vs {

namespace {

using Findings = std::vector<Finding>;

void look_at_kernel(Findings& out) {
  utsname machine{};
  ::uname(&machine);
  out.push_back(
      {"kernel", "version", Verdict::Good, fmt::format("{} {}", machine.release, machine.machine)});
  for (auto const& probe : kernel_probes()) {
    Finding one{"kernel", std::string{probe.name}, Verdict::Good, ""};
    if (auto const done = probe.run(); !done) {
      one.verdict = probe.need == Need::Required ? Verdict::Bad : Verdict::Lost;
      auto const meaning = probe.need == Need::Required ? std::string{"no guest can start"}
                                                        : std::string{probe.lost};
      one.detail = fmt::format("{} (Linux {}); {}", meaning, probe.since, done.error().message());
    }
    out.push_back(std::move(one));
  }
}

struct Controller {
  std::string_view name;
  std::string_view lost;
};

constexpr std::array kControllers{
    Controller{"cpu", "CPU limits and shares"},    Controller{"memory", "memory limits"},
    Controller{"pids", "limits on processes"},     Controller{"io", "I/O limits"},
    Controller{"cpuset", "binding to processors"},
};

void look_at_cgroups(Findings& out) {
  auto const host = CgroupHost::find();
  if (!host) return;  // the kernel's part says so
  out.push_back({"cgroups", "layout", Verdict::Good,
                 host->unified() ? fmt::format("unified at {}", host->v2())
                                 : fmt::format("hybrid, unified part at {}", host->v2())});
  auto const offered = read_file(host->v2() + "/cgroup.controllers");
  auto const on_v2 = split_words(offered ? std::string_view{*offered} : std::string_view{});
  for (auto const& controller : kControllers) {
    bool const v1 = host->is_v1(controller.name == "io" ? "blkio" : controller.name);
    bool const v2 = std::find(on_v2.begin(), on_v2.end(), controller.name) != on_v2.end();
    out.push_back({"cgroups", std::string{controller.name},
                   v1 || v2 ? Verdict::Good : Verdict::Lost,
                   v2   ? "v2"
                   : v1 ? "v1"
                        : fmt::format("{}; no hierarchy has this controller", controller.lost)});
  }
}

std::string nearest_existing(std::string path) {
  while (path.size() > 1 && !exists(path))
    path.resize(std::max<std::size_t>(path.rfind('/'), 1));
  return path;
}

void look_at_files(Findings& out) {
  auto const& paths = Paths::get();
  for (const char* helper : {"vs-stage", "vs-guard"}) {
    std::string const path = fmt::format("{}/{}", paths.libexec, helper);
    bool const good = ::access(path.c_str(), X_OK) == 0;
    out.push_back({"files", helper, good ? Verdict::Good : Verdict::Bad,
                   good ? path : fmt::format("{} is not there: install vserver again", path)});
  }
  std::string const vdirs = nearest_existing(paths.vdirs);
  struct statvfs fs {};
  if (::statvfs(vdirs.c_str(), &fs) == 0) {
    auto const free = static_cast<std::uint64_t>(fs.f_bavail) * fs.f_frsize;
    out.push_back({"files", "guests' roots", Verdict::Good,
                   fmt::format("{}: {} free", paths.vdirs, format_bytes(free))});
  }
  auto const mapped = probe_idmapped_mount(vdirs);
  out.push_back({"files", "trees with plain owners", mapped ? Verdict::Good : Verdict::Lost,
                 mapped ? "idmapped mounts work there"
                        : fmt::format("guests whose files have unshifted owners; {}",
                                      mapped.error().message())});
}

void look_at_ids(Findings& out) {
  std::vector<IdRange> ranges;
  for (const char* file : {"/etc/subuid", "/etc/subgid"}) {
    auto const text = read_file(file);
    if (!text) continue;
    for (auto const& range : parse_subid(*text))
      ranges.push_back(range);
  }
  auto const xid = choose_xid({}, ranges);
  out.push_back(
      {"files", "context ids for new guests", xid ? Verdict::Good : Verdict::Bad,
       xid ? fmt::format("from {} on: owner ids from {}", xid->value(), xid->base_id())
           : xid.error().message() + ": /etc/subuid and /etc/subgid give all ranges away"});
}

struct HostProgram {
  std::string_view name;
  std::string_view use;
};

constexpr std::array kPrograms{
    HostProgram{"debootstrap", "build -m debootstrap"},
    HostProgram{"tar", "build -m template"},
    HostProgram{"ps", "vps"},
};

bool in_path(std::string_view name) {
  const char* path = std::getenv("PATH");
  auto const dirs = split(path != nullptr ? path : "/usr/sbin:/usr/bin:/sbin:/bin", ':');
  return std::any_of(dirs.begin(), dirs.end(), [&](std::string_view dir) {
    return ::access(fmt::format("{}/{}", dir, name).c_str(), X_OK) == 0;
  });
}

void look_at_programs(Findings& out) {
  for (auto const& program : kPrograms) {
    bool const here = in_path(program.name);
    out.push_back({"programs", std::string{program.name}, here ? Verdict::Good : Verdict::Lost,
                   here ? ""
                        : fmt::format("{}; apt-get install {}", program.use,
                                      program.name == "ps" ? "procps" : program.name)});
  }
}

void look_at_network(Findings& out) {
  auto const shared = probe_shared();
  out.push_back(
      {"network", "shared network", shared ? Verdict::Good : Verdict::Lost,
       shared ? "new guests have it"
              : fmt::format("new guests have net/mode private; {}", shared.error().message())});
  auto const names = probe_names();
  out.push_back({"network", "abstract unix sockets", names ? Verdict::Good : Verdict::Lost,
                 names ? "of each guest its own"
                       : fmt::format("guests of net/mode shared share them with the host and each "
                                     "other (hooks on kernel functions); {}",
                                     names.error().message())});
  auto const forward = read_file("/proc/sys/net/ipv4/ip_forward");
  bool const on = forward && trim(*forward) == "1";
  out.push_back({"network", "forwarding", on ? Verdict::Good : Verdict::Lost,
                 on ? ""
                    : "guests of net/mode private are reached from this machine only; "
                      "sysctl net.ipv4.ip_forward=1"});
}

}  // namespace

std::vector<Finding> examine_host() {
  Findings out;
  look_at_kernel(out);
  look_at_cgroups(out);
  look_at_files(out);
  look_at_ids(out);
  look_at_programs(out);
  look_at_network(out);
  return out;
}

}  // namespace vs
