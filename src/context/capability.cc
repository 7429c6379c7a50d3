// SPDX-License-Identifier: GPL-2.0-or-later
#include "context/capability.h"

#include <linux/capability.h>

#include <array>

namespace vs {

namespace {

constexpr std::uint64_t bit(unsigned cap) {
  return std::uint64_t{1} << cap;
}

constexpr std::array kCapabilities{
    FlagName{"chown", bit(CAP_CHOWN), "change owners"},
    FlagName{"dac_override", bit(CAP_DAC_OVERRIDE), "pass file permissions"},
    FlagName{"dac_read_search", bit(CAP_DAC_READ_SEARCH), "pass read permissions"},
    FlagName{"fowner", bit(CAP_FOWNER), "act as a file's owner"},
    FlagName{"fsetid", bit(CAP_FSETID), "keep set-id bits"},
    FlagName{"kill", bit(CAP_KILL), "signal any process of the guest"},
    FlagName{"setgid", bit(CAP_SETGID), "change gids"},
    FlagName{"setuid", bit(CAP_SETUID), "change uids"},
    FlagName{"setpcap", bit(CAP_SETPCAP), "change bounding sets"},
    FlagName{"linux_immutable", bit(CAP_LINUX_IMMUTABLE), "set immutable and append-only"},
    FlagName{"net_bind_service", bit(CAP_NET_BIND_SERVICE), "bind ports below 1024"},
    FlagName{"net_broadcast", bit(CAP_NET_BROADCAST), "broadcast and multicast"},
    FlagName{"net_admin", bit(CAP_NET_ADMIN), "configure the network"},
    FlagName{"net_raw", bit(CAP_NET_RAW), "raw and packet sockets"},
    FlagName{"ipc_lock", bit(CAP_IPC_LOCK), "lock memory"},
    FlagName{"ipc_owner", bit(CAP_IPC_OWNER), "pass IPC permissions"},
    FlagName{"sys_module", bit(CAP_SYS_MODULE), "load kernel modules"},
    FlagName{"sys_rawio", bit(CAP_SYS_RAWIO), "raw I/O"},
    FlagName{"sys_chroot", bit(CAP_SYS_CHROOT), "chroot and setns"},
    FlagName{"sys_ptrace", bit(CAP_SYS_PTRACE), "trace any process of the guest"},
    FlagName{"sys_pacct", bit(CAP_SYS_PACCT), "process accounting"},
    FlagName{"sys_admin", bit(CAP_SYS_ADMIN), "mounts, names, namespaces and more"},
    FlagName{"sys_boot", bit(CAP_SYS_BOOT), "reboot the guest"},
    FlagName{"sys_nice", bit(CAP_SYS_NICE), "raise priorities"},
    FlagName{"sys_resource", bit(CAP_SYS_RESOURCE), "pass resource limits"},
    FlagName{"sys_time", bit(CAP_SYS_TIME), "set the clock"},
    FlagName{"sys_tty_config", bit(CAP_SYS_TTY_CONFIG), "configure terminals"},
    FlagName{"mknod", bit(CAP_MKNOD), "make device nodes"},
    FlagName{"lease", bit(CAP_LEASE), "file leases"},
    FlagName{"audit_write", bit(CAP_AUDIT_WRITE), "write audit records"},
    FlagName{"audit_control", bit(CAP_AUDIT_CONTROL), "configure auditing"},
    FlagName{"setfcap", bit(CAP_SETFCAP), "set file capabilities"},
    FlagName{"mac_override", bit(CAP_MAC_OVERRIDE), "pass mandatory access control"},
    FlagName{"mac_admin", bit(CAP_MAC_ADMIN), "configure mandatory access control"},
    FlagName{"syslog", bit(CAP_SYSLOG), "read the kernel log"},
    FlagName{"wake_alarm", bit(CAP_WAKE_ALARM), "wake the system"},
    FlagName{"block_suspend", bit(CAP_BLOCK_SUSPEND), "prevent suspend"},
    FlagName{"audit_read", bit(CAP_AUDIT_READ), "read the audit log"},
    FlagName{"perfmon", bit(CAP_PERFMON), "performance monitoring"},
    FlagName{"bpf", bit(CAP_BPF), "privileged BPF"},
    FlagName{"checkpoint_restore", bit(CAP_CHECKPOINT_RESTORE), "checkpoint and restore"},
};
static_assert(is_flag_table(kCapabilities));

// The original's secure set, without the sign error that let everything above bit 31 through.
constexpr std::uint64_t kSecure =
    bit(CAP_CHOWN) | bit(CAP_DAC_OVERRIDE) | bit(CAP_DAC_READ_SEARCH) | bit(CAP_FOWNER) |
    bit(CAP_FSETID) | bit(CAP_KILL) | bit(CAP_SETGID) | bit(CAP_SETUID) |
    bit(CAP_NET_BIND_SERVICE) | bit(CAP_SYS_CHROOT) | bit(CAP_SYS_PTRACE) | bit(CAP_SYS_BOOT) |
    bit(CAP_SYS_TTY_CONFIG) | bit(CAP_LEASE) | bit(CAP_AUDIT_WRITE) | bit(CAP_SETFCAP);

constexpr std::uint64_t kUserNamespace = kSecure | bit(CAP_SETPCAP) | bit(CAP_IPC_LOCK) |
                                         bit(CAP_IPC_OWNER) | bit(CAP_SYS_ADMIN) |
                                         bit(CAP_SYS_NICE) | bit(CAP_SYS_RESOURCE);

}  // namespace

std::span<const FlagName> capability_table() {
  return kCapabilities;
}

std::uint64_t default_capabilities(bool userns) {
  return userns ? kUserNamespace : kSecure;
}

Result<std::uint64_t> bounding_set(bool userns, const std::vector<std::string>& lines) {
  std::uint64_t set = default_capabilities(userns);
  for (auto const& line : lines) {
    auto change = parse_flags(kCapabilities, "cap_", line);
    if (!change) return std::move(change).error().with_code(Errc::Config);
    set = change->applied_to(set);
  }
  return set;
}

}  // namespace vs
