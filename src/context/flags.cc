// SPDX-License-Identifier: GPL-2.0-or-later
#include "context/flags.h"

#include <array>

#include <fmt/core.h>

namespace vs {

namespace {

constexpr std::uint64_t bit(unsigned n) {
  return std::uint64_t{1} << n;
}

constexpr std::string_view kNoView = "figures of the guest's own in /proc are not built";
constexpr std::string_view kInitNamespace =
    "the kernel asks for the capability in the host's user namespace";

// clang-format off
constexpr auto kFlags = std::to_array<ContextFlag>({
    {"lock", bit(0), Support::Always, "no guest can make a context"},
    {"info_lock", bit(0), Support::Always, ""},
    {"sched", bit(1), Support::Always, "the scheduler sees a guest as one group"},
    {"nproc", bit(2), Support::Chosen, "ulimits/nproc bounds the whole guest (pids.max)"},
    {"info_nproc", bit(2), Support::Chosen, ""},
    {"private", bit(3), Support::Chosen, "enter and exec refuse"},
    {"info_private", bit(3), Support::Chosen, ""},
    {"fakeinit", bit(4), Support::Always, "pid namespace: init is pid 1"},
    {"info_init", bit(4), Support::Always, ""},
    {"hideinfo", bit(5), Support::Always, "nothing in a guest tells of contexts"},
    {"info_hideinfo", bit(5), Support::Always, ""},
    {"ulimit", bit(6), Support::Chosen, "ulimits/nproc and ulimits/rss bound the whole guest"},
    {"info_ulimit", bit(6), Support::Chosen, ""},
    {"namespace", bit(7), Support::Always, "mount namespace"},
    {"info_namespace", bit(7), Support::Always, ""},
    {"info_nspace", bit(7), Support::Always, ""},
    {"sched_hard", bit(8), Support::Chosen, "cpu.max and cpu.max.burst from the token bucket"},
    {"sched_prio", bit(9), Support::Chosen, "cpu.weight follows the fill of the token bucket, by a loop"},
    {"sched_pause", bit(10), Support::Chosen, "cgroup.freeze"},
    {"virt_mem", bit(16), Support::Refused, kNoView},
    {"virt_uptime", bit(17), Support::Always, "time namespace"},
    {"virt_cpu", bit(18), Support::Refused, kNoView},
    {"virt_load", bit(19), Support::Refused, kNoView},
    {"virt_time", bit(20), Support::Refused, "the kernel has one wall clock for all"},
    {"hide_mount", bit(24), Support::Always, "mount namespace: only the guest's own mounts are listed"},
    {"hide_netif", bit(25), Support::Always, "network namespace; with net/mode host interfaces show"},
    {"hide_vinfo", bit(26), Support::Always, "no VxID lines are in /proc"},
    {"state_setup", bit(32), Support::Always, "start sets and clears it"},
    {"state_init", bit(33), Support::Always, "start sets and clears it"},
    {"state_admin", bit(34), Support::Always, "only the host administers"},
    {"sc_helper", bit(36), Support::Always, "the guard handles the end of a guest"},
    {"reboot_kill", bit(37), Support::Always, "the end of init kills all of its pid namespace"},
    {"persistent", bit(38), Support::Refused, "a guest ends with its init"},
    {"fork_rss", bit(48), Support::Refused, "the memory limit stops allocations, not forks"},
    {"prolific", bit(49), Support::Refused, "a guest makes namespaces and cgroups, not contexts"},
    {"igneg_nice", bit(52), Support::Chosen, "seccomp: negative nice values succeed without effect"},
    {"igneg_ionice", bit(53), Support::Chosen, "seccomp: realtime I/O classes succeed without effect"},
    {"secure", bit(25), Support::Always, ""},
    {"default", bit(17) | bit(36), Support::Always, ""},
});

constexpr auto kCapabilities = std::to_array<ContextFlag>({
    {"set_utsname", bit(0), Support::Chosen, "UTS namespace; without it seccomp refuses"},
    {"utsname", bit(0), Support::Chosen, ""},
    {"set_rlimit", bit(1), Support::Refused, kInitNamespace},
    {"rlimit", bit(1), Support::Refused, ""},
    {"fs_security", bit(2), Support::Always, "user namespace: file capabilities of its own"},
    {"fs_trusted", bit(3), Support::Refused, kInitNamespace},
    {"tiocsti", bit(4), Support::Chosen, "seccomp lets TIOCSTI pass"},
    {"raw_icmp", bit(8), Support::Always, "ping sockets; see ncapabilities"},
    {"icmp", bit(8), Support::Always, ""},
    {"ping", bit(8), Support::Always, ""},
    {"syslog", bit(12), Support::Chosen, "seccomp: syslog(2) is an empty log instead of EPERM"},
    {"oom_adjust", bit(13), Support::Refused, kInitNamespace},
    {"audit_control", bit(14), Support::Always, "PAM goes on without a login uid in a user namespace"},
    {"secure_mount", bit(16), Support::Always, "user namespace: mounts are nodev"},
    {"mount", bit(16), Support::Always, ""},
    {"secure_remount", bit(17), Support::Always, "user namespace"},
    {"remount", bit(17), Support::Always, ""},
    {"binary_mount", bit(18), Support::Refused, kInitNamespace},
    {"dev_mount", bit(19), Support::Refused, kInitNamespace},
    {"quota_ctl", bit(20), Support::Refused, kInitNamespace},
    {"admin_mapper", bit(21), Support::Refused, kInitNamespace},
    {"admin_cloop", bit(22), Support::Refused, kInitNamespace},
    {"kthread", bit(24), Support::Always, "kernel threads are the host's"},
    {"namespace", bit(25), Support::Always, "user namespace: namespaces of its own"},
});
// clang-format on

template <std::size_t N>
constexpr std::array<FlagName, N> names_of(const std::array<ContextFlag, N>& table) {
  std::array<FlagName, N> out{};
  for (std::size_t i = 0; i < N; ++i)
    out[i] = {table[i].name, table[i].bits, table[i].how};
  return out;
}

constexpr auto kFlagNames = names_of(kFlags);
constexpr auto kCapabilityNames = names_of(kCapabilities);
static_assert(is_flag_table(kFlagNames) && is_flag_table(kCapabilityNames));

}  // namespace

std::span<const ContextFlag> context_flags() {
  return kFlags;
}

std::span<const ContextFlag> context_capabilities() {
  return kCapabilities;
}

std::span<const FlagName> context_flag_names() {
  return kFlagNames;
}

std::span<const FlagName> context_capability_names() {
  return kCapabilityNames;
}

std::vector<std::string> refused_flags(std::span<const ContextFlag> table, std::uint64_t bits) {
  std::vector<std::string> out;
  for (auto const& flag : table) {
    if (flag.support == Support::Refused && !flag.how.empty() && (bits & flag.bits) != 0)
      out.push_back(fmt::format("{}: {}", flag.name, flag.how));
  }
  return out;
}

}  // namespace vs
