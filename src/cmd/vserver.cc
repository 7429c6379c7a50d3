// SPDX-License-Identifier: GPL-2.0-or-later
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <optional>

#include "base/log.h"
#include "base/text.h"
#include "cmd/commands.h"
#include "guest/config.h"
#include "guest/exec.h"
#include "guest/paths.h"
#include "guest/start.h"
#include "guest/status.h"
#include "guest/stop.h"
#include "sys/file.h"

namespace vs {

namespace {

struct Verb {
  std::string_view name;
  std::string_view operands;
  std::string_view help;
  bool many;  // takes several guests in the order VERB GUEST...
  Result<int> (*run)(const std::string& guest, const Words& args);
};

bool silent = false;

Error extra_words(std::string_view verb, const Words& args) {
  return Error::make(Errc::Usage, "{} does not take '{}'", verb, args.empty() ? "" : args[0])
      .hint("see 'vserver --help'");
}

Result<int> do_start(const std::string& guest, const Words& args) {
  if (!args.empty()) return extra_words("start", args);
  auto done = start_guest(guest);
  if (!done && done.error().code() == Errc::Busy && is_running(guest)) {
    warn("guest '{}' is already running", guest);
    return 0;
  }
  VS_TRY(std::move(done));
  return 0;
}

Result<int> do_stop(const std::string& guest, const Words& args) {
  if (!args.empty()) return extra_words("stop", args);
  auto const known = VS_TRY(load_config(guest));
  auto done = stop_guest(known.name);
  if (!done && done.error().code() == Errc::NotFound) {
    warn("guest '{}' is not running", guest);
    return 0;
  }
  VS_TRY(std::move(done));
  return 0;
}

Result<int> do_restart(const std::string& guest, const Words& args) {
  VS_TRY(do_stop(guest, args));
  return do_start(guest, args);
}

Result<int> do_condrestart(const std::string& guest, const Words& args) {
  if (!is_running(guest)) return 0;
  return do_restart(guest, args);
}

Result<int> do_run(const std::string& guest, const Words& args) {
  if (args.empty()) return Error::make(Errc::Usage, "run needs a program");
  return run_guest(guest, args);
}

Result<int> do_exec(const std::string& guest, const Words& args) {
  if (args.empty()) return Error::make(Errc::Usage, "exec needs a program");
  ExecRequest request;
  request.argv = args;
  request.terminal = ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1;
  return exec_in_guest(guest, request);
}

Result<int> do_enter(const std::string& guest, const Words& args) {
  if (!args.empty()) return extra_words("enter", args);
  ExecRequest request;
  request.argv = VS_TRY(login_shell(guest));
  request.terminal = ::isatty(STDIN_FILENO) == 1;
  request.cwd = "/root";
  return exec_in_guest(guest, request);
}

Result<int> do_running(const std::string& guest, const Words&) {
  VS_TRY(load_config(guest));
  return is_running(guest) ? 0 : 1;
}

std::string uptime_text(std::int64_t seconds) {
  auto const days = seconds / 86400;
  auto const clock = fmt::format("{:02}:{:02}", seconds / 3600 % 24, seconds / 60 % 60);
  return days > 0 ? fmt::format("{} days, {}", days, clock) : clock;
}

Result<int> do_status(const std::string& guest, const Words& args) {
  VS_TRY(load_config(guest));
  auto const status = VS_TRY(guest_status(guest));
  if (!args.empty() && args[0] == "--json") {
    fmt::print(
        "{{\"name\":\"{}\",\"running\":{},\"xid\":{},\"processes\":{},\"uptime\":{},\"guarded\":{},"
        "\"ready\":{}}}\n",
        guest, status.running, status.xid, status.processes, status.uptime_s, status.guarded,
        status.ready);
    return status.running ? 0 : 3;
  }
  if (silent) return status.running ? 0 : 3;
  if (!status.running) {
    fmt::print("Vserver '{}' is stopped\n", guest);
    return 3;
  }
  fmt::print("Vserver '{}' is running at context '{}'\n", guest, status.xid);
  fmt::print("Number of processes:  {}\nUptime:               {}\n", status.processes,
             uptime_text(status.uptime_s));
  if (!status.guarded)
    warn("guest '{}' runs without its guard: a reboot from inside will not start it again", guest);
  return 0;
}

bool confirmed(const std::string& guest) {
  fmt::print("Delete guest '{}' with all its files? [y/N] ", guest);
  std::fflush(stdout);
  std::array<char, 8> answer{};
  if (std::fgets(answer.data(), answer.size(), stdin) == nullptr) return false;
  return answer[0] == 'y' || answer[0] == 'Y';
}

Status remove_path(const std::string& path) {
  auto const slash = path.rfind('/');
  Fd const dir = VS_TRY(open_path(path.substr(0, slash), O_RDONLY | O_DIRECTORY));
  // Renamed first: what is half deleted never looks like a guest.
  std::string const gone = fmt::format(".deleted.{}.{}", path.substr(slash + 1), ::getpid());
  if (::renameat(dir.get(), path.substr(slash + 1).c_str(), dir.get(), gone.c_str()) != 0) {
    if (errno == ENOENT) return {};
    return Error::system(errno, "rename {}", path);
  }
  return remove_tree_at(dir, gone);
}

Result<int> do_delete(const std::string& guest, const Words& args) {
  if (!args.empty()) return extra_words("delete", args);
  auto const config = VS_TRY(load_config(guest));
  if (!silent && !confirmed(guest)) return 2;
  if (is_running(guest)) VS_TRY(stop_guest(guest));
  VS_TRY(remove_path(config.vdir), "delete guest '{}'", guest);
  VS_TRY(remove_path(fmt::format("{}/{}", Paths::get().conf, guest)), "delete guest '{}'", guest);
  return 0;
}

Result<int> do_logs(const std::string& guest, const Words&) {
  VS_TRY(load_config(guest));
  std::string const path = fmt::format("{}/log/{}", Paths::get().cache, guest);
  for (auto const& file : {path + ".1", path}) {
    auto const fd = open_path(file, O_RDONLY | O_NOFOLLOW);
    if (!fd) continue;
    std::array<char, 8192> buffer{};
    for (;;) {
      auto const n = ::read(fd->get(), buffer.data(), buffer.size());
      if (n <= 0) break;
      VS_TRY(write_all(FdRef::raw(STDOUT_FILENO), {buffer.data(), static_cast<std::size_t>(n)},
                       "stdout"));
    }
  }
  return 0;
}

Result<int> do_console(const std::string& guest, const Words& args) {
  if (!args.empty()) return extra_words("console", args);
  VS_TRY(load_config(guest));
  Fd const fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::string const path = run_path(guest, "console");
  path.copy(static_cast<char*>(address.sun_path), sizeof address.sun_path - 1);
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    return Error::system(errno, "console of guest '{}'", guest)
        .hint("the guest must run and have its guard");
  fmt::print(stderr, "console of '{}'; Ctrl-] ends\n", guest);
  VS_TRY(relay_console(fd));
  return 0;
}

constexpr std::array kVerbs{
    Verb{"build", "-m METHOD [OPTIONS] [-- METHOD'S]",
         "make a guest (see 'vserver NAME build --help')", false, run_build},
    Verb{"condrestart", "", "restart it when it runs", true, do_condrestart},
    Verb{"console", "", "its console, until Ctrl-]", false, do_console},
    Verb{"delete", "", "stop it and remove all its files, after a question", true, do_delete},
    Verb{"enter", "", "a shell inside, as root", false, do_enter},
    Verb{"exec", "PROGRAM [ARGUMENT...]", "run a program inside", false, do_exec},
    Verb{"logs", "", "what its console has shown", false, do_logs},
    Verb{"restart", "", "stop and start", true, do_restart},
    Verb{"run", "PROGRAM [ARGUMENT...]", "start it with PROGRAM as its init, in the foreground",
         false, do_run},
    Verb{"running", "", "exit status 0 when it runs, else 1", false, do_running},
    Verb{"start", "", "start it", true, do_start},
    Verb{"status", "[--json]", "state, processes, uptime; exit status 3 when stopped", false,
         do_status},
    Verb{"stop", "", "shut it down: asked, then SIGTERM, then SIGKILL", true, do_stop},
};

const Verb* find_verb(std::string_view name) {
  auto const* found =
      std::find_if(kVerbs.begin(), kVerbs.end(), [&](const Verb& v) { return v.name == name; });
  return found != kVerbs.end() ? found : nullptr;
}

void print_help() {
  fmt::print(
      "Usage: vserver [OPTION...] GUEST COMMAND [ARGUMENT...]\n       vserver [OPTION...] COMMAND "
      "GUEST...\n\n"
      "Virtual private servers on one Linux kernel.\n\nCommands:\n");
  for (auto const& verb : kVerbs)
    fmt::print("  {:<12}{}\n", verb.name, verb.help);
  fmt::print(
      "\nOptions:\n  -v, --verbose  say what is done (twice: each step)\n      --silent   no "
      "questions, no status text\n"
      "      --help     this text\n      --version  version and licence\n\n"
      "Exit status: 0 done, 1 failed, 2 usage, 4 busy, 5 no such guest; exec, enter and run: the "
      "program's.\n");
}

// Options before the first word; true when there is nothing more to do.
Result<bool> take_options(Words& args) {
  while (!args.empty() && args[0].starts_with('-')) {
    std::string const option = args[0];
    args.erase(args.begin());
    if (option == "--") break;
    if (option == "-v" || option == "--verbose") {
      log_level = log_level == Level::Info ? Level::Debug : Level::Info;
    } else if (option == "--silent") {
      silent = true;
    } else if (option == "--help" || option == "-h") {
      print_help();
      return true;
    } else if (option == "--version") {
      fmt::print("vserver {} -- virtual private servers on one Linux kernel\nGPL-2.0-or-later\n",
                 VS_VERSION);
      return true;
    } else {
      return Error::make(Errc::Usage, "unknown option '{}'", option).hint("see 'vserver --help'");
    }
  }
  return false;
}

// One failure does not keep the other guests from their turn; the first error is the answer.
Result<int> run_for_all(const Verb& verb, const Words& guests) {
  std::optional<Error> first;
  for (auto const& guest : guests) {
    auto done = verb.run(guest, {});
    if (done) continue;
    if (!first) {
      first = std::move(done).error();
    } else {
      fmt::print(stderr, "vserver: {}\n", done.error().message());
    }
  }
  if (first) return std::move(*first);
  return 0;
}

}  // namespace

Result<int> run_vserver(const Words& given) {
  Words args = given;
  if (VS_TRY(take_options(args))) return 0;
  if (args.empty()) {
    print_help();
    return 2;
  }
  const Verb* first = find_verb(args[0]);
  // A guest may be called like a command: then the second word decides.
  const Verb* second = args.size() > 1 ? find_verb(args[1]) : nullptr;
  if (second != nullptr && (first == nullptr || !first->many ||
                            exists(fmt::format("{}/{}", Paths::get().conf, args[0]))))
    return second->run(args[0], {args.begin() + 2, args.end()});
  if (first != nullptr) {
    if (args.size() < 2) return Error::make(Errc::Usage, "{} needs a guest", first->name);
    if (first->many) return run_for_all(*first, {args.begin() + 1, args.end()});
    return first->run(args[1], {args.begin() + 2, args.end()});
  }
  VS_TRY(load_config(args[0]));
  std::vector<std::string_view> names;
  for (auto const& verb : kVerbs)
    names.push_back(verb.name);
  if (args.size() < 2)
    return Error::make(Errc::Usage, "no command given")
        .hint(join({names.begin(), names.end()}, ", "));
  auto const near = nearest(args[1], names);
  return Error::make(Errc::Usage, "unknown command '{}'", args[1])
      .hint(near ? fmt::format("did you mean '{}'?", *near)
                 : join({names.begin(), names.end()}, ", "));
}

}  // namespace vs
