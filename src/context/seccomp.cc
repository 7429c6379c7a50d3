// SPDX-License-Identifier: GPL-2.0-or-later
#include "context/seccomp.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <memory>
#include <string_view>

#include <seccomp.h>

#include "base/log.h"
#include "sys/file.h"

namespace vs {

namespace {

constexpr std::array kRefused{
    "acct",
    "add_key",
    "adjtimex",
    "bpf",
    "clock_adjtime",
    "clock_adjtime64",
    "clock_settime",
    "clock_settime64",
    "delete_module",
    "finit_module",
    "init_module",
    "ioperm",
    "iopl",
    "kexec_file_load",
    "kexec_load",
    "keyctl",
    "lookup_dcookie",
    "nfsservctl",
    "open_by_handle_at",
    "perf_event_open",
    "pciconfig_iobase",
    "pciconfig_read",
    "pciconfig_write",
    "quotactl",
    "quotactl_fd",
    "request_key",
    "settimeofday",
    "stime",
    "swapoff",
    "swapon",
    "uselib",
    "ustat",
    "vm86",
    "vm86old",
};

constexpr std::array kAbsent{"io_uring_enter", "io_uring_register", "io_uring_setup",
                             "userfaultfd"};

constexpr std::array kClassicRefused{
    "fsconfig",  "fsmount",    "fsopen", "fspick", "mount",   "mount_setattr", "move_mount",
    "open_tree", "pivot_root", "setns",  "umount", "umount2", "unshare"};

// Families of sockets beside unix, IPv4, IPv6, netlink and packet, as ranges of bits: those that no
// network namespace confines, or no rule of a shared one, and protocols whose modules a call would
// load. The kernel itself refuses what is beyond (64 and more).
struct Families {
  std::uint64_t mask, value;
};
constexpr std::array kAbsentSockets{
    Families{0xffffffff, AF_AX25}, Families{0xfffffffc, 4},  Families{0xfffffffe, 8},
    Families{0xffffffff, 11},      Families{0xfffffffc, 12}, Families{0xfffffffe, 18},
    Families{0xfffffffc, 20},      Families{0xfffffff8, 24}, Families{0xffffffe0, 32}};
constexpr bool is_absent(std::uint64_t family) {
  for (auto const& range : kAbsentSockets) {
    if ((family & range.mask) == range.value) return true;
  }
  return false;
}
static_assert(!is_absent(AF_UNSPEC) && !is_absent(AF_UNIX) && !is_absent(AF_INET) &&
              !is_absent(AF_INET6) && !is_absent(AF_NETLINK) && !is_absent(AF_PACKET));
static_assert(is_absent(AF_AX25) && is_absent(AF_X25) && is_absent(AF_ROSE) && is_absent(AF_KEY) &&
              is_absent(AF_ECONET) && is_absent(AF_WANPIPE) && is_absent(AF_VSOCK) &&
              is_absent(AF_ALG) && is_absent(AF_XDP) && is_absent(63));

// Calls from here on came after Linux 6.18 and were never judged: ENOSYS, as on an older kernel.
constexpr std::uint32_t kFirstUnknown = 470;
// Without a user namespace also open_tree_attr and what came after it (Linux 6.15).
constexpr std::uint32_t kFirstUnknownClassic = 467;
// 32-bit ARM has private calls here.
constexpr std::uint32_t kArmPrivate = 0xf0000;

struct Release {
  void operator()(void* filter) const noexcept { ::seccomp_release(filter); }
};
using Filter = std::unique_ptr<void, Release>;

Status refuse(scmp_filter_ctx filter, const char* name, int err) {
  int const number = ::seccomp_syscall_resolve_name(name);
  if (number == __NR_SCMP_ERROR)
    return {};  // not known to this library: nothing can call it by number we know
  int const done =
      ::seccomp_rule_add(filter, SCMP_ACT_ERRNO(static_cast<std::uint16_t>(err)), number, 0);
  if (done != 0 && done != -EDOM) return Error::system(-done, "seccomp rule {}", name);
  return {};
}

// Refuses a call whose int argument has this value in the mask's bits; the kernel, too, ignores the
// upper half.
Status refuse_value(scmp_filter_ctx filter, const char* name, unsigned argument, std::uint64_t mask,
                    std::uint64_t value, int err) {
  scmp_arg_cmp const same{argument, SCMP_CMP_MASKED_EQ, mask, value};
  int const number = ::seccomp_syscall_resolve_name(name);
  int const done = ::seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(static_cast<std::uint16_t>(err)),
                                            number, 1, &same);
  if (done != 0) return Error::system(-done, "seccomp rule {}", name);
  return {};
}

// Answers success without doing anything when these bits of an argument have this value.
Status pretend(scmp_filter_ctx filter, const char* name, unsigned argument, std::uint64_t mask,
               std::uint64_t value) {
  scmp_arg_cmp const same{argument, SCMP_CMP_MASKED_EQ, mask, value};
  int const done = ::seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(0),
                                            ::seccomp_syscall_resolve_name(name), 1, &same);
  if (done != 0 && done != -EDOM) return Error::system(-done, "seccomp rule {}", name);
  return {};
}

