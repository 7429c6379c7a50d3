// SPDX-License-Identifier: GPL-2.0-or-later
#include "sys/probe.h"

#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "base/scope_exit.h"
#include "sys/cgroup.h"
#include "sys/file.h"
#include "sys/process.h"

namespace vs {

namespace {

// The first 64 bytes of struct pidfd_info (Linux 6.15 for the exit part).
struct PidfdInfo {
  std::uint64_t mask, cgroup_id;
  std::uint32_t pid, tgid, ppid, ids[8];
  std::int32_t exit_code;
};
static_assert(sizeof(PidfdInfo) == 64);
constexpr std::uint64_t kPidfdInfoExit = 1U << 3U;
constexpr unsigned long kPidfdGetInfo = _IOWR(0xFF, 11, PidfdInfo);

// Runs body in a child; its result, 0 or an errno, is what the child ends with.
template <class Body>
Status in_child(const char* what, Body&& body) {
  pid_t const pid = ::fork();
  if (pid < 0) return Error::system(errno, "fork");
  if (pid == 0) ::_exit(body());
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFSIGNALED(status)) return Error::system(EFAULT, "{}", what);
  if (WEXITSTATUS(status) != 0) return Error::system(WEXITSTATUS(status), "{}", what);
  return {};
}

template <int kFlags>
Status probe_unshare() {
  return in_child("unshare", [] { return ::unshare(kFlags) == 0 ? 0 : errno; });
}

// A child that is ended and reaped with the object.
Result<Child> clone_child(std::uint64_t flags, int cgroup) {
  int pidfd = -1;
  clone_args request{};
  request.flags = CLONE_PIDFD | flags;
  request.pidfd = reinterpret_cast<std::uint64_t>(&pidfd);
  request.exit_signal = SIGCHLD;
  request.cgroup = cgroup < 0 ? 0 : static_cast<std::uint64_t>(cgroup);
  auto const pid = static_cast<pid_t>(::syscall(SYS_clone3, &request, sizeof request));
  if (pid < 0) return Error::system(errno, "clone3");
  if (pid == 0) {
    ::pause();
    ::_exit(0);
  }
  return Child{pid, Fd{pidfd}};
}

Status probe_clone3() {
  VS_TRY(clone_child(0, -1));
  return {};
}

Status probe_openat2() {
  VS_TRY(open_at(FdRef::cwd(), "/", O_PATH | O_DIRECTORY, Resolve::InRoot));
  return {};
}

Status probe_mounts() {
  Fd const fs{static_cast<int>(::syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC))};
  if (!fs) return Error::system(errno, "fsopen");
  if (::syscall(SYS_fsconfig, fs.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0)
    return Error::system(errno, "fsconfig");
  Fd const mount{static_cast<int>(::syscall(SYS_fsmount, fs.get(), FSMOUNT_CLOEXEC, 0))};
  if (!mount) return Error::system(errno, "fsmount");
  mount_attr attr{};
  attr.attr_set = MOUNT_ATTR_RDONLY;
  if (::syscall(SYS_mount_setattr, mount.get(), "", AT_EMPTY_PATH, &attr, sizeof attr) != 0)
    return Error::system(errno, "mount_setattr");
  return {};
}

// A cgroup of our own on the unified hierarchy, removed with the object.
class ProbeCgroup {
 public:
  static Result<ProbeCgroup> make() {
    auto const host = VS_TRY(CgroupHost::find());
    std::string path = fmt::format("{}/vserver-probe.{}", host.v2(), ::getpid());
    if (::mkdir(path.c_str(), 0755) != 0) return Error::system(errno, "mkdir {}", path);
    return ProbeCgroup{std::move(path)};
  }
  ProbeCgroup(ProbeCgroup&& o) noexcept : path_{std::exchange(o.path_, {})} {}
  ProbeCgroup& operator=(ProbeCgroup&&) = delete;
  ~ProbeCgroup() {
    if (!path_.empty()) ::rmdir(path_.c_str());
  }
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  explicit ProbeCgroup(std::string path) : path_{std::move(path)} {}
  std::string path_;
};

Status probe_cgroup2() {
  VS_TRY(CgroupHost::find());
  return {};
}

Status probe_into_cgroup() {
  auto const cgroup = VS_TRY(ProbeCgroup::make());
  Fd const dir = VS_TRY(open_path(cgroup.path(), O_RDONLY | O_DIRECTORY));
  Child const born = VS_TRY(clone_child(CLONE_INTO_CGROUP, dir.get()));
  return {};
}

Status probe_cgroup_kill() {
  auto const cgroup = VS_TRY(ProbeCgroup::make());
  return write_knob(cgroup.path() + "/cgroup.kill", "1");
}

// Loads the two instructions "return 1" as a program of this kind.
Status load_program(std::uint32_t type, std::uint32_t attach) {
  std::array<bpf_insn, 2> program{};
  program[0].code = BPF_ALU64 | BPF_MOV | BPF_K;
  program[0].imm = 1;
  program[1].code = BPF_JMP | BPF_EXIT;
  bpf_attr load{};
  load.prog_type = type;
  load.expected_attach_type = attach;
  load.insns = reinterpret_cast<std::uint64_t>(program.data());
  load.insn_cnt = program.size();
  load.license = reinterpret_cast<std::uint64_t>("GPL");
  Fd const loaded{static_cast<int>(::syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof load))};
  if (!loaded) return Error::system(errno, "load a BPF program");
  return {};
}

