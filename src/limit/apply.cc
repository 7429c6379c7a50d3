// SPDX-License-Identifier: GPL-2.0-or-later
#include "limit/apply.h"

#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/log.h"
#include "base/text.h"
#include "limit/sockets.h"
#include "sys/file.h"

namespace vs {

namespace {

Error explain(const KnobWrite& write, Error error) {
  int const err = error.sys();
  if (err == ENOENT) {
    return Error::make(Errc::Unsupported, "{}: the host's cgroups have no {}", write.source,
                       write.knob)
        .hint(fmt::format("the kernel needs the {} controller for this (see /proc/cgroups)",
                          write.controller));
  }
  if (err == EINVAL || err == ERANGE || err == ENODEV) {
    return Error::make(Errc::Config, "{}: the kernel does not take '{}' for {}", write.source,
                       write.text, write.knob);
  }
  return std::move(error).context(write.source);
}

Status write_one(ContextCgroup& cgroup, const KnobWrite& write) {
  return cgroup.write_knob_of(write.controller, write.knob, write.text);
}

// Some pairs of v1 bound each other (memory and memsw, quota and burst): which one may go first
// depends on what is there. Those that fail with EINVAL are tried again after the others.
Status write_all_knobs(ContextCgroup& cgroup, std::span<const KnobWrite> writes) {
  std::vector<const KnobWrite*> left;
  for (auto const& write : writes) {
    auto done = write_one(cgroup, write);
    if (done) continue;
    if (done.error().sys() != EINVAL) return explain(write, std::move(done).error());
    left.push_back(&write);
  }
  while (!left.empty()) {
    auto const before = left.size();
    Status last;
    std::erase_if(left, [&](const KnobWrite* write) {
      auto done = write_one(cgroup, *write);
      if (done) return true;
      last = explain(*write, std::move(done).error());
      return false;
    });
    if (left.size() == before) return last;
  }
  return {};
}

// What to write to get back what a knob says now. Keyed files list a line for each device that
// is limited; a device that is not yet there is set back to no limit.
std::vector<KnobWrite> undo_of(const KnobWrite& write, const std::string& now) {
  std::vector<KnobWrite> out;
  if (write.knob == "io.max") {
    auto const device = write.text.substr(0, write.text.find(' '));
    out.push_back({write.controller, write.knob, device + " rbps=max wbps=max riops=max wiops=max",
                   write.source});
  }
  for (auto const line : split_lines(now))
    out.push_back({write.controller, write.knob, std::string{line}, write.source});
  if (out.empty()) out.push_back({write.controller, write.knob, "", write.source});
  return out;
}

// v2 kills at once when memory.max goes below what is in use; memory.high reclaims and waits.
Status reclaim_below(ContextCgroup& cgroup, const KnobWrite& write) {
  if (write.knob != "memory.max") return {};
  auto const wanted = parse_amount(write.text);
  auto const used = parse_decimal(trim(VS_TRY(cgroup.read_knob_of("memory", "memory.current"))));
  if (!wanted || !used || *used <= *wanted) return {};
  auto const high = VS_TRY(cgroup.read_knob_of("memory", "memory.high"));
  VS_TRY(cgroup.write_knob_of("memory", "memory.high", write.text));
  auto const left = cgroup.read_knob_of("memory", "memory.current");
  VS_TRY(cgroup.write_knob_of("memory", "memory.high", trim(high)));
  auto const after = left ? parse_decimal(trim(*left)) : std::nullopt;
  if (after && *after <= *wanted) return {};
  return Error::make(Errc::Busy, "{}: the guest uses {}, which cannot be reclaimed to {}",
                     write.source, format_bytes(after.value_or(*used)), format_bytes(*wanted))
      .hint("a limit below that would kill: stop something inside, or choose a higher limit");
}

}  // namespace

Status apply_knobs(ContextCgroup& cgroup, std::span<const KnobWrite> writes) {
  VS_TRY(write_all_knobs(cgroup, writes));
  return cgroup.weigh();
}

Status apply_plan(ContextCgroup& cgroup, LimitPlan& plan) {
  VS_TRY(apply_knobs(cgroup, plan.writes));
  if (!plan.sockets) return {};
  auto done = limit_sockets(cgroup, *plan.sockets);
  if (done || done.error().code() != Errc::Unsupported) return done;
  plan.refused.push_back(done.error().message());
  return {};
}

Result<std::vector<KnobWrite>> change_knobs(ContextCgroup& cgroup,
                                            std::span<const KnobWrite> writes) {
  std::vector<KnobWrite> undo;
  for (auto const& write : writes) {
    auto now = cgroup.read_knob_of(write.controller, write.knob);
    if (!now) return explain(write, std::move(now).error());
    for (auto& one : undo_of(write, *now))
      undo.push_back(std::move(one));
  }
  auto done = [&]() -> Status {
    for (auto const& write : writes)
      VS_TRY(reclaim_below(cgroup, write));
    VS_TRY(write_all_knobs(cgroup, writes));
    return cgroup.weigh();
  }();
  if (done) return undo;
  restore_knobs(cgroup, undo);
  if (done.error().sys() == EBUSY) {
    return std::move(done)
        .error()
        .with_code(Errc::Busy)
        .hint("more is in use than the new limit allows, and nothing of it can be reclaimed");
  }
  return std::move(done).error();
}

void restore_knobs(ContextCgroup& cgroup, std::span<const KnobWrite> undo) {
  auto back = write_all_knobs(cgroup, undo);
  if (back) back = cgroup.weigh();
  if (!back) warn("the old limits could not be restored: {}", back.error().message());
}

namespace {

// Acts with the id of a user namespace's maker, who has all capabilities in it, and keeps those of
// the host's root: prlimit(2) wants CAP_SYS_RESOURCE in the target's namespace, which the host's
// root may lack. Raw calls: the C library would change all threads; there is only this one.
class AsMaker {
 public:
  explicit AsMaker(std::uint32_t owner) {
    constexpr unsigned long kNoSetuidFixup = 1UL << 2U;
    active_ = owner != 0 && ::prctl(PR_SET_SECUREBITS, kNoSetuidFixup, 0, 0, 0) == 0;
    if (active_) ::syscall(SYS_setresuid, -1, owner, -1);
  }
  AsMaker(const AsMaker&) = delete;
  AsMaker& operator=(const AsMaker&) = delete;
  AsMaker(AsMaker&&) = delete;
  AsMaker& operator=(AsMaker&&) = delete;
  ~AsMaker() {
    if (!active_) return;
    ::syscall(SYS_setresuid, -1, 0, -1);
    ::prctl(PR_SET_SECUREBITS, 0, 0, 0, 0);
  }

