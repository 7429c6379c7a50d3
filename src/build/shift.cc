// SPDX-License-Identifier: GPL-2.0-or-later
#include "build/shift.h"

#include <endian.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/posix_acl_xattr.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <set>

#include "base/text.h"
#include "sys/file.h"

namespace vs {

namespace {

constexpr std::size_t kShownStrangers = 5;
constexpr std::uint16_t kAclUser = 0x02;
constexpr std::uint16_t kAclGroup = 0x08;
constexpr std::array kAcls{"system.posix_acl_access", "system.posix_acl_default"};

struct Walk {
  std::uint32_t base;
  dev_t device;
  std::set<std::pair<dev_t, ino_t>> met;
  Survey survey;
};

bool fits(const Walk& walk, const struct stat& st) {
  return st.st_uid - walk.base <= 0xffff && st.st_gid - walk.base <= 0xffff;
}

void count(Walk& walk, const std::string& path, const struct stat& st) {
  auto& survey = walk.survey;
  ++survey.files;
  if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) ++survey.devices;
  if (!fits(walk, st)) {
    ++survey.strangers;
    if (survey.first_strangers.size() < kShownStrangers)
      survey.first_strangers.push_back(fmt::format("{} ({}:{})", path, st.st_uid, st.st_gid));
  }
  bool const again =
      !S_ISDIR(st.st_mode) && st.st_nlink > 1 && !walk.met.emplace(st.st_dev, st.st_ino).second;
  if (!again) survey.bytes += static_cast<std::uint64_t>(st.st_blocks) * 512;
}

Status survey_below(Walk& walk, FdRef dir, const std::string& path) {
  for (auto const& name : VS_TRY(list_dir(dir))) {
    struct stat st {};
    // Gone since: the tree of a running guest changes.
    if (::fstatat(dir.get(), name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) continue;
    std::string const where = path + "/" + name;
    count(walk, where, st);
    if (!S_ISDIR(st.st_mode) || st.st_dev != walk.device) continue;
    auto const sub = open_at(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, Resolve::Beneath);
    if (!sub && (sub.error().sys() == ENOENT || sub.error().sys() == ENOTDIR)) continue;
    if (!sub) return Error{sub.error()};
    VS_TRY(survey_below(walk, *sub, where));
  }
  return {};
}

}  // namespace

Result<Survey> survey_tree(FdRef dir, std::uint32_t base) {
  struct stat st {};
  if (::fstat(dir.get(), &st) != 0) return Error::system(errno, "stat");
  Walk walk{base, st.st_dev, {}, {}};
  count(walk, "/", st);
  VS_TRY(survey_below(walk, dir, ""));
  return std::move(walk.survey);
}

Status check_owners(const Survey& survey, std::uint32_t base) {
  if (survey.strangers == 0) return {};
  auto error = Error::make(
      Errc::Config,
      "{} of {} entries belong to owners outside of {}..{}, which a guest cannot have: {}{}",
      survey.strangers, survey.files, base, base + 0xffff, join(survey.first_strangers, ", "),
      survey.strangers > survey.first_strangers.size() ? ", ..." : "");
  return std::move(error).hint("give them owners in that range at the source, then try again");
}

Status check_space(const std::string& path, std::uint64_t bytes, std::uint64_t files) {
  struct statvfs fs {};
  if (::statvfs(path.c_str(), &fs) != 0) return Error::system(errno, "statvfs {}", path);
  std::uint64_t const free = std::uint64_t{fs.f_bavail} * fs.f_frsize;
  if (bytes > free) {
    return Error::system(ENOSPC, "{} are needed, {} are free on {}", format_bytes(bytes),
                         format_bytes(free), path);
  }
  // Some file systems make inodes as they need them and report none.
  if (fs.f_files != 0 && files > fs.f_favail) {
    return Error::system(ENOSPC, "{} inodes are needed, {} are free on {}", files, fs.f_favail,
                         path);
  }
  return {};
}

namespace {

// One extended attribute of a file that is reached through its directory, as nothing is followed.
struct Attribute {
  std::string path;
  const char* name;