// What the context's flags and capabilities choose.
Status add_choices(scmp_filter_ctx filter, std::uint64_t flags, std::uint64_t capabilities) {
  constexpr std::uint64_t kNegative = 1U << 31U;
  constexpr std::uint64_t kIoClass = 7U << 13U;  // ioprio_set(2): 1 is the realtime class
  constexpr std::uint64_t kIoRealtime = 1U << 13U;
  if ((flags & cflag::kIgnegNice) != 0) {
    VS_TRY(pretend(filter, "setpriority", 2, kNegative, kNegative));
    VS_TRY(pretend(filter, "nice", 0, kNegative, kNegative));
  }
  if ((flags & cflag::kIgnegIonice) != 0)
    VS_TRY(pretend(filter, "ioprio_set", 2, kIoClass, kIoRealtime));
  if ((capabilities & ccap::kSyslog) != 0) {
    VS_TRY(refuse(filter, "syslog", 0));
  } else {
    VS_TRY(refuse(filter, "syslog", EPERM));
  }
  // Pushing characters into a terminal.
  if ((capabilities & ccap::kTiocsti) == 0)
    VS_TRY(refuse_value(filter, "ioctl", 1, 0xffffffff, TIOCSTI, EPERM));
  if ((capabilities & ccap::kSetUtsname) != 0) return {};
  VS_TRY(refuse(filter, "sethostname", EPERM));
  return refuse(filter, "setdomainname", EPERM);
}

Status add_rules(scmp_filter_ctx filter, bool classic) {
  for (const char* name : kRefused)
    VS_TRY(refuse(filter, name, EPERM));
  for (const char* name : kAbsent)
    VS_TRY(refuse(filter, name, ENOSYS));
  for (const char* name : {"socket", "socketpair"}) {
    for (auto const& families : kAbsentSockets)
      VS_TRY(refuse_value(filter, name, 0, families.mask, families.value, EAFNOSUPPORT));
  }
  if (!classic) return {};
  for (const char* name : kClassicRefused)
    VS_TRY(refuse(filter, name, EPERM));
  // A new user namespace begins with every capability. clone3 hides its flags in memory; without it
  // the C libraries use clone.
  scmp_arg_cmp const new_user{0, SCMP_CMP_MASKED_EQ, CLONE_NEWUSER, CLONE_NEWUSER};
  int const done =
      ::seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1, &new_user);
  if (done != 0) return Error::system(-done, "seccomp rule clone");
  return refuse(filter, "clone3", ENOSYS);
}

void emit(std::string& out, std::uint16_t code, std::uint8_t yes, std::uint8_t no,
          std::uint32_t k) {
  sock_filter const instruction{code, yes, no, k};
  out.append(reinterpret_cast<const char*>(&instruction), sizeof instruction);
}

// libseccomp has no ranges of numbers: these stand before its program. x32 numbers are above all of
// this and refused by the program.
std::string refuse_unknown(bool classic) {
  std::string out;
  emit(out, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr));
  emit(out, BPF_JMP | BPF_JGE | BPF_K, 0, 2, classic ? kFirstUnknownClassic : kFirstUnknown);
  emit(out, BPF_JMP | BPF_JGE | BPF_K, 1, 0, kArmPrivate);
  emit(out, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | ENOSYS);
  return out;
}

Result<std::string> export_bpf(scmp_filter_ctx filter) {
  Fd const file{::memfd_create("seccomp", MFD_CLOEXEC)};
  if (!file) return Error::system(errno, "memfd");
  int const done = ::seccomp_export_bpf(filter, file.get());
  if (done != 0) return Error::system(-done, "compile the seccomp filter");
  struct stat st {};
  if (::fstat(file.get(), &st) != 0) return Error::system(errno, "stat");
  std::string out(static_cast<std::size_t>(st.st_size), '\0');
  if (::pread(file.get(), out.data(), out.size(), 0) != st.st_size)
    return Error::system(EIO, "read the filter");
  return out;
}

