// SPDX-License-Identifier: GPL-2.0-or-later
#include "build/remove.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>

#include "base/log.h"
#include "base/step.h"
#include "base/text.h"
#include "build/draft.h"
#include "guest/config.h"
#include "guest/paths.h"
#include "guest/state.h"
#include "guest/stop.h"
#include "sys/file.h"

namespace vs {

namespace {

struct Delete {
  std::string name;
  std::string conf;  // CONF/NAME
  std::string gone;  // CONF/.deleted.NAME
  std::string vdir;  // real path of the root directory; empty when there is none
  const OnAdvance& on_advance;
};

std::string hidden_tree(const std::string& vdir) {
  auto const slash = vdir.rfind('/');
  return fmt::format("{}/.deleted.{}", vdir.substr(0, slash), vdir.substr(slash + 1));
}

std::string real_path(const std::string& path) {
  std::unique_ptr<char, decltype(&::free)> const real{::realpath(path.c_str(), nullptr), ::free};
  return real ? std::string{real.get()} : std::string{};
}

bool is_below(std::string_view path, std::string_view dir) {
  return path.starts_with(dir) && (path.size() == dir.size() || path[dir.size()] == '/');
}

// A root directory that holds more than this guest is nothing to be removed: a link may be wrong.
Status check_alone(const Delete& d) {
  auto const& paths = Paths::get();
  for (auto const& dir : {paths.conf, paths.vdirs, paths.cache, paths.run, std::string{"/usr"},
                          std::string{"/etc"}}) {
    auto const real = real_path(dir);
    if (!real.empty() && is_below(real, d.vdir)) {
      return Error::make(Errc::Config, "the root directory {} holds {}: refusing to remove it",
                         d.vdir, dir);
    }
  }
  for (auto const& other : VS_TRY(list_guests())) {
    if (other == d.name) continue;
    auto const theirs = real_path(fmt::format("{}/{}/vdir", paths.conf, other));
    if (!theirs.empty() && (is_below(theirs, d.vdir) || is_below(d.vdir, theirs))) {
      return Error::make(Errc::Busy, "the root directory {} is also that of guest '{}' ({})",
                         d.vdir, other, theirs);
    }
  }
  return {};
}

// Mount points are written with \040 and the like for blanks.
std::string mount_point(std::string_view line) {
  auto const words = split_words(line);
  if (words.size() < 5) return {};
  std::string out;
  for (std::size_t i = 0; i < words[4].size(); ++i) {
    if (words[4][i] == '\\' && i + 3 < words[4].size()) {
      out += static_cast<char>(std::stoi(std::string{words[4].substr(i + 1, 3)}, nullptr, 8));
      i += 3;
    } else {
      out += words[4][i];
    }
  }
  return out;
}

Status check_mounts(const Delete& d) {
  auto const mounts = VS_TRY(read_file("/proc/self/mountinfo", 16U << 20U));
  for (auto const line : split_lines(mounts)) {
    auto const at = mount_point(line);
    if (is_below(at, d.vdir)) {
      return Error::make(Errc::Busy, "{} is mounted in the guest's root directory", at)
          .hint(fmt::format("umount '{}' first: what it holds is not the guest's to delete", at));
    }
  }
  return {};
}

Status hide_configuration(Delete& d) {
  if (::rename(d.conf.c_str(), d.gone.c_str()) != 0)
    return Error::system(errno, "rename {}", d.conf);
  return {};
}

void show_configuration(Delete& d) noexcept {
  if (::rename(d.gone.c_str(), d.conf.c_str()) != 0 && errno != ENOENT)
    warn("rename {} to {}: {}", d.gone, d.conf, ::strerrordesc_np(errno));
}

Status hide_tree(Delete& d) {
  if (d.vdir.empty()) return {};
  if (::rename(d.vdir.c_str(), hidden_tree(d.vdir).c_str()) != 0)
    return Error::system(errno, "rename {}", d.vdir);
  return {};
}

void show_tree(Delete& d) noexcept {
  if (!d.vdir.empty() && ::rename(hidden_tree(d.vdir).c_str(), d.vdir.c_str()) != 0 &&
      errno != ENOENT)
    warn("rename {}: {}", d.vdir, ::strerrordesc_np(errno));
}

// All or nothing until here; what follows only goes forward.
constexpr std::array kDeleteSteps{
    Step<Delete>{"hide-configuration", hide_configuration, show_configuration},
    Step<Delete>{"hide-tree", hide_tree, show_tree},
};

}  // namespace

Status remove_path(const std::string& path, const std::function<void()>& on_removed) {
  auto const slash = path.rfind('/');
  auto const dir = open_path(path.substr(0, slash), O_RDONLY | O_DIRECTORY);
  if (!dir) return dir.error().sys() == ENOENT ? Status{} : Status{dir.error()};
  VS_TRY(remove_tree_at(*dir, path.substr(slash + 1), on_removed), "{}", path.substr(0, slash));
  return {};
}

Status remove_deleted(const std::string& name, const OnAdvance& on_advance) {
  std::string const gone = fmt::format("{}/.deleted.{}", Paths::get().conf, name);
  std::uint64_t files = 0;
  auto const count = [&] {
    ++files;
    if (on_advance) on_advance({"removing", files, {}, ""});
  };
  VS_TRY(test_seam("remove-tree"));
  // A tree under its own name is left when the delete was interrupted between its two renames.
  if (auto const vdir = vdir_of(gone)) {
    if (!exists(hidden_tree(*vdir)) && exists(*vdir)) {
      if (::rename(vdir->c_str(), hidden_tree(*vdir).c_str()) != 0)
        return Error::system(errno, "rename {}", *vdir);
    }
    VS_TRY(remove_path(hidden_tree(*vdir), count));
  }
  VS_TRY(test_seam("remove-rest"));
  for (const char* suffix : {"", ".1"})
    ::unlink(fmt::format("{}/log/{}{}", Paths::get().cache, name, suffix).c_str());
  return remove_path(gone, count);
}

Status delete_guest(const std::string& name, const OnAdvance& on_advance) {
  std::string const conf = fmt::format("{}/{}", Paths::get().conf, name);
  // Deleted already, but for the rest of it.
  bool const swept = sweep_leftovers(name);
  if (swept && !exists(conf)) return {};
  VS_TRY(check_name(name));
  if (!exists(conf)) return Error::make(Errc::NotFound, "there is no guest '{}'", name);
  Delete d{name, conf, fmt::format("{}/.deleted.{}", Paths::get().conf, name),
           real_path(conf + "/vdir"), on_advance};
  if (!d.vdir.empty()) {
    VS_TRY(check_alone(d), "delete guest '{}'", name);
    VS_TRY(check_mounts(d), "delete guest '{}'", name);
  }
  if (is_running(name)) VS_TRY(stop_guest(name));
  auto run = VS_TRY(RunDir::lock(name, 30));
  if (is_running(name)) return Error::make(Errc::Busy, "guest '{}' was started again", name);
  // Its processes are gone, but a stop that was interrupted leaves cgroups, addresses and its xid.
  VS_TRY(clear_run(run), "delete guest '{}'", name);
  // The link must say where the tree really is, for whoever finishes this.
  if (auto const link = vdir_of(conf); link && !d.vdir.empty() && *link != d.vdir) {
    ::unlink((conf + "/vdir").c_str());
    if (::symlink(d.vdir.c_str(), (conf + "/vdir").c_str()) != 0)
      return Error::system(errno, "link {}/vdir", conf);
  }
  VS_TRY(run_steps<Delete>(kDeleteSteps, d), "delete guest '{}'", name);
  VS_TRY(remove_deleted(name, on_advance), "delete guest '{}'", name);
  VS_TRY(run.clear());
  run.forget();
  return {};
}

}  // namespace vs
