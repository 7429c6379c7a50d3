// SPDX-License-Identifier: GPL-2.0-or-later
#include <unistd.h>

#include <cstdlib>

#include "base/text.h"
#include "cmd/commands.h"
#include "guest/exec.h"
#include "guest/user.h"

namespace vs {

namespace {

constexpr std::array kExecOptions{
    Option{'t', "tty", "", "Give the program a terminal, also when stdin or stdout is none"},
    Option{'T', "no-tty", "", "Give the program no terminal"},
    Option{'n', "no-stdin", "", "Give the program an empty standard input"},
    Option{'u', "user", "USER", "Run as this user of the guest, a name or a number"},
    Option{'e', "env", "NAME[=VALUE]", "Set a variable, without a value to that of our own"},
    Option{'w', "workdir", "PATH", "Start in this directory of the guest"},
};
static_assert(is_option_table(kExecOptions));

constexpr std::span<const Option> kSuexecOptions = [] {
  // All but --user, which is an operand here.
  return std::span{kExecOptions}.first(3);
}();

Result<std::string> variable(std::string_view text) {
  if (text.empty() || text[0] == '=')
    return Error::make(Errc::Usage, "'{}' is not NAME or NAME=VALUE", text);
  if (text.find('=') != std::string_view::npos) return std::string{text};
  const char* value = std::getenv(std::string{text}.c_str());
  return fmt::format("{}={}", text, value != nullptr ? value : "");
}

Result<ExecRequest> make_request(const std::string& guest, const Parsed& args,
                                 std::optional<std::string_view> user) {
  ExecRequest request;
  if (args.has("tty") && args.has("no-tty"))
    return Error::make(Errc::Usage, "--tty and --no-tty exclude each other");
  if (args.has("tty")) request.terminal = Terminal::Always;
  if (args.has("no-tty")) request.terminal = Terminal::Never;
  request.no_input = args.has("no-stdin");
  if (user) request.user = VS_TRY(find_user(guest, *user));
  for (auto const text : args.all("env"))
    request.env.push_back(VS_TRY(variable(text)));
  request.cwd = args.get("workdir").value_or("/");
  request.must_cwd = true;
  return request;
}

Result<int> run_exec(const Parsed& args) {
  auto const guest = VS_TRY(resolve_guest(args.operands[0]));
  auto request = VS_TRY(make_request(guest, args, args.get("user")));
  request.argv.assign(args.operands.begin() + 1, args.operands.end());
  return exec_in_guest(guest, request);
}

Result<int> run_suexec(const Parsed& args) {
  auto const guest = VS_TRY(resolve_guest(args.operands[0]));
  auto request = VS_TRY(make_request(guest, args, args.operands[1]));
  request.argv.assign(args.operands.begin() + 2, args.operands.end());
  return exec_in_guest(guest, request);
}

Result<int> run_enter(const Parsed& args) {
  auto const guest = VS_TRY(resolve_guest(args.operands[0]));
  ExecRequest request;
  request.argv = VS_TRY(login_shell(guest));
  request.cwd = request.user.home;
  request.terminal = ::isatty(STDIN_FILENO) == 1 ? Terminal::Always : Terminal::Never;
  return exec_in_guest(guest, request);
}

Result<int> run_chkconfig(const Parsed& args) {
  auto const guest = VS_TRY(resolve_guest(args.operands[0]));
  ExecRequest request;
  request.argv = args.operands;
  request.argv[0] = "chkconfig";
  return exec_in_guest(guest, request);
}

constexpr std::string_view kStreams =
    "With a terminal on stdin and stdout the program gets a terminal of the guest's\n"
    "own, joined to ours; otherwise pipes. Nothing of the host but a pipe on stdin\n"
    "enters the guest. What processes write that the program left behind is lost.\n\n"
    "Exit status: the program's own; 128 + N when signal N killed it; 126 when it\n"
    "could not be run; 127 when there is none of this name; 1 when the guest does not\n"
    "run.";

}  // namespace

constexpr Command kExec{.name = "exec",
                        .operands = "GUEST PROGRAM [ARGUMENT]...",
                        .summary = "Run a program in a running guest",
                        .options = kExecOptions,
                        .min_operands = 2,
                        .max_operands = kAnyNumber,
                        .stop_at_operand = true,
                        .run = run_exec,
                        .details = kStreams,
                        .program = "vserver",
                        .common = kCommonOptions};

constexpr Command kSuexec{.name = "suexec",
                          .operands = "GUEST USER PROGRAM [ARGUMENT]...",
                          .summary = "Run a program in a running guest as one of its users",
                          .options = kSuexecOptions,
                          .min_operands = 3,
                          .max_operands = kAnyNumber,
                          .stop_at_operand = true,
                          .run = run_suexec,
                          .details = kStreams,
                          .program = "vserver",
                          .common = kCommonOptions};

constexpr Command kEnter{
    .name = "enter",
    .operands = "GUEST",
    .summary = "A login shell in a running guest, as its root",
    .min_operands = 1,
    .max_operands = 1,
    .run = run_enter,
    .details = "The shell is the one in the entry 'shell', else /bin/bash, else /bin/sh.",
    .program = "vserver",
    .common = kCommonOptions};

constexpr Command kChkconfig{.name = "chkconfig",
                             .operands = "GUEST [ARGUMENT]...",
                             .summary = "Run the guest's own chkconfig",
                             .min_operands = 1,
                             .max_operands = kAnyNumber,
                             .verbatim = true,
                             .run = run_chkconfig,
                             .program = "vserver"};

}  // namespace vs