 private:
  bool active_;
};

struct LimitLine {
  std::string_view name;  // in /proc/PID/limits
  int resource;
};
constexpr std::array kLimitLines{
    LimitLine{"Max cpu time", RLIMIT_CPU},
    LimitLine{"Max file size", RLIMIT_FSIZE},
    LimitLine{"Max data size", RLIMIT_DATA},
    LimitLine{"Max stack size", RLIMIT_STACK},
    LimitLine{"Max core file size", RLIMIT_CORE},
    LimitLine{"Max resident set", RLIMIT_RSS},
    LimitLine{"Max processes", RLIMIT_NPROC},
    LimitLine{"Max open files", RLIMIT_NOFILE},
    LimitLine{"Max locked memory", RLIMIT_MEMLOCK},
    LimitLine{"Max address space", RLIMIT_AS},
    LimitLine{"Max file locks", RLIMIT_LOCKS},
    LimitLine{"Max pending signals", RLIMIT_SIGPENDING},
    LimitLine{"Max msgqueue size", RLIMIT_MSGQUEUE},
};

}  // namespace

Status limit_processes(std::span<const int> pids, std::span<const ProcessLimit> limits,
                       std::uint32_t owner) {
  AsMaker const maker{owner};
  for (int const pid : pids) {
    for (auto const& limit : limits) {
      auto const resource = static_cast<__rlimit_resource>(limit.resource);
      rlimit now{};
      if (::prlimit(pid, resource, nullptr, &now) != 0) {
        if (errno == ESRCH) continue;
        return Error::system(errno, "read the limits of process {}", pid);
      }
      rlimit const wanted{
          std::min<rlim_t>(limit.soft == kUnlimited ? now.rlim_cur : limit.soft, limit.hard),
          limit.hard};
      if (::prlimit(pid, resource, &wanted, nullptr) == 0 || errno == ESRCH) continue;
      auto error = Error::system(errno, "limit process {}", pid);
      if (errno != EPERM) return error;
      return std::move(error).hint(
          "raising a limit wants CAP_SYS_RESOURCE; --next-start changes the next start only");
    }
  }
  return {};
}

std::vector<ProcessLimit> limits_of_process(int pid) {
  std::vector<ProcessLimit> out;
  auto const text = read_file(fmt::format("/proc/{}/limits", pid));
  if (!text) return out;
  for (auto const line : split_lines(*text)) {
    for (auto const& known : kLimitLines) {
      if (!line.starts_with(known.name)) continue;
      auto const words = split_words(line.substr(known.name.size()));
      if (words.size() < 2) continue;
      out.push_back({known.resource, parse_decimal(words[0]).value_or(kUnlimited),
                     parse_decimal(words[1]).value_or(kUnlimited)});
    }
  }
  return out;
}

namespace {

std::string sysctl_path(const std::string& name) {
  std::string path = "/proc/sys/" + name;
  std::replace(path.begin() + 10, path.end(), '.', '/');
  return path;
}

Status write_sysctl(const IpcLimit& limit) {
  auto const path = sysctl_path(limit.sysctl);
  std::string text = std::to_string(limit.value);
  if (limit.field >= 0) {
    auto const now = VS_TRY(read_file(path));
    std::vector<std::string> fields;
    for (auto const word : split_words(now))
      fields.emplace_back(word);
    if (static_cast<std::size_t>(limit.field) >= fields.size())
      return Error::make(Errc::Unsupported, "{} has no field {}", limit.sysctl, limit.field);
    fields[static_cast<std::size_t>(limit.field)] = text;
    text = join(fields, " ");
  }
  return write_knob(path, text);
}

}  // namespace

Status apply_ipc(int pid, std::span<const IpcLimit> limits, std::uint32_t owner) {
  if (limits.empty()) return {};
  Fd const ns = VS_TRY(open_path(fmt::format("/proc/{}/ns/ipc", pid), O_RDONLY));
  pid_t const child = ::fork();
  if (child < 0) return Error::system(errno, "fork");
  if (child == 0) {
    if (::setns(ns.get(), CLONE_NEWIPC) != 0) ::_exit(errno);
    for (auto const& limit : limits) {
      auto done = write_sysctl(limit);
      if (!done && done.error().sys() == EACCES) {
        // Since Linux 5.19 they belong to the root of the namespace's owner, and to no other.
        AsMaker const maker{owner};
        done = write_sysctl(limit);
      }
      if (!done) ::_exit(done.error().sys() != 0 ? done.error().sys() : EINVAL);
    }
    ::_exit(0);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  int const err = WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
  if (err == 0) return {};
  return Error::system(err, "{}: write sysctls of the guest's IPC namespace", limits[0].source);
}

Status set_oom_score(std::span<const int> pids, int score) {
  for (int const pid : pids) {
    auto done = write_knob(fmt::format("/proc/{}/oom_score_adj", pid), std::to_string(score));
    if (done || done.error().sys() == ENOENT || done.error().sys() == ESRCH) continue;
    return std::move(done).error().context("badness");
  }
  return {};
}

Status set_paused(const ContextCgroup& cgroup, bool paused) {
  VS_TRY(write_knob(cgroup.guest_path() + "/cgroup.freeze", paused ? "1" : "0"));
  // Processes stop at their next chance, not before the write returns.
  constexpr int kTries = 500;
  for (int i = 0; paused && i < kTries; ++i) {
    auto const events = VS_TRY(read_file(cgroup.guest_path() + "/cgroup.events"));
    if (events.find("frozen 1") != std::string::npos) return {};
    timespec const nap{0, 10'000'000};
    ::nanosleep(&nap, nullptr);
  }
  if (paused)
    return Error::make(Errc::Busy, "some processes wait in the kernel and do not stop yet");
  return {};
}

}  // namespace vs
