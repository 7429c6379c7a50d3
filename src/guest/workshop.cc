// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/workshop.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>

#include "base/log.h"
#include "base/test_seam.h"
#include "context/capability.h"
#include "context/device.h"
#include "context/seccomp.h"
#include "guest/paths.h"
#include "guest/stage_plan.h"
#include "sys/file.h"
#include "sys/process.h"

namespace vs {

namespace {

#if defined(__x86_64__)
constexpr std::uint32_t kNativeArch = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t kNativeArch = AUDIT_ARCH_AARCH64;
#elif defined(__riscv) && __riscv_xlen == 64
constexpr std::uint32_t kNativeArch = AUDIT_ARCH_RISCV64;
#else
constexpr std::uint32_t kNativeArch = 0;  // never met: every sync is done
#endif

// In front of the guest's filter: the calls that wait for the disk succeed at once, all others go
// on to the filter. A package manager syncs each file; the finished tree is synced as a whole.
std::string without_syncs(const std::string& filter) {
  constexpr std::array kSyncs{__NR_fsync, __NR_fdatasync, __NR_msync,
                              __NR_sync,  __NR_syncfs,    __NR_sync_file_range};
  auto const load = [](std::size_t offset) {
    return sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset));
  };
  constexpr auto kCount = static_cast<std::uint8_t>(kSyncs.size());
  std::vector<sock_filter> code;
  code.push_back(load(offsetof(seccomp_data, arch)));
  code.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kNativeArch, 0, kCount + 2));
  code.push_back(load(offsetof(seccomp_data, nr)));
  for (std::uint8_t i = 0; i < kCount; ++i) {
    // To the return below, or on; the last one jumps over the return.
    auto const miss = static_cast<std::uint8_t>(i + 1 == kCount ? 1 : 0);
    auto const hit = static_cast<std::uint8_t>(kCount - 1 - i);
    code.push_back(
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(kSyncs.at(i)), hit, miss));
  }
  code.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO));
  return std::string{reinterpret_cast<const char*>(code.data()),
                     code.size() * sizeof(sock_filter)} +
         filter;
}

Result<StagePlan> plan_work(const RunDir& run, Xid xid, const WorkPlan& work) {
  StagePlan plan;
  plan.root = work.root;
  plan.hostname = run.name();
  plan.argv = work.argv;
  plan.envp = work.envp;
  plan.envp.emplace_back("container=vserver");
  plan.stdio = work.stdio;
  auto& header = plan.header;
  header.mode = stage::Mode::Start;
  header.flags = stage::kUserNs | stage::kNetNs | stage::kSysfs | stage::kKeepStdio;
  header.base_id = xid.base_id();
  header.capabilities = default_capabilities(true);
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  header.boottime_offset = -now.tv_sec;
  plan.ops = VS_TRY(plan_tree({header.base_id, false, true, {}}));
  plan.ops.insert(plan.ops.end(), work.ops.begin(), work.ops.end());
  plan.filter = without_syncs(VS_TRY(cached_seccomp(Paths::get().cache, false)));
  return plan;
}

// What a command that finds this run interrupted needs to clear it.
Status note_run(const RunDir& run, Xid xid) {
  RunState state;
  state.xid = xid.value();
  state.config = fmt::format("{}/{}", Paths::get().conf, run.name());
  state.ns_flags = guest_namespaces() | CLONE_NEWUSER | CLONE_NEWNET;
  state.started = ::time(nullptr);
  return run.write(state);
}

}  // namespace

Result<Workshop> Workshop::start(const RunDir& run, Xid xid, const WorkPlan& work) {
  StagePlan const plan = VS_TRY(plan_work(run, xid, work));
  VS_TRY(note_run(run, xid));
  VS_TRY(test_seam("workshop"));
  Workshop shop{ContextCgroup{VS_TRY(CgroupHost::find()), run.name()}};
  VS_TRY(shop.cgroup_.create());
  VS_TRY(restrict_devices(shop.cgroup_));
  Fd const cgroup = VS_TRY(shop.cgroup_.open_guest());
  Fd const net = VS_TRY(open_path("/proc/self/ns/net", O_RDONLY));
  StageFds fds;
  fds.cgroup = cgroup.get();
  fds.net_ns = net.get();
  fds.v1_procs = VS_TRY(shop.cgroup_.open_v1_procs());
  Stage stage = VS_TRY(run_stage(plan, fds));
  auto const reports = follow_stage(stage.reports, [&](int pid) -> Status {
    // By descriptor before it may run: its pid is nobody else's then.
    shop.pid_ = pid;
    shop.pidfd_ = Fd{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))};
    if (!shop.pidfd_) return Error::system(errno, "process {}", pid);
    return {};
  });
  if (!reports) return Error{reports.error()};
  if (VS_TRY(stage.child.wait()) != 0)
    return Error::make(Errc::Internal, "vs-stage failed without a report");
  return shop;
}

Workshop::~Workshop() {
  if (pid_ < 0) return;
  if (auto done = cgroup_.kill_all(); !done) warn("{}", done.error().message());
  while (pid_ > 0 && ::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  auto const empty = cgroup_.wait_empty(5000);
  if (!empty || !*empty) warn("processes are left in the build's cgroup");
  if (auto done = cgroup_.remove(); !done) warn("{}", done.error().message());
}

Result<int> Workshop::wait() {
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0) {
    if (errno != EINTR) return Error::system(errno, "wait for process {}", pid_);
  }
  pid_ = 0;
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace vs
