// SPDX-License-Identifier: GPL-2.0-or-later
// vserver-copy: the old command's name and options for a clone.
#include <array>

#include "base/log.h"
#include "cmd/commands.h"
#include "guest/config.h"
#include "guest/start.h"
#include "guest/state.h"
#include "guest/stop.h"

namespace vs {

namespace {

constexpr std::array kOptions{
    Option{'d', "domain", "DOMAIN", "Domain of the new guest's host name"},
    Option{'i', "ip", "[DEV:]IP[/PREFIX]", "The new guest's address"},
    Option{'r', "vsroot", "DIRECTORY", "Where its root directory is made"},
    Option{'s', "stopstart", "", "Stop GUEST before, and start the new one after it"},
    Option{'q', "quiet", "", "No progress, no warnings"},
    Option{'v', "verbose", "", "Say what is done"},
};
static_assert(is_option_table(kOptions));

std::vector<std::string> build_words(const Parsed& args, const std::string& to) {
  std::vector<std::string> words{"--method=clone"};
  std::string const domain{args.get("domain").value_or("")};
  words.push_back(fmt::format("--hostname={}{}{}", to, domain.empty() ? "" : ".", domain));
  if (auto const ip = args.get("ip")) words.push_back(fmt::format("--interface={}", *ip));
  if (auto const root = args.get("vsroot")) words.push_back(fmt::format("--rootdir={}", *root));
  words.insert(words.end(), {to, "--source", args.operands[0]});
  return words;
}

Result<int> run_copy(const Parsed& args) {
  if (args.has("quiet")) log_level = Level::Quiet;
  if (args.has("verbose")) log_level = Level::Info;
  auto const& to = args.operands[1];
  if (auto const colon = to.find(':'); colon != std::string::npos) {
    auto const name = to.substr(colon + 1);
    return Error::make(Errc::Usage, "'{}' is on another machine", to)
        .hint(fmt::format("there: vserver {} build -m rsync -- --source THIS-HOST:{}",
                          name.empty() ? args.operands[0] : name,
                          VS_TRY(load_config(args.operands[0])).vdir));
  }
  auto const from = VS_TRY(resolve_guest(args.operands[0]));
  bool const stopped = args.has("stopstart") && is_running(from);
  if (stopped) VS_TRY(stop_guest(from));
  auto code = run_command(kBuild, build_words(args, to));
  if (code && *code == 0 && args.has("stopstart")) {
    VS_TRY(start_guest(to));
  } else if (stopped) {  // nothing was copied: as it was before
    if (auto done = start_guest(from); !done) warn("{}", done.error().message());
  }
  return code;
}

}  // namespace

constexpr Command kVserverCopy{
    .name = "vserver-copy",
    .operands = "GUEST NEW",
    .summary = "Copy a guest to a new one",
    .options = kOptions,
    .min_operands = 2,
    .max_operands = 2,
    .run = run_copy,
    .details =
        "The same as 'vserver NEW build -m clone -- --source GUEST', under the name and with\n"
        "the options that scripts of Linux-VServer know."};

}  // namespace vs
