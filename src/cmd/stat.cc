// SPDX-License-Identifier: GPL-2.0-or-later
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>

#include "base/text.h"
#include "cmd/commands.h"
#include "guest/paths.h"
#include "guest/status.h"
#include "sys/file.h"
#include "sys/process.h"

namespace vs {

namespace {

Result<std::vector<GuestStatus>> running_guests() {
  std::vector<GuestStatus> out;
  auto const dir = open_path(Paths::get().run + "/guests", O_RDONLY | O_DIRECTORY);
  if (!dir) return out;
  for (auto const& name : VS_TRY(list_dir(*dir))) {
    auto status = VS_TRY(guest_status(name));
    if (status.running) out.push_back(std::move(status));
  }
  std::sort(out.begin(), out.end(),
            [](const GuestStatus& a, const GuestStatus& b) { return a.xid < b.xid; });
  return out;
}

void print_json(const std::vector<GuestStatus>& guests) {
  fmt::print("[");
  for (std::size_t i = 0; i < guests.size(); ++i) {
    auto const& g = guests[i];
    // Names hold no character that JSON would want escaped (check_name).
    fmt::print(
        "{}{{\"xid\":{},\"name\":\"{}\",\"processes\":{},\"vsz\":{},\"rss\":{},\"user_ms\":{},"
        "\"system_ms\":{},\"uptime\":{}}}",
        i == 0 ? "" : ",\n ", g.xid, g.name, g.processes, g.vsz, g.rss, g.user_ms, g.system_ms,
        g.uptime_s);
  }
  fmt::print("]\n");
}

}  // namespace

Result<int> run_stat(const Words& args) {
  bool json = false;
  for (auto const& arg : args) {
    if (arg == "--json") {
      json = true;
    } else if (arg == "--help") {
      fmt::print("Usage: vserver-stat [--json]\n\nA table of the running guests.\n");
      return 0;
    } else if (arg == "--version") {
      fmt::print("vserver-stat {} -- show virtual server usage statistics\n", VS_VERSION);
      return 0;
    } else {
      fmt::print(stderr, "vserver-stat: unknown argument '{}'\n", arg);
      return 1;
    }
  }
  auto const guests = VS_TRY(running_guests());
  if (json) {
    print_json(guests);
    return 0;
  }
  fmt::print("CTX   PROC    VSZ    RSS  userTIME   sysTIME    UPTIME NAME\n");
  for (auto const& g : guests) {
    fmt::print("{:<5}{:>5}{:>7}{:>7}{:>10}{:>10}{:>10} {:.20}\n", g.xid, g.processes,
               stat_memory(g.vsz), stat_memory(g.rss), stat_time(g.user_ms), stat_time(g.system_ms),
               stat_time(static_cast<std::uint64_t>(g.uptime_s) * 1000), g.name);
  }
  return 0;
}

namespace {

// The line with the context behind the PID column, which ends at `column`.
void print_line(std::string_view line, std::size_t column, const std::string& context) {
  fmt::print("{}{}{}\n", line.substr(0, column), context,
             line.size() > column ? line.substr(column) : "");
}

}  // namespace

Result<int> run_vps(const Words& args) {
  std::string command = "exec ps";
  for (auto const& arg : args) {
    command += " '";
    for (char const c : arg)
      command += c == '\'' ? std::string{"'\\''"} : std::string{c};
    command += "'";
  }
  struct Close {
    void operator()(FILE* file) const noexcept { ::pclose(file); }
  };
  std::unique_ptr<FILE, Close> const ps{::popen((command + " </dev/null").c_str(), "re")};
  if (!ps) return Error::system(errno, "run ps");
  std::array<char, 65536> line{};
  std::size_t column = 0;
  while (std::fgets(line.data(), line.size(), ps.get()) != nullptr) {
    std::string_view text{line.data()};
    if (text.ends_with('\n')) text.remove_suffix(1);
    if (column == 0) {
      auto const at = text.find("PID");
      if (at == std::string_view::npos)
        return Error::make(Errc::Usage, "the output of ps has no PID column");
      column = at + 4;
      print_line(text, column, fmt::format("{:<20}", "CONTEXT"));
      continue;
    }
    auto const words = split_words(text.substr(0, column));
    auto const pid = words.empty() ? std::nullopt : parse_decimal(words.back());
    auto const context = context_of(static_cast<int>(pid.value_or(0)));
    print_line(text, column,
               fmt::format("{:<20}", fmt::format("{:>5} {}", context.xid, context.name)));
  }
  return 0;
}

}  // namespace vs
