// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>

#include <cstdio>
#include <memory>
#include <optional>

#include "base/log.h"
#include "base/text.h"
#include "cli/help.h"
#include "cmd/commands.h"
#include "guest/paths.h"
#include "guest/state.h"
#include "sys/file.h"

namespace vs {

namespace {

bool silent = false;

const Command* running_program = &kVserver;

Error no_guest(const std::string& word) {
  return Error::make(Errc::NotFound, "guest '{0}' does not exist (looked for {1}/{0}/vdir)",
                     printable(word), Paths::get().conf)
      .hint(
          "check the spelling: 'vserver list' names all guests; 'vserver build --help' makes one");
}

// The name behind a path such as /etc/vservers/NAME or ./NAME.
std::optional<std::string> name_of_path(const std::string& path) {
  std::unique_ptr<char, decltype(&::free)> const real{::realpath(path.c_str(), nullptr), &::free};
  std::unique_ptr<char, decltype(&::free)> const conf{
      ::realpath(Paths::get().conf.c_str(), nullptr), &::free};
  if (!real || !conf) return std::nullopt;
  std::string_view const text = real.get();
  auto const slash = text.rfind('/');
  if (text.substr(0, slash) != conf.get()) return std::nullopt;
  return std::string{text.substr(slash + 1)};
}

bool is_number(std::string_view word) {
  return parse_decimal(word).has_value();
}

}  // namespace

void apply_common(const Parsed& args) {
  auto const verbose = args.all("verbose").size() + 2 * args.all("debug").size();
  if (verbose > 0) log_level = Level::Info;
  if (verbose > 1) log_level = Level::Debug;
  if (!args.has("silent")) return;
  silent = true;
  log_level = Level::Quiet;
}

bool is_silent() {
  return silent;
}

Result<int> run_command(const Command& command, std::vector<std::string> words,
                        std::vector<std::string> leading) {
  if (command.program.empty()) running_program = &command;
  auto const args = VS_TRY(parse_command(command, std::move(words), std::move(leading)));
  if (args.help_wanted) {
    fmt::print("{}", format_help(command));
    return 0;
  }
  if (args.version_wanted) {
    Command const& program = command.program.empty() ? command : kVserver;
    fmt::print(
        "{} {} -- {}\nThis program is part of vserver {}\n\nCopyright (C) the vserver authors\n"
        "This program is free software; you may redistribute it under the terms of\nthe GNU "
        "General Public License, version 2 or later. It has no warranty.\n",
        program.name, VS_VERSION, program.summary, VS_VERSION);
    return 0;
  }
  apply_common(args);
  return command.run(args);
}

Result<std::string> resolve_guest(const std::string& word) {
  std::string name = word;
  while (name.size() > 1 && name.back() == '/')
    name.pop_back();
  if (name.starts_with('/') || name.starts_with("./") || name.starts_with("../")) {
    auto const found = name_of_path(name);
    if (!found) {
      return Error::make(Errc::NotFound,
                         "'{}' is not the configuration of a guest (those are in {})",
                         printable(word), Paths::get().conf);
    }
    name = *found;
  }
  VS_TRY(check_name(name));
  if (exists(fmt::format("{}/{}/vdir", Paths::get().conf, name))) return name;
  if (is_number(name)) {
    auto const xid = Xid::parse(name);
    if (auto const guest = xid ? guest_of(xid->value()) : std::nullopt) return *guest;
  }
  return no_guest(name);
}

Result<int> for_each_guest(const Parsed& args,
                           const std::function<Status(const std::string& guest)>& action) {
  int code = 0;
  for (auto const& word : args.operands) {
    auto const guest = resolve_guest(word);
    auto const done = guest ? action(*guest) : Status{guest.error()};
    if (done) continue;
    int const failed = report_error(done.error());
    if (code == 0) code = failed;
  }
  return code;
}

int report_error(const Error& error) {
  fmt::print(stderr, "{}: {}\n", running_program->name, error.message());
  if (!error.hint().empty()) fmt::print(stderr, "hint: {}\n", error.hint());
  if (running_program == &kVserver && error.code() == Errc::NotFound) return 5;
  return running_program->failure;
}

}  // namespace vs
