// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/sweep.h"

#include <fcntl.h>

#include <algorithm>
#include <cstdint>

#include "base/log.h"
#include "base/text.h"
#include "config/write.h"
#include "guest/config.h"
#include "guest/paths.h"
#include "guest/run_files.h"
#include "sys/file.h"

namespace vs {

Result<std::vector<std::string>> sweep_changes(const RunDir& run) {
  std::vector<std::string> out;
  std::string const dir = fmt::format("{}/{}", Paths::get().conf, run.name());
  for (auto const& entry : VS_TRY(sweep_entries(dir), "guest '{}'", run.name()))
    out.push_back(fmt::format("took away what an interrupted change of '{}' left", entry));
  return out;
}

namespace {

std::vector<std::string> names_in(const std::string& path) {
  auto const dir = open_path(path, O_RDONLY | O_DIRECTORY);
  if (!dir) return {};
  auto names = list_dir(*dir);
  return names ? std::move(*names) : std::vector<std::string>{};
}

void remove_one(const std::string& path, std::vector<std::string>& out) {
  auto const done = remove_lock_file(path);
  if (done) out.push_back("removed the lock of a guest that is no more: " + path);
  if (!done) debug("{}", done.error().message());
}

}  // namespace

std::vector<std::string> sweep_claims() {
  std::vector<std::string> out;
  for (auto const& file : names_in(Paths::get().run + "/xid")) {
    auto const xid = parse_decimal(file);
    if (!xid || *xid > UINT32_MAX) continue;
    auto const number = static_cast<std::uint32_t>(*xid);
    auto const holder = guest_of(number);
    // A context takes its lock after its number.
    if (!holder || is_context_name(*holder)) continue;
    if (exists(run_path(*holder, "state")) || is_running(*holder)) continue;
    // Between its claim and its state a command holds the guest's lock.
    auto const lock = try_lock_file(fmt::format("{}/lock/{}", Paths::get().run, *holder));
    if (!lock || !*lock || exists(run_path(*holder, "state"))) continue;
    release_xid(*holder, number);
    out.push_back(fmt::format("gave back context id {}, which '{}' had claimed", number, *holder));
  }
  return out;
}

std::vector<std::string> sweep_locks() {
  std::vector<std::string> out;
  std::string const ours = Paths::get().run + "/lock";
  for (auto const& file : names_in(ours)) {
    constexpr std::string_view kTurn = ".start-";
    auto const name = file.starts_with(kTurn) ? file.substr(kTurn.size()) : file;
    bool const known =
        exists(fmt::format("{}/{}", Paths::get().conf, name)) || exists(run_path(name, "state"));
    if (!known) remove_one(fmt::format("{}/{}", ours, file), out);
  }
  // Their names have only the letters and digits of CONF/NAME: known are those of the guests.
  std::vector<std::string> known;
  if (auto const guests = list_guests()) {
    for (auto const& guest : *guests)
      known.push_back(startup_lock_path(guest));
  }
  std::string const all = startup_lock_path("");
  auto const suffix = all.rfind('.');
  for (auto const& file : names_in(Paths::get().locks)) {
    auto const path = fmt::format("{}/{}", Paths::get().locks, file);
    if (path.starts_with(all.substr(0, suffix)) && path.ends_with(all.substr(suffix)) &&
        std::find(known.begin(), known.end(), path) == known.end())
      remove_one(path, out);
  }
  return out;
}

}  // namespace vs