  // Its value; empty when it has none.
  [[nodiscard]] Result<std::string> get() const {
    std::string value(1024, '\0');
    auto n = ::lgetxattr(path.c_str(), name, value.data(), value.size());
    if (n < 0 && errno == ERANGE) {
      value.resize(65536);
      n = ::lgetxattr(path.c_str(), name, value.data(), value.size());
    }
    if (n < 0 && errno != ENODATA && errno != EOPNOTSUPP)
      return Error::system(errno, "read {}", name);
    value.resize(n < 0 ? 0 : static_cast<std::size_t>(n));
    return value;
  }
  [[nodiscard]] Status set(const std::string& value) const {
    if (::lsetxattr(path.c_str(), name, value.data(), value.size(), 0) == 0) return {};
    return Error::system(errno, "write {}", name);
  }
};

// Binary form: linux/posix_acl_xattr.h, little endian. False when an owner does not fit.
bool shift_acl(std::string& value, std::uint32_t base) {
  for (std::size_t at = sizeof(posix_acl_xattr_header);
       at + sizeof(posix_acl_xattr_entry) <= value.size(); at += sizeof(posix_acl_xattr_entry)) {
    posix_acl_xattr_entry entry{};
    std::memcpy(&entry, value.data() + at, sizeof entry);
    auto const tag = le16toh(entry.e_tag);
    if (tag != kAclUser && tag != kAclGroup) continue;
    auto const id = le32toh(entry.e_id);
    if (id > 0xffff) return false;
    entry.e_id = htole32(id + base);
    std::memcpy(value.data() + at, &entry, sizeof entry);
  }
  return true;
}

// Capabilities of version 2 are those of the host's root: a guest's kernel ignores them.
std::string own_capabilities(const std::string& value, std::uint32_t base) {
  vfs_ns_cap_data data{};
  if (value.size() != XATTR_CAPS_SZ_2 && value.size() != XATTR_CAPS_SZ_3) return {};
  std::memcpy(&data, value.data(), value.size());
  auto const magic = le32toh(data.magic_etc);
  data.magic_etc = htole32(VFS_CAP_REVISION_3 | (magic & VFS_CAP_FLAGS_EFFECTIVE));
  data.rootid = htole32(base);
  return {reinterpret_cast<const char*>(&data), XATTR_CAPS_SZ_3};
}

Status shift_one(FdRef dir, const std::string& name, const struct stat& st, std::uint32_t base) {
  std::string const path = fmt::format("/proc/self/fd/{}/{}", dir.get(), name);
  Attribute const caps{path, "security.capability"};
  std::string const had = S_ISREG(st.st_mode) ? VS_TRY(caps.get()) : std::string{};
  if (::fchownat(dir.get(), name.c_str(), st.st_uid + base, st.st_gid + base,
                 AT_SYMLINK_NOFOLLOW) != 0)
    return Error::system(errno, "chown");
  if (S_ISLNK(st.st_mode)) return {};
  // A change of owner clears set-id bits and file capabilities.
  if (S_ISREG(st.st_mode) && (st.st_mode & 06000U) != 0 &&
      ::fchmodat(dir.get(), name.c_str(), st.st_mode & 07777U, 0) != 0)
    return Error::system(errno, "chmod");
  if (auto const now = own_capabilities(had, base); !now.empty()) VS_TRY(caps.set(now));
  for (auto const* acl : kAcls) {
    Attribute const attribute{path, acl};
    auto value = VS_TRY(attribute.get());
    if (value.empty()) continue;
    if (!shift_acl(value, base))
      return Error::make(Errc::Config, "an owner above 65535 in its access control list");
    VS_TRY(attribute.set(value));
  }
  return {};
}

Status shift_tree(FdRef dir, std::uint32_t base) {
  for (auto const& name : VS_TRY(list_dir(dir))) {
    struct stat st {};
    if (::fstatat(dir.get(), name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0)
      return Error::system(errno, "stat {}", name);
    // A file with several names is met several times: what is shifted already stays. The survey
    // has shown that no plain owner looks so.
    if (st.st_uid >= base) continue;
    VS_TRY(shift_one(dir, name, st, base), "{}", name);
    if (!S_ISDIR(st.st_mode)) continue;
    Fd const sub =
        VS_TRY(open_at(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, Resolve::Beneath));
    VS_TRY(shift_tree(sub, base), "{}", name);
  }
  return {};
}

}  // namespace

Status shift_owners(const std::string& path, std::uint32_t base) {
  Fd const dir = VS_TRY(open_path(path, O_RDONLY | O_DIRECTORY));
  VS_TRY(check_owners(VS_TRY(survey_tree(dir, 0)), 0), "{}", path);
  VS_TRY(shift_tree(dir, base), "{}", path);
  struct stat st {};
  if (::fstat(dir.get(), &st) != 0 || ::fchown(dir.get(), base, base) != 0)
    return Error::system(errno, "chown {}", path);
  return {};
}

}  // namespace vs
