// SPDX-License-Identifier: GPL-2.0-or-later
// Made from the tables at build time: the bash completion, and the OPTIONS of the manual pages.
//   vs-doc completion      the script for bash
//   vs-doc man <PAGE       a page for scdoc; a line "@OPTIONS NAME@" becomes the options of that
//                          command, "@COMMANDS@" the list of vserver's commands
//   vs-doc keys            docs/configuration.md: every entry and what becomes of it
//   vs-doc rows            every row of the tables of flags, context capabilities and limits, for
//   the
//                          tests: kind, name, bits or kinds, what becomes of it, why
//   vs-doc check FILE...   fails and names the commands that no page has the options of
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "base/text.h"
#include "cli/help.h"
#include "cmd/commands.h"
#include "config/keys.h"
#include "context/flags.h"
#include "limit/resource.h"
#include "sys/file.h"

namespace vs {

namespace {

std::vector<const Command*> all_commands() {
  std::vector<const Command*> out{&kVserver};
  for (auto const list : {all_verbs(), build_methods(), all_programs()})
    out.insert(out.end(), list.begin(), list.end());
  return out;
}

std::string completion() {
  constexpr std::array<std::string_view, 5> kSubcommands{"get", "set", "unset", "show", "check"};
  std::vector<std::string> keys;
  for (auto const& key : guest_keys().keys()) {
    if (key.path.find('*') == std::string_view::npos) keys.emplace_back(key.path);
  }
  return format_bash_completion(
      {kVserver.name, kVserver.options, all_verbs(), all_programs(), kSubcommands, keys});
}

std::string options_of(std::string_view name) {
  for (auto const* command : all_commands()) {
    if (command->name != name) continue;
    auto const text = format_man_options(command->options);
    return text.empty() ? "None of its own.\n" : text;
  }
  return {};
}

std::string commands() {
  std::string out;
  for (auto const* verb : all_verbs())
    out += fmt::format("*{}* {}\n\t{}.\n\n", verb->name, man_escape(verb->operands), verb->summary);
  return out;
}

void print_flags(std::string_view kind, std::span<const ContextFlag> table) {
  constexpr std::array<std::string_view, 3> kSupport{"always", "chosen", "refused"};
  for (auto const& flag : table) {
    if (flag.how.empty()) continue;  // another name of the row above
    fmt::print("{} {} {:#x} {} {}\n", kind, flag.name, flag.bits,
               kSupport.at(static_cast<std::size_t>(flag.support)), flag.how);
  }
}

int print_rows() {
  print_flags("flag", context_flags());
  print_flags("ccap", context_capabilities());
  for (auto const& resource : resources()) {
    std::string kinds;
    for (auto const kind : {LimitKind::Min, LimitKind::Soft, LimitKind::Hard}) {
      if (!knob_of(resource, kind).empty())
        kinds += fmt::format("{}{}", kinds.empty() ? "" : ",", kind_name(kind));
    }
    fmt::print("limit {} {} {} {}\n", resource.name, kinds.empty() ? "-" : kinds,
               kinds.empty() ? "refused" : "chosen", resource.note);
  }
  return 0;
}

// The name in a line "@OPTIONS NAME@".
std::string_view marker(std::string_view line) {
  constexpr std::string_view kStart = "@OPTIONS ";
  if (!line.starts_with(kStart) || !line.ends_with('@')) return {};
  return line.substr(kStart.size(), line.size() - kStart.size() - 1);
}

int expand(const std::string& page) {
  for (auto const line : split_lines(page)) {
    auto const name = marker(line);
    if (line == "@COMMANDS@") {
      fmt::print("{}", commands());
    } else if (name.empty()) {
      fmt::print("{}\n", line);
    } else if (auto const text = options_of(name); !text.empty()) {
      fmt::print("{}", text);
    } else {
      fmt::print(stderr, "there is no command '{}'\n", name);
      return 1;
    }
  }
  return 0;
}

Result<int> check(const std::vector<std::string>& files) {
  std::vector<std::string> seen;
  for (auto const& file : files) {
    auto const page = VS_TRY(read_file(file));
    for (auto const line : split_lines(page))
      seen.emplace_back(marker(line));
  }
  int bad = 0;
  for (auto const* command : all_commands()) {
    if (std::find(seen.begin(), seen.end(), command->name) != seen.end()) continue;
    fmt::print(stderr, "no manual page has the options of '{}'\n", command->name);
    bad = 1;
  }
  return bad;
}

std::string fate(const Key& key) {
  switch (key.use) {
    case Use::Applied: return "works";
    case Use::Elsewhere: return "of other commands";
    case Use::NotYet: return fmt::format("later: {}", feature_of(key.path));
  }
  return {};
}

// Text for a cell of a table in Markdown.
std::string cell(std::string_view text) {
  std::string out;
  for (char const c : text) {
    if (c == '|' || c == '*' || c == '<') out += '\\';
    out += c;
  }
  return out;
}

void print_keys(std::string_view title, const KeyTable& table) {
  fmt::print("\n## {}\n\n| entry | kind | without it | what it is | |\n|---|---|---|---|---|\n",
             title);
  for (auto const& key : table.keys()) {
    auto const unit = key.unit.empty() ? std::string{} : fmt::format(" ({})", key.unit);
    fmt::print("| `{}` | {}{} | {} | {} | {} |\n", key.path, kind_name(key.kind), cell(unit),
               cell(key.fallback), cell(key.help), fate(key));
  }
}

void print_configuration() {
  fmt::print(
      "# Configuration\n\nEvery entry that a guest's tree may have, and what becomes of it; made "
      "by `vs-doc keys` from the\n"
      "tables that the programs read by. *works*: applied at start, stop or entry. *of other "
      "commands*: read by\n"
      "`build`, `start-vservers` and the like. *later*: kept, and named at each start as not yet "
      "applied, with the\n"
      "feature that it belongs to. Any other entry is reported with the nearest known name. "
      "`vserver NAME config\n"
      "check` shows what a start would do with a tree.\n");
  print_keys("`/etc/vservers/NAME`", guest_keys());
  print_keys("`/etc/vservers/.defaults`", default_keys());
}

// Fails when an entry waits for nothing that has a name.
Result<int> keys() {
  for (auto const* table : {&guest_keys(), &default_keys()}) {
    for (auto const& key : table->keys()) {
      if (key.use == Use::NotYet && feature_of(key.path).empty())
        return Error::make(Errc::Config, "no feature is named for the entry '{}'", key.path);
    }
  }
  print_configuration();
  return 0;
}

Result<int> run(const std::vector<std::string>& words) {
  if (words == std::vector<std::string>{"keys"}) return keys();
  if (words == std::vector<std::string>{"rows"}) return print_rows();
  if (words == std::vector<std::string>{"completion"}) {
    fmt::print("{}", completion());
    return 0;
  }
  if (words == std::vector<std::string>{"man"})
    return expand(VS_TRY(read_all(FdRef::raw(STDIN_FILENO))));
  if (!words.empty() && words[0] == "check") return check({words.begin() + 1, words.end()});
  return Error::make(Errc::Usage, "vs-doc completion | keys | rows | man <PAGE | check FILE...");
}

}  // namespace

}  // namespace vs

int main(int argc, char** argv) {
  auto const code = vs::run({argv + 1, argv + argc});
  if (code) return *code;
  fmt::print(stderr, "vs-doc: {}\n", code.error().message());
  return 2;
}
