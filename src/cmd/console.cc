// SPDX-License-Identifier: GPL-2.0-or-later
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>

#include "base/text.h"
#include "cmd/commands.h"
#include "guest/exec.h"
#include "guest/paths.h"
#include "guest/state.h"
#include "sys/file.h"

namespace vs {

namespace {

constexpr std::array kLogOptions{
    Option{'n', "lines", "N", "Only the last N lines"},
    Option{'f', "follow", "", "Go on and print what comes"},
};
static_assert(is_option_table(kLogOptions));

Result<int> run_console(const Parsed& args) {
  auto const guest = VS_TRY(resolve_guest(args.operands[0]));
  Fd const fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  if (!fd) return Error::system(errno, "socket");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::string const path = run_path(guest, "console");
  if (path.size() >= sizeof address.sun_path) return Error::system(ENAMETOOLONG, "{}", path);
  path.copy(static_cast<char*>(address.sun_path), path.size());
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    return Error::system(errno, "console of guest '{}'", guest)
        .hint("the guest must run and have its guard");
  }
  if (::isatty(STDIN_FILENO) == 1)
    fmt::print(stderr, "console of '{}'; Ctrl-] ends\n", args.operands[0]);
  return relay_console(fd);
}

// The last `lines` lines of text; all without a number.
std::string_view tail(std::string_view text, std::optional<std::uint64_t> lines) {
  if (!lines) return text;
  std::size_t at = text.size();
  if (text.ends_with('\n')) --at;
  for (std::uint64_t n = 0; n < *lines; ++n) {
    auto const newline = at == 0 ? std::string_view::npos : text.rfind('\n', at - 1);
    if (newline == std::string_view::npos) return text;
    at = newline;
  }
  return *lines == 0 ? std::string_view{} : text.substr(at + 1);
}

Status print(std::string_view text) {
  return write_all(FdRef::raw(STDOUT_FILENO), text, "stdout");
}

// What is in the log now, from offset on; the offset moves. Console output may hold any byte.
Result<std::string> read_log(FdRef fd, off_t& offset) {
  std::string out;
  std::array<char, 65536> buffer{};
  for (;;) {
    auto const n = ::pread(fd.get(), buffer.data(), buffer.size(), offset);
    if (n < 0) return Error::system(errno, "read the console's log");
    if (n == 0) return out;
    out.append(buffer.data(), static_cast<std::size_t>(n));
    offset += n;
  }
}

// Prints what is appended, until killed. The guard renames a full log and begins a new one.
Status follow(const std::string& path, Fd file, off_t offset) {
  Fd const watch{::inotify_init1(IN_CLOEXEC)};
  auto const dir = path.substr(0, path.rfind('/'));
  if (!watch || ::inotify_add_watch(watch.get(), dir.c_str(), IN_MODIFY | IN_CREATE) < 0)
    return Error::system(errno, "watch {}", dir);
  for (;;) {
    if (file) VS_TRY(print(VS_TRY(read_log(file, offset))));
    struct stat now {};
    struct stat open {};
    bool const there = ::stat(path.c_str(), &now) == 0;
    if (there && (!file || ::fstat(file.get(), &open) != 0 || open.st_ino != now.st_ino)) {
      file = VS_TRY(open_path(path, O_RDONLY | O_NOFOLLOW));
      offset = 0;
      continue;
    }
    alignas(inotify_event) std::array<char, 4096> events{};
    if (::read(watch.get(), events.data(), events.size()) < 0 && errno != EINTR)
      return Error::system(errno, "watch {}", dir);
  }
}

Result<int> run_logs(const Parsed& args) {
  auto const guest = VS_TRY(resolve_guest(args.operands[0]));
  std::optional<std::uint64_t> lines;
  if (auto const text = args.get("lines")) {
    lines = parse_decimal(*text);
    if (!lines) return Error::make(Errc::Usage, "'{}' is not a number of lines", *text);
  }
  std::string const path = fmt::format("{}/log/{}", Paths::get().cache, guest);
  std::string text;
  Fd last;
  off_t offset = 0;
  for (auto const& file : {path + ".1", path}) {
    auto fd = open_path(file, O_RDONLY | O_NOFOLLOW);
    last.reset();
    if (!fd) continue;
    offset = 0;
    text += VS_TRY(read_log(*fd, offset));
    last = std::move(*fd);
  }
  VS_TRY(print(tail(text, lines)));
  if (args.has("follow")) VS_TRY(follow(path, std::move(last), offset));
  return 0;
}

}  // namespace

constexpr Command kConsole{.name = "console",
                           .operands = "GUEST",
                           .summary = "Join a guest's console, until Ctrl-]",
                           .min_operands = 1,
                           .max_operands = 1,
                           .run = run_console,
                           .program = "vserver",
                           .common = kCommonOptions};

constexpr Command kLogs{
    .name = "logs",
    .operands = "GUEST",
    .summary = "What a guest's console has shown",
    .options = kLogOptions,
    .min_operands = 1,
    .max_operands = 1,
    .run = run_logs,
    .details = "The last 512 KiB to 1 MiB are kept, also over stops and starts.",
    .program = "vserver",
    .common = kCommonOptions};

}  // namespace vs
