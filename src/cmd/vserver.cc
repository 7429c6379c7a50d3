// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <array>
#include <cstdio>
#include <optional>

#include "base/text.h"
#include "cli/help.h"
#include "cmd/commands.h"
#include "guest/paths.h"
#include "sys/file.h"

namespace vs {

namespace {

constexpr std::array kVerbs{
    &kBuild,     &kStart,  &kStop,   &kRestart, &kCondrestart, &kStatus,  &kRunning,
    &kList,      &kEnter,  &kExec,   &kSuexec,  &kRun,         &kConsole, &kLogs,
    &kChkconfig, &kDelete, &kDoctor, &kRepair,  &kLimits,      &kNet,     &kSet,
    &kPause,     &kResume, &kConfig, &kShow,
};

const Command* find_verb(std::string_view name) {
  auto const* found =
      std::find_if(kVerbs.begin(), kVerbs.end(), [&](const Command* v) { return v->name == name; });
  return found != kVerbs.end() ? *found : nullptr;
}

// The original answers an unknown or missing command with 2, whatever else a wrong option gives.
int bad_command(const Error& error) {
  report_error(error);
  return 2;
}

std::optional<std::string_view> near_verb(std::string_view word) {
  std::vector<std::string_view> names;
  names.reserve(std::size(kVerbs));
  for (auto const* verb : kVerbs)
    names.push_back(verb->name);
  return nearest(word, names);
}

int unknown_verb(const std::string& word) {
  std::vector<std::string> listed;
  listed.reserve(std::size(kVerbs));
  for (auto const* verb : kVerbs)
    listed.emplace_back(verb->name);
  auto const near = near_verb(word);
  return bad_command(Error::make(Errc::Usage, "unknown command '{}'", word)
                         .hint(near ? fmt::format("did you mean '{}'?", *near)
                                    : "commands: " + join(listed, ", ")));
}

bool is_guest_dir(const std::string& name) {
  return exists(fmt::format("{}/{}/vdir", Paths::get().conf, name));
}

using Words = std::vector<std::string>;

Result<int> run_verb(const Command& verb, Words words) {
  // Options in front of the guest belong to the verb; behind it as well, until a program begins.
  if (words.empty() || words[0].starts_with('-') || !wants_guest(verb) || takes_many(verb))
    return run_command(verb, std::move(words));
  std::string guest = std::move(words[0]);
  words.erase(words.begin());
  return run_command(verb, std::move(words), {std::move(guest)});
}

Result<int> run_words(const Parsed& args) {
  Words const& words = args.operands;
  if (words.empty()) {
    fmt::print(stderr, "{}", format_overview(kVserver, kVerbs));
    return 2;
  }
  const Command* first = find_verb(words[0]);
  // A guest may be called like a command: then the second word decides.
  const Command* second = words.size() > 1 ? find_verb(words[1]) : nullptr;
  bool const guest_first =
      second != nullptr && wants_guest(*second) && (first == nullptr || is_guest_dir(words[0]));
  if (guest_first) return run_command(*second, {words.begin() + 2, words.end()}, {words[0]});
  if (first != nullptr) return run_verb(*first, {words.begin() + 1, words.end()});
  // In this order, as the original: no such guest is 5, whatever the command.
  if (auto guest = resolve_guest(words[0]); !guest) {
    auto const near = near_verb(words[0]);
    if (!near) return std::move(guest).error();
    return Error::make(Errc::NotFound, "{}", guest.error().message())
        .hint(fmt::format("did you mean the command '{}'?", *near));
  }
  if (words.size() < 2) {
    return bad_command(Error::make(Errc::Usage, "no command given for guest '{}'", words[0])
                           .hint("see 'vserver --help'"));
  }
  return unknown_verb(words[1]);
}

}  // namespace

constexpr Command kVserver{
    .name = "vserver",
    .operands = "[GUEST] COMMAND [ARGUMENT]...",
    .summary = "Virtual private servers on one Linux kernel",
    .options = kCommonOptions,
    .max_operands = kAnyNumber,
    .stop_at_operand = true,
    .run = run_words,
    .details =
        "'vserver COMMAND --help' tells about one command.\n"
        "Exit status: 0 done, 1 failed, 2 no such command, 3 status of a stopped guest,\n"
        "5 no such guest; exec, suexec, enter, chkconfig and run: the program's."};

std::span<const Command* const> all_verbs() {
  return kVerbs;
}

Result<int> run_vserver(const std::vector<std::string>& words) {
  auto const args = VS_TRY(parse_command(kVserver, words));
  if (args.version_wanted) return run_command(kVserver, words);
  apply_common(args);
  if (!args.help_wanted) return run_words(args);
  fmt::print("{}", format_overview(kVserver, kVerbs));
  return 0;
}

}  // namespace vs
