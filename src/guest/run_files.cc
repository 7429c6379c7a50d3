// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/run_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/log.h"
#include "base/text.h"
#include "guest/paths.h"
#include "sys/file.h"

namespace vs {

namespace {

std::string config_path(const std::string& name) {
  return fmt::format("{}/{}", Paths::get().conf, name);
}

// Where the link CONF/NAME/run leads; the usual place when there is none.
std::string run_file(const std::string& name) {
  auto const link = read_link_at(FdRef::cwd(), config_path(name) + "/run");
  if (!link || link->empty()) return fmt::format("{}/{}", Paths::get().state, name);
  return link->front() == '/' ? *link : fmt::format("{}/{}", config_path(name), *link);
}

// CONF/.defaults/run.rev says where, if it is there.
std::string rev_dir() {
  auto const dir = Paths::get().conf + "/.defaults/run.rev";
  return exists(dir) ? dir : Paths::get().rev;
}

std::optional<std::uint64_t> xid_in(const std::string& file) {
  auto const text = read_file(file);
  return text ? parse_decimal(trim(first_line(*text))) : std::nullopt;
}

Status check_own(const std::string& name, const std::string& file) {
  auto const xid = xid_in(file);
  auto const holder = xid ? guest_of(static_cast<std::uint32_t>(*xid)) : std::nullopt;
  if (!holder || *holder == name || !is_running(*holder)) return {};
  return Error::make(Errc::Config, "{}/run leads to {}, the run file of guest '{}'",
                     config_path(name), file, *holder)
      .hint(fmt::format("remove the link: a start makes the right one"));
}

Status write_file(const std::string& file, const RunState& state) {
  auto const slash = file.rfind('/');
  VS_TRY(make_dirs(file.substr(0, slash)));
  Fd const dir = VS_TRY(open_path(file.substr(0, slash), O_RDONLY | O_DIRECTORY));
  std::string const base = file.substr(slash + 1);
  VS_TRY(replace_file_at(dir, base, fmt::format("{}\n", state.xid)));
  std::array<timespec, 2> const times{timespec{0, UTIME_OMIT}, timespec{state.started, 0}};
  if (::utimensat(dir.get(), base.c_str(), times.data(), AT_SYMLINK_NOFOLLOW) != 0)
    return Error::system(errno, "time of {}", file);
  return {};
}

Status write_reverse_link(const RunState& state) {
  auto const dir = rev_dir();
  VS_TRY(make_dirs(dir));
  auto const link = fmt::format("{}/{}", dir, state.xid);
  if (::unlink(link.c_str()) != 0 && errno != ENOENT)
    return Error::system(errno, "remove {}", link);
  if (::symlink(state.config.c_str(), link.c_str()) != 0)
    return Error::system(errno, "link {}", link);
  return {};
}

Status remove_file(const std::string& file) {
  if (::unlink(file.c_str()) != 0 && errno != ENOENT && errno != ENOTDIR)
    return Error::system(errno, "remove {}", file);
  return {};
}

}  // namespace

Status link_run_file(const std::string& conf_dir, const std::string& name) {
  auto const target = fmt::format("{}/{}", Paths::get().state, name);
  auto const link = conf_dir + "/run";
  if (::symlink(target.c_str(), link.c_str()) == 0 || errno == EEXIST) return {};
  // Nothing that a guest runs by.
  if (errno == EROFS) return debug("{}: read-only", link), Status{};
  return Error::system(errno, "link {}", link);
}

Status write_run_files(const std::string& name, const RunState& state) {
  auto const file = run_file(name);
  VS_TRY(check_own(name, file));
  VS_TRY(link_run_file(config_path(name), name));
  VS_TRY(write_file(file, state));
  return write_reverse_link(state);
}

Status remove_run_files(const std::string& name, std::optional<RunState> const& state) {
  auto const file = run_file(name);
  auto const held = xid_in(file);
  auto const xid = state ? std::optional<std::uint64_t>{state->xid} : held;
  if (!xid) return {};
  auto const link = fmt::format("{}/{}", rev_dir(), *xid);
  auto const config = read_link_at(FdRef::cwd(), link);
  if (config && *config == config_path(name)) VS_TRY(remove_file(link));
  if (held == xid) VS_TRY(remove_file(file));
  return {};
}

std::string startup_lock_path(const std::string& name) {
  std::string canonical = config_path(name);
  std::erase_if(canonical, [](char c) {
    return !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'));
  });
  return fmt::format("{}/vserver.{}.startup", Paths::get().locks, canonical);
}

}  // namespace vs