Status probe_device_filter() {
  auto const host = VS_TRY(CgroupHost::find());
  if (host.is_v1("devices")) return {};
  return load_program(BPF_PROG_TYPE_CGROUP_DEVICE, BPF_CGROUP_DEVICE);
}

Status probe_address_filter() {
  return load_program(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_BIND);
}

Status probe_seccomp() {
  return in_child("seccomp", [] {
    sock_filter allow{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW};
    sock_fprog const program{1, &allow};
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno;
    return ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0 ? 0 : errno;
  });
}

Status probe_exit_reason() {
  Child const child = VS_TRY(clone_child(0, -1));
  VS_TRY(signal_process(child.pidfd(), SIGKILL));
  siginfo_t ended{};
  if (::waitid(P_PIDFD, static_cast<id_t>(child.pidfd().get()), &ended, WEXITED | WNOWAIT) != 0)
    return Error::system(errno, "waitid");
  PidfdInfo info{};
  info.mask = kPidfdInfoExit;
  if (::ioctl(child.pidfd().get(), kPidfdGetInfo, &info) != 0)
    return Error::system(errno, "PIDFD_GET_INFO");
  return {};
}

// Calls what an old C library calls without asking: gettimeofday at its fixed address.
Status probe_vsyscall() {
#ifdef __x86_64__
  return in_child("call the vsyscall page", [] {
    struct Page {
      long sec, usec;
    } now{};
    using Call = long (*)(Page*, void*);
    auto const call = reinterpret_cast<Call>(0xffffffffff600000UL);
    return call(&now, nullptr) == 0 && now.sec != 0 ? 0 : ENOSYS;
  });
#else
  return Error::make(Errc::Unsupported, "this architecture never had it");
#endif
}

constexpr std::array kProbes{
    Probe{"clone3 and pidfds", "5.3", Need::Required, "", probe_clone3},
    Probe{"openat2", "5.6", Need::Required, "", probe_openat2},
    Probe{"mounts by descriptor", "5.12", Need::Required, "", probe_mounts},
    Probe{"pid, mount, UTS and IPC namespaces", "3.8", Need::Required, "",
          probe_unshare<CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC>},
    Probe{"cgroup namespaces", "4.6", Need::Required, "", probe_unshare<CLONE_NEWCGROUP>},
    Probe{"cgroup2", "4.5", Need::Required, "", probe_cgroup2},
    Probe{"CLONE_INTO_CGROUP", "5.7", Need::Required, "", probe_into_cgroup},
    Probe{"cgroup.kill", "5.14", Need::Required, "", probe_cgroup_kill},
    Probe{"user namespaces", "3.8", Need::Wanted, "guests run with userns off only",
          probe_unshare<CLONE_NEWUSER>},
    Probe{"network namespaces", "3.0", Need::Wanted, "net/mode private",
          probe_unshare<CLONE_NEWNET>},
    Probe{"time namespaces", "5.6", Need::Wanted, "a guest's uptime is the host's",
          probe_unshare<CLONE_NEWTIME>},
    Probe{"seccomp filters", "3.5", Need::Wanted, "guests run with seccomp off only",
          probe_seccomp},
    Probe{"device filter", "4.15", Need::Wanted, "only the user namespace keeps devices away",
          probe_device_filter},
    Probe{"address filter (cgroup BPF)", "4.17", Need::Wanted, "net/mode shared",
          probe_address_filter},
    Probe{"exit reason of a process that is not ours", "6.15", Need::Wanted,
          "a guard that came back does not know why a guest ended", probe_exit_reason},
    Probe{"vsyscall page", "any, vsyscall=emulate or xonly", Need::Special,
          "guests with a C library older than 2.14 (Debian 6 and before)", probe_vsyscall},
};

}  // namespace

std::span<const Probe> kernel_probes() {
  return kProbes;
}

Status probe_idmapped_mount(const std::string& dir) {
  Child const child = VS_TRY(clone_child(CLONE_NEWUSER, -1));
  std::string const proc = fmt::format("/proc/{}/", child.pid());
  VS_TRY(write_knob(proc + "uid_map", "0 1879048192 65536"));
  VS_TRY(write_knob(proc + "gid_map", "0 1879048192 65536"));
  Fd const users = VS_TRY(open_path(proc + "ns/user", O_RDONLY));
  Fd const tree{static_cast<int>(
      ::syscall(SYS_open_tree, AT_FDCWD, dir.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC))};
  if (!tree) return Error::system(errno, "open_tree {}", dir);
  mount_attr attr{};
  attr.attr_set = MOUNT_ATTR_IDMAP;
  attr.userns_fd = static_cast<std::uint64_t>(users.get());
  if (::syscall(SYS_mount_setattr, tree.get(), "", AT_EMPTY_PATH, &attr, sizeof attr) != 0)
    return Error::system(errno, "idmapped mount of {}", dir);
  return {};
}

}  // namespace vs
