// SPDX-License-Identifier: GPL-2.0-or-later
// What a start tells vs-stage: decided here, nothing done.
#include <sys/stat.h>
#include <time.h>

#include <cerrno>

#include "guest/start.h"

namespace vs {

namespace {

enum class Owners : std::uint8_t { Shifted, Unshifted };

// Whose ids the tree has: the guest's own, or plain ones from 0 on.
Result<Owners> tree_owners(const GuestConfig& config, Xid xid) {
  struct stat st {};
  if (::stat(config.vdir.c_str(), &st) != 0)
    return Error::system(errno, "root directory {}", config.vdir);
  if (!S_ISDIR(st.st_mode))
    return Error::make(Errc::Config, "root {} is not a directory", config.vdir);
  if (st.st_uid == xid.base_id()) return Owners::Shifted;
  if (st.st_uid == 0) return Owners::Unshifted;
  return Error::make(Errc::Config, "root {} belongs to uid {}, neither to 0 nor to {} (context {})",
                     config.vdir, st.st_uid, xid.base_id(), xid.value())
      .hint(
          "the tree was made for another context: set 'context' to the one that its owner ids "
          "carry");
}

std::int64_t boottime_now() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return now.tv_sec;
}

}  // namespace

Result<StagePlan> plan_start(const GuestConfig& config, Xid xid,
                             const std::vector<LimitEntry>& limits,
                             const std::vector<std::string>& init) {
  StagePlan plan;
  plan.root = config.vdir;
  plan.hostname = config.nodename;
  plan.domainname = config.domainname;
  plan.argv = init.empty() ? config.init : init;
  plan.envp = config.environment;
  plan.envp.emplace_back("container=vserver");
  auto& header = plan.header;
  header.mode = stage::Mode::Start;
  header.flags = stage::kSysfs;
  if (config.net == NetMode::Private) header.flags |= stage::kNetNs;
  auto const owners = VS_TRY(tree_owners(config, xid));
  if (config.userns) {
    header.flags |= stage::kUserNs;
    header.base_id = xid.base_id();
    if (owners == Owners::Unshifted) header.flags |= stage::kIdmapRoot;
  } else if (owners == Owners::Shifted) {
    return Error::make(Errc::Config, "root {} has shifted owners, but userns is off", config.vdir);
  }
  header.capabilities = config.capabilities;
  header.nice = config.nice;
  header.boottime_offset = -boottime_now();
  for (auto const& limit : limits)
    plan.limits.push_back({static_cast<std::uint32_t>(limit.resource), 0, limit.soft, limit.hard});
  plan.ops = VS_TRY(plan_tree({header.base_id, !config.userns, true, config.fstabs}));
  return plan;
}

}  // namespace vs
