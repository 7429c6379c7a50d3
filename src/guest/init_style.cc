// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/init_style.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/text.h"
#include "guest/config.h"
#include "sys/file.h"

namespace vs {

namespace {

constexpr std::string_view kGentoo = "/lib/rcscripts/sh/init-vserver.sh /lib/rc/sh/init-vserver.sh";

constexpr std::array kStyles{
    InitStyle{"plain", true, "", "", "/sbin/init", ""},
    InitStyle{"sysv", false, "3", "6", "/etc/init.d/rc /etc/rc.d/rc",
              "/etc/init.d/rc /etc/rc.d/rc"},
    InitStyle{"minit", true, "", "", "/sbin/minit-start", ""},
    InitStyle{"gentoo", false, "default", "", kGentoo, "/sbin/rc"},
    InitStyle{"openrc", false, "default", "", kGentoo, "/sbin/rc"},
    InitStyle{"arch", false, "", "", "/etc/rc.multi", "/etc/rc.shutdown"},
    InitStyle{"", false, "", "", "", ""},
};

bool is_executable(FdRef root, std::string_view path) {
  auto const file = open_at(root, std::string{path.substr(1)}, O_PATH, Resolve::InRoot);
  struct stat st {};
  return file && ::fstat(file->get(), &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 0111U) != 0;
}

// The last one that is there, as the original.
std::string choose(FdRef root, std::string_view programs) {
  std::string out;
  for (auto const program : split_words(programs)) {
    if (is_executable(root, program)) out = program;
  }
  return out;
}

std::string level_or(const std::string& level, std::string_view fallback) {
  return level.empty() ? std::string{fallback} : level;
}

// Everything but directories, without following a link. What a guest has nested deeper than any
// program does stays: it must not keep its next start from going on.
Status remove_files(FdRef dir, int depth = 32) {
  for (auto const& entry : VS_TRY(read_entries(dir))) {
    if (entry.type != DT_DIR) {
      if (::unlinkat(dir.get(), entry.name.c_str(), 0) != 0 && errno != ENOENT && errno != EISDIR)
        return Error::system(errno, "remove {}", entry.name);
      continue;
    }
    if (depth == 0) continue;
    Fd const sub =
        VS_TRY(open_at(dir, entry.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, Resolve::Beneath));
    VS_TRY(remove_files(sub, depth - 1), "{}", entry.name);
  }
  return {};
}

}  // namespace

const InitStyle* find_style(std::string_view name) {
  auto const* at = std::find_if(kStyles.begin(), kStyles.end(),
                                [name](const InitStyle& style) { return style.name == name; });
  return at == kStyles.end() ? nullptr : at;
}

const InitStyle& rescue_style(bool own_init) {
  static constexpr std::array kRescue{InitStyle{"rescue", false, "", "", "", ""},
                                      InitStyle{"rescue", true, "", "", "", ""}};
  return kRescue[own_init ? 1 : 0];
}

std::string style_names() {
  std::vector<std::string> names;
  for (auto const& style : kStyles) {
    if (!style.name.empty()) names.emplace_back(style.name);
  }
  return join(names, ", ");
}

Result<InitPlan> plan_init(const GuestConfig& config) {
  auto const& style = *config.style;
  InitPlan out;
  out.own_init = style.own_init;
  out.start = config.init;
  out.stop = config.stop_command;
  auto const start_level = level_or(config.start_level, style.start_level);
  auto const stop_level = level_or(config.stop_level, style.stop_level);
  if (style.name == "sysv") {
    out.start_environment = {"PREVLEVEL=N", "RUNLEVEL=" + start_level};
    out.stop_environment = {"PREVLEVEL=" + start_level, "RUNLEVEL=" + stop_level};
  }
  if (style.name == "gentoo" || style.name == "openrc") out.stop_environment = {"RUNLEVEL=0"};
  // Process 1 of the guest is its own: found or not when it is executed.
  if (style.own_init && out.start.empty()) {
    out.start.emplace_back(style.start_program);
    if (!start_level.empty()) out.start.push_back(start_level);
    return out;
  }
  Fd const root = VS_TRY(open_path(config.vdir, O_PATH | O_DIRECTORY), "root directory");
  if (out.start.empty()) {
    auto const program = choose(root, style.start_program);
    if (program.empty()) {
      return Error::make(Errc::Config, "init style '{}': the guest has no {}", style.name,
                         style.start_program.empty() ? "apps/init/cmd.start" : style.start_program)
          .hint(
              "a guest with an init of its own has the style 'plain': "
              "vserver GUEST config set apps/init/style plain");
    }
    out.start.push_back(program);
    if (style.name != "arch") out.start.push_back(start_level);
  }
  if (out.stop.empty() && !style.stop_program.empty()) {
    if (auto const program = choose(root, style.stop_program); !program.empty()) {
      out.stop.push_back(program);
      if (style.name == "sysv") out.stop.push_back(stop_level);
      if (style.name == "gentoo" || style.name == "openrc") out.stop.emplace_back("shutdown");
    }
  }
  return out;
}

Status prepare_root(const GuestConfig& config) {
  if (config.style->name != "sysv") return {};
  Fd const root = VS_TRY(open_path(config.vdir, O_PATH | O_DIRECTORY), "root directory");
  for (const char* path : {"var/run", "var/lock"}) {
    // A link leads to a file system that is new at each start.
    auto const dir = open_at(root, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, Resolve::InRoot);
    if (dir) VS_TRY(remove_files(*dir), "clean {}/{}", config.vdir, path);
  }
  return {};
}

}  // namespace vs