// FNV-1a: names a cache file by what its content depends on; not a matter of security, the
// directory is root's.
std::uint64_t hash(std::uint64_t h, std::string_view text) {
  for (char const c : text)
    h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return (h ^ 0xff) * 0x100000001b3ULL;
}

// The bits that choose rules.
constexpr std::uint64_t kFlagChoices = cflag::kIgnegNice | cflag::kIgnegIonice;
constexpr std::uint64_t kCapabilityChoices = ccap::kSyslog | ccap::kTiocsti | ccap::kSetUtsname;

std::string cache_name(bool classic, std::uint64_t flags, std::uint64_t capabilities) {
  // The text of this file, so that no filter outlives the rules that it was made from.
  std::uint64_t h = hash(0xcbf29ce484222325ULL, VS_SECCOMP_SOURCE);
  utsname machine{};
  ::uname(&machine);
  const scmp_version* library = ::seccomp_version();
  h = hash(h, fmt::format("{} {}.{}.{} {} {:x} {:x}", machine.machine, library->major,
                          library->minor, library->micro, classic, flags & kFlagChoices,
                          capabilities & kCapabilityChoices));
  return fmt::format("seccomp-{:016x}.bpf", h);
}

std::string_view as_text(const std::string& bytes) {
  return bytes;
}

Result<std::string> read_filter(const std::string& path) {
  Fd const fd = VS_TRY(open_path(path, O_RDONLY | O_NOFOLLOW));
  struct stat st {};
  if (::fstat(fd.get(), &st) != 0) return Error::system(errno, "stat {}", path);
  if (st.st_uid != ::geteuid() || (st.st_mode & 022U) != 0 || st.st_size <= 0 ||
      st.st_size % 8 != 0 || st.st_size > 65536)
    return Error::make(Errc::Config, "{} is not a filter of ours", path);
  std::string out(static_cast<std::size_t>(st.st_size), '\0');
  if (::pread(fd.get(), out.data(), out.size(), 0) != st.st_size)
    return Error::system(EIO, "read {}", path);
  return out;
}

}  // namespace

namespace {

Result<Filter> new_filter() {
  Filter filter{::seccomp_init(SCMP_ACT_ALLOW)};
  if (!filter) return Error::make(Errc::Internal, "seccomp_init failed");
  // A call of a foreign architecture answers ENOSYS, as on a kernel built without it.
  ::seccomp_attr_set(filter.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS));
  ::seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_NNP, 0);
  ::seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
  if (::seccomp_arch_native() == SCMP_ARCH_X86_64) ::seccomp_arch_add(filter.get(), SCMP_ARCH_X86);
  if (::seccomp_arch_native() == SCMP_ARCH_AARCH64) ::seccomp_arch_add(filter.get(), SCMP_ARCH_ARM);
  return filter;
}

// What CAP_SYS_PTRACE allows beyond reading /proc.
constexpr std::array kSpectatorRefused{"pidfd_getfd",       "process_madvise", "process_vm_readv",
                                       "process_vm_writev", "ptrace",          "userfaultfd"};

}  // namespace

Result<std::string> compile_spectator_seccomp() {
  Filter const filter = VS_TRY(new_filter());
  for (const char* name : kSpectatorRefused)
    VS_TRY(refuse(filter.get(), name, EPERM));
  VS_TRY(refuse_value(filter.get(), "ioctl", 1, 0xffffffff, TIOCSTI, EPERM));
  return export_bpf(filter.get());
}

Result<std::string> compile_seccomp(bool classic, std::uint64_t flags, std::uint64_t capabilities) {
  Filter const filter = VS_TRY(new_filter());
  VS_TRY(add_rules(filter.get(), classic));
  VS_TRY(add_choices(filter.get(), flags, capabilities));
  return refuse_unknown(classic) + VS_TRY(export_bpf(filter.get()));
}

Result<std::string> cached_seccomp(const std::string& directory, bool classic, std::uint64_t flags,
                                   std::uint64_t capabilities) {
  std::string const name = cache_name(classic, flags, capabilities);
  if (auto cached = read_filter(fmt::format("{}/{}", directory, name))) return cached;
  auto filter = VS_TRY(compile_seccomp(classic, flags, capabilities));
  auto const store = [&]() -> Status {
    VS_TRY(make_dirs(directory, 0700));
    Fd const dir = VS_TRY(open_path(directory, O_RDONLY | O_DIRECTORY));
    return replace_file_at(dir, name, as_text(filter), 0600);
  };
  if (auto done = store(); !done) debug("seccomp cache: {}", done.error().message());
  return filter;
}

}  // namespace vs
