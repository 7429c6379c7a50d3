// SPDX-License-Identifier: GPL-2.0-or-later
#include "sys/privilege.h"

#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>

#include "base/text.h"
#include "sys/file.h"

namespace vs {

namespace {

using Sets = std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3>;

Status set_own(std::uint64_t permitted, std::uint64_t inheritable) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  Sets sets{};
  for (std::size_t i = 0; i < sets.size(); ++i) {
    sets.at(i).permitted = static_cast<std::uint32_t>(permitted >> (32 * i));
    sets.at(i).effective = sets.at(i).permitted;
    sets.at(i).inheritable = static_cast<std::uint32_t>(inheritable >> (32 * i));
  }
  if (::syscall(SYS_capset, &header, sets.data()) != 0)
    return Error::system(errno, "set the capabilities");
  return {};
}

std::uint64_t hex_behind(std::string_view status, std::string_view word) {
  for (auto const line : split_lines(status)) {
    if (!line.starts_with(word)) continue;
    std::string const digits{trim(line.substr(word.size()))};
    return std::strtoull(digits.c_str(), nullptr, 16);
  }
  return 0;
}

}  // namespace

Result<CapabilitySets> capabilities_of(int pid) {
  auto const status = read_file(fmt::format("/proc/{}/status", pid));
  if (!status) return Error::system(ESRCH, "process {}", pid);
  return CapabilitySets{hex_behind(*status, "CapEff:"), hex_behind(*status, "CapPrm:"),
                        hex_behind(*status, "CapInh:"), hex_behind(*status, "CapBnd:"),
                        hex_behind(*status, "CapAmb:")};
}

std::uint64_t all_capabilities() {
  std::uint64_t out = 0;
  for (unsigned cap = 0; cap < 64 && ::prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; ++cap)
    out |= std::uint64_t{1} << cap;
  return out;
}

Status bound_capabilities(std::uint64_t keep) {
  for (unsigned cap = 0; cap < 64; ++cap) {
    if ((keep >> cap & 1U) != 0) continue;
    int const now = ::prctl(PR_CAPBSET_READ, cap, 0, 0, 0);
    if (now < 0) break;  // beyond the kernel's last one
    if (now == 1 && ::prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) != 0)
      return Error::system(errno, "bound the capabilities");
  }
  // Not from /proc: the root may be another one by now.
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  Sets own{};
  if (::syscall(SYS_capget, &header, own.data()) != 0)
    return Error::system(errno, "read the capabilities");
  std::uint64_t permitted = 0;
  std::uint64_t inheritable = 0;
  for (std::size_t i = 0; i < own.size(); ++i) {
    permitted |= std::uint64_t{own.at(i).permitted} << (32 * i);
    inheritable |= std::uint64_t{own.at(i).inheritable} << (32 * i);
  }
  return set_own(permitted & keep, inheritable & keep);
}

Status load_filter(std::string_view instructions) {
  sock_fprog const program{static_cast<unsigned short>(instructions.size() / sizeof(sock_filter)),
                           reinterpret_cast<sock_filter*>(const_cast<char*>(instructions.data()))};
  if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0)
    return Error::system(errno, "load the seccomp filter");
  return {};
}

Status forbid_new_privileges() {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    return Error::system(errno, "forbid new privileges");
  return {};
}

Status become_user(const Identity& identity, std::uint64_t keep) {
  std::vector<gid_t> const groups(identity.groups.begin(), identity.groups.end());
  if (::setgroups(groups.size(), groups.data()) != 0) return Error::system(errno, "set the groups");
  if (::setresgid(identity.gid, identity.gid, identity.gid) != 0)
    return Error::system(errno, "set the gid");
  if (keep != 0 && ::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0)
    return Error::system(errno, "keep capabilities");
  if (::setresuid(identity.uid, identity.uid, identity.uid) != 0)
    return Error::system(errno, "set the uid");
  if (keep == 0) return {};
  VS_TRY(set_own(keep, keep));
  for (unsigned cap = 0; cap < 64; ++cap) {
    if ((keep >> cap & 1U) != 0 && ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) != 0)
      return Error::system(errno, "keep capabilities");
  }
  return {};
}

}  // namespace vs
