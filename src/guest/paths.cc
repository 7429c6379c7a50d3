// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/paths.h"

#include <algorithm>
#include <cstdlib>

#include "base/text.h"
#include "sys/file.h"

namespace vs {

namespace {

std::string from_env(const char* name, const char* fallback) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0' ? value : fallback;
}

std::string libexec_dir(const std::string& self) {
  auto const slash = self.rfind('/');
  std::string const beside = slash == std::string::npos ? "." : self.substr(0, slash);
  return exists(beside + "/vs-stage") ? beside : VS_LIBEXECDIR;
}

// Of a name from the command line, for an error.
std::string shown(const std::string& name) {
  auto const text = printable(std::string_view{name}.substr(0, 80));
  return name.size() > 80 ? text + "..." : text;
}

}  // namespace

const Paths& Paths::get() {
  static const Paths kPaths = [] {
    Paths p;
    p.conf = from_env("VSERVER_CONFDIR", "/etc/vservers");
    p.vdirs = from_env("VSERVER_VDIRBASE", "/var/lib/vservers");
    p.run = from_env("VSERVER_RUNDIR", "/run/vserver");
    bool const moved = std::getenv("VSERVER_RUNDIR") != nullptr;
    p.state = from_env("VSERVER_STATEDIR", moved ? (p.run + "/vservers").c_str() : "/run/vservers");
    p.rev = p.state + ".rev";
    p.locks = from_env("VSERVER_LOCKDIR", moved ? (p.run + "/vservers.lock").c_str() : "/run/lock");
    p.cache = from_env("VSERVER_CACHEDIR", "/var/cache/vserver");
    auto const program = read_link_at(FdRef::cwd(), "/proc/self/exe");
    p.self = program ? *program : "/usr/sbin/vserver";
    p.libexec = from_env("VSERVER_LIBEXECDIR", libexec_dir(p.self).c_str());
    return p;
  }();
  return kPaths;
}

Status check_name(const std::string& name) {
  auto const alnum = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  bool const good = !name.empty() && name.size() <= 64 && alnum(name[0]) &&
                    std::all_of(name.begin(), name.end(), [&](char c) {
                      return alnum(c) || c == '.' || c == '_' || c == '-' || c == '+';
                    });
  if (good) return {};
  return Error::make(Errc::Usage, "'{}' is not a guest's name", shown(name))
      .hint("letters, digits and . _ - +, starting with a letter or digit, at most 64 characters");
}

namespace {
constexpr std::string_view kContextPrefix = ".xid-";
}

std::string context_name(std::uint32_t xid) {
  return fmt::format("{}{}", kContextPrefix, xid);
}

bool is_context_name(std::string_view name) {
  return name.starts_with(kContextPrefix) &&
         parse_decimal(name.substr(kContextPrefix.size())).has_value();
}

std::string config_dir(const std::string& name) {
  if (is_context_name(name)) return fmt::format("{}/guests/{}/config", Paths::get().run, name);
  return fmt::format("{}/{}", Paths::get().conf, name);
}

}  // namespace vs
