// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/units.h"

#include <unistd.h>

#include <cstdlib>

#include "base/log.h"
#include "base/text.h"
#include "guest/paths.h"
#include "guest/state.h"
#include "sys/file.h"

namespace vs {

namespace {

bool in_unit = false;

std::string request_path(const std::string& name) {
  return fmt::format("{}/start/{}", Paths::get().run, name);
}

std::string error_path(const std::string& name) {
  return fmt::format("{}/failed/{}", Paths::get().run, name);
}

Status write_note(const std::string& dir, const std::string& name, std::string_view text) {
  std::string const path = fmt::format("{}/{}", Paths::get().run, dir);
  VS_TRY(make_dirs(path, 0700));
  Fd const fd = VS_TRY(open_path(path, O_RDONLY | O_DIRECTORY));
  return replace_file_at(fd, name, text);
}

// The error that the guard's start left, else the one that systemctl gave.
Error start_error(const std::string& name, Error fallback) {
  auto const text = read_file(error_path(name));
  if (!text) return fallback;
  // The unit prints it as well, for the journal: its caller reads it after that.
  if (!inside_unit()) ::unlink(error_path(name).c_str());
  auto const lines = split(*text, '\n');
  if (lines.size() < 3) return fallback;
  auto const code = static_cast<Errc>(parse_decimal(lines[0]).value_or(0));
  auto error = Error::make(code, "{}", lines[1]);
  return lines[2].empty() ? std::move(error) : std::move(error).hint(std::string{lines[2]});
}

}  // namespace

bool units_used() {
  static bool const kUsed = is_systemd_host() && std::getenv("VSERVER_RUNDIR") == nullptr &&
                            exists(VS_UNITDIR "/vserver-guard@.service");
  return kUsed;
}

void enter_unit() {
  in_unit = true;
}

bool inside_unit() {
  return in_unit;
}

std::string guest_unit(const std::string& name) {
  return fmt::format("vserver@{}.service", escape_unit(name));
}

std::string guard_unit(const std::string& name) {
  return fmt::format("vserver-guard@{}.service", escape_unit(name));
}

Result<ScopeHolder> make_guest_scope(const std::string& name) {
  // At shutdown the guest is stopped by its unit before systemd ends what is left in the scope.
  // Lists of units are split into words as in a unit file: there a backslash is written twice.
  std::string quoted;
  for (char const c : guest_unit(name))
    quoted.append(c == '\\' ? 2 : 1, c);
  return make_scope(ContextCgroup::scope_unit(name), "vserver.slice",
                    {"Description=Guest " + name, "TasksMax=infinity", "Before=" + quoted});
}

Status start_by_units(const std::string& name) {
  VS_TRY(write_note("start", name, ""));
  ::unlink(error_path(name).c_str());
  // A guard that waits to start the guest again makes way for this start.
  if (inside_unit()) {
    auto done = systemctl({"restart", guard_unit(name)});
    if (!done) return start_error(name, std::move(done).error());
    return {};
  }
  auto done = systemctl({"start", guest_unit(name)});
  // Still active from a guest that ended unseen: then nothing was done.
  if (done && exists(request_path(name))) done = systemctl({"restart", guest_unit(name)});
  if (!done) return start_error(name, std::move(done).error());
  return {};
}

void stopped_by_units(const std::string& name, bool wait) {
  std::vector<std::string> words{"stop", guest_unit(name)};
  if (!wait) words.insert(words.begin(), "--no-block");
  if (auto done = systemctl(words); !done) warn("guest '{}': {}", name, done.error().message());
}

bool take_start_request(const std::string& name) {
  return ::unlink(request_path(name).c_str()) == 0;
}

void leave_start_error(const std::string& name, const Error& error) {
  auto const text =
      fmt::format("{}\n{}\n{}\n", static_cast<int>(error.code()), error.message(), error.hint());
  if (auto done = write_note("failed", name, text); !done)
    warn("guest '{}': {}", name, done.error().message());
}

}  // namespace vs
