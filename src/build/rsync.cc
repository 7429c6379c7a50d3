// SPDX-License-Identifier: GPL-2.0-or-later
// Trees that rsync brings, from this machine or another one. The receiving rsync works in the
// workshop, with the new guest's ids and without network: what a hostile source makes of it hurts
// nobody. ssh runs on the host and is joined to it by two fifos.
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/text.h"
#include "build/parts.h"
#include "build/shift.h"
#include "guest/paths.h"
#include "sys/file.h"
#include "sys/process.h"

namespace vs {

namespace {

struct Source {
  std::string host;  // [USER@]HOST; empty: this machine
  std::string path;
};

// HOST:PATH as rsync reads it: a slash before the colon makes it a path.
Result<Source> parse_source(const std::string& text) {
  Source out{"", text};
  auto const colon = text.find(':');
  if (colon != std::string::npos && colon < text.find('/'))
    out = {text.substr(0, colon), text.substr(colon + 1)};
  if (out.host.starts_with('-') || (colon == 0))
    return Error::make(Errc::Usage, "'{}' names no host", text);
  if (out.path.starts_with(':')) {
    return Error::make(Errc::Unsupported, "'{}': rsync's own daemons are not asked, only ssh",
                       text);
  }
  if (!out.path.starts_with('/'))
    return Error::make(Errc::Usage, "'{}' is not an absolute path", out.path);
  if (!out.path.ends_with('/')) out.path += '/';
  return out;
}

// What is mounted in a live system is not the guest's, and a guest has a /dev of its own.
std::vector<std::string> rsync_arguments(const std::string& shell, const std::string& from) {
  std::vector<std::string> argv{"rsync",
                                "-aHAXS",
                                "--numeric-ids",
                                "--no-devices",
                                "--no-i-r",
                                "--info=progress2",
                                "--outbuf=L",
                                "--exclude=/proc/*",
                                "--exclude=/sys/*",
                                "--exclude=/dev/*",
                                "--exclude=/run/*"};
  for (const char* rule : {"+x user.*", "+x security.capability", "-x *"})
    argv.push_back(fmt::format("--filter={}", rule));
  if (!shell.empty()) argv.insert(argv.end(), {"--blocking-io", "-e", shell});
  argv.insert(argv.end(), {from, "/guest/"});
  return argv;
}

// "  1,234,567  45%  1.20MB/s  0:00:03 (xfr#5, to-chk=169/396)"
void show_received(const Build& build, std::string_view line) {
  for (auto const word : split_words(line)) {
    if (!word.ends_with('%')) continue;
    if (auto const percent = parse_decimal(word.substr(0, word.size() - 1)))
      build.advance({"copying", *percent, 100, ""});
  }
}

Status receive(Build& build, WorkPlan plan, const std::function<Status()>& on_tick) {
  auto const ended =
      VS_TRY(run_work(build.run, *build.xid, std::move(plan),
                      {[&](std::string_view line) { show_received(build, line); }, on_tick}));
  if (ended.status == 0) return {};
  auto error = work_error(build, "rsync", ended);
  if (ended.says("chown") && ended.says("Invalid argument"))
    return std::move(error).hint("owners above 65535 do not fit into a guest");
  return error;
}

Status copy_here(Build& build, const std::string& path) {
  Fd const source = VS_TRY(open_path(path, O_RDONLY | O_DIRECTORY));
  struct stat st {};
  if (::fstat(source.get(), &st) != 0) return Error::system(errno, "stat {}", path);
  std::uint32_t const base = st.st_uid & ~0xffffU;
  VS_TRY(check_owners(VS_TRY(survey_tree(source, base), "{}", path), base), "{}", path);
  VS_TRY(bind_source(build, path, base));
  WorkPlan plan = VS_TRY(workshop(build));
  plan.ops.push_back({"d", "/source", "755", ""});
  plan.ops.push_back({"b", "/source", source_mount(), "r"});
  plan.argv = rsync_arguments("", "/source/");
  return receive(build, std::move(plan), {});
}

// The command by which rsync would start its other half over there: asked of rsync itself, with a
// remote shell that only tells. Nothing of the source is touched.
Result<std::vector<std::string>> remote_command(const std::string& path) {
  std::vector<std::string> command;
  auto const argv =
      rsync_arguments(R"(sh -c 'for word; do echo "word:$word" >&2; done' sh)", "source:" + path);
  bool host_seen = false;
  VS_TRY(run_tool(argv, {[&](std::string_view line) {
                           if (!line.starts_with("word:")) return;
                           if (host_seen) command.emplace_back(line.substr(5));
                           host_seen = true;
                         },
                         {}}));
  if (command.size() < 3)
    return Error::make(Errc::System, "rsync does not name its remote command");
  return command;
}

Result<Fd> make_fifo(const Build& build, const std::string& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT)
    return Error::system(errno, "unlink {}", path);
  if (::mkfifo(path.c_str(), 0600) != 0 ||
      ::chown(path.c_str(), build.xid->base_id(), build.xid->base_id()) != 0)
    return Error::system(errno, "mkfifo {}", path);
  // Both ways, which never waits: ssh has the only copy, its end is the end of the stream.
  return open_path(path, O_RDWR);
}

Result<Child> start_ssh(const Build& build, const Source& source, const std::string& dir) {
  std::vector<std::string> argv{
      "ssh", "-x", "-a", "-T", "-oBatchMode=yes", "-oClearAllForwardings=yes", source.host, "--"};
  for (auto const& word : VS_TRY(remote_command(source.path)))
    argv.push_back(word);
  Fd const to = VS_TRY(make_fifo(build, dir + "/to"));
  Fd const from = VS_TRY(make_fifo(build, dir + "/from"));
  return spawn_program(argv, {{to.get(), 0}, {from.get(), 1}});
}

Status copy_from(Build& build, const Source& source) {
  WorkPlan plan = VS_TRY(workshop(build));
  std::string const root = plan.root;
  Child ssh = VS_TRY(start_ssh(build, source, root));
  // It lasts as long as ssh does, as rsync expects of a remote shell.
  plan.argv =
      rsync_arguments("sh -c 'exec 3<&0; cat <&3 >/to & exec cat </from'", "source:" + source.path);
  bool gone = false;
  auto const ended = [&](int timeout_ms) -> Status {
    pollfd poll{ssh.pidfd().get(), POLLIN, 0};
    if (::poll(&poll, 1, timeout_ms) != 1) return {};
    gone = true;
    auto const status = VS_TRY(ssh.wait());
    // Other numbers are those of the rsync over there, of which ours has better words.
    if (status < 126) return {};
    return Error::make(Errc::System, "ssh {} ended with status {}", source.host, status)
        .hint(fmt::format("see what 'ssh -oBatchMode=yes {} rsync --version' says", source.host));
  };
  auto const alive = [&]() -> Status {
    // Whoever is late at a fifo that ssh has left would wait there for ever.
    if (gone) {
      Fd const reader{::open((root + "/to").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)};
      Fd const writer{::open((root + "/from").c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC)};
      return {};
    }
    return ended(0);
  };
  auto done = receive(build, std::move(plan), alive);
  // Our rsync may have been the first to notice: what it lacks is no more than an end.
  if (!done && !gone && Interrupts::check()) VS_TRY(ended(1000));
  return done;
}

}  // namespace

Status check_rsync(const BuildRequest& request) {
  if (request.source.empty()) {
    return Error::make(Errc::Usage, "the method rsync needs a source")
        .hint("... -- --source [HOST:]PATH");
  }
  auto const source = VS_TRY(parse_source(request.source));
  for (const char* program : {"rsync", "ssh"}) {
    if (program == std::string_view{"ssh"} && source.host.empty()) continue;
    if (auto const found = find_program(program); !found)
      return Error{found.error()}.hint("apt-get install rsync openssh-client");
  }
  if (source.host.empty()) VS_TRY(open_path(source.path, O_RDONLY | O_DIRECTORY));
  return {};
}

Status fill_by_rsync(Build& build) {
  auto const source = VS_TRY(parse_source(build.request.source));
  VS_TRY(source.host.empty() ? copy_here(build, source.path) : copy_from(build, source));
  return make_another_machine(build);
}

}  // namespace vs
