// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/config.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>

#include "base/log.h"
#include "base/text.h"
#include "cli/table.h"
#include "cmd/commands.h"
#include "config/syntax.h"
#include "config/tree.h"
#include "guest/edit.h"
#include "guest/paths.h"
#include "guest/plan_view.h"
#include "guest/state.h"
#include "sys/file.h"

namespace vs {

namespace {

constexpr std::array kJson{Option{0, "json", "", "Print JSON"}};

using Words = std::vector<std::string>;

std::string guest_dir(const std::string& guest) {
  return fmt::format("{}/{}", Paths::get().conf, guest);
}

// The elements of an entry, one of them when it is a single value.
Words texts_of(const Tree& tree, const Value& entry) {
  std::vector<Value> values;
  switch (entry.key->kind) {
    case Kind::Array: values = tree.array(entry.path); break;
    case Kind::List:
    case Kind::Fstab: values = tree.list(entry.path); break;
    case Kind::Scalar:
    case Kind::Limit:
    case Kind::Integer: values.push_back(*tree.scalar(entry.path)); break;
    case Kind::Raw:
    case Kind::Copy: values.push_back(*tree.raw(entry.path)); break;
    case Kind::Link: values.push_back(entry); break;
    case Kind::Flag:
    case Kind::Directory:
    case Kind::Executable: break;
  }
  Words out;
  for (auto& value : values)
    out.push_back(std::move(value.text));
  return out;
}

bool is_several(Kind kind) {
  return kind == Kind::Array || kind == Kind::List || kind == Kind::Fstab;
}

JsonObject to_json(const Tree& tree, const Value& entry) {
  JsonObject out;
  out.add("entry", entry.path).add("kind", kind_name(entry.key->kind));
  auto const texts = texts_of(tree, entry);
  if (is_several(entry.key->kind)) {
    out.add("value", texts);
  } else if (texts.empty()) {
    out.add("value", true);  // what is there and has no text is on
  } else {
    out.add("value", texts[0]);
  }
  out.add("file", entry.position.file).add("applied", entry.key->use != Use::NotYet);
  return out;
}

Result<int> get(const std::string& guest, const Words& words, bool json) {
  if (words.size() != 1) return Error::make(Errc::Usage, "config get takes one ENTRY");
  auto const tree = VS_TRY(read_tree(guest_dir(guest)));
  auto const found = tree.values().find(words[0]);
  if (found != tree.values().end()) {
    if (json) {
      fmt::print("{}\n", to_json(tree, found->second).text());
      return 0;
    }
    for (auto const& text : texts_of(tree, found->second))
      fmt::print("{}\n", text);
    return 0;
  }
  const Key* key = guest_keys().find(words[0]);
  if (key == nullptr) {
    auto const near = guest_keys().nearest(words[0]);
    return Error::make(Errc::Usage, "unknown entry '{}'", words[0])
        .hint(near ? fmt::format("did you mean '{}'?", *near) : std::string{});
  }
  warn("guest '{}' has no entry '{}'{}", guest, words[0],
       key->fallback.empty() ? "" : fmt::format("; what holds then: {}", key->fallback));
  return 1;
}

Status say_when(const std::string& guest) {
  if (is_running(guest))
    info("guest '{}' is running: the change takes effect at its next start", guest);
  return {};
}

// TEXT... are the lines; a single '-' stands for the standard input.
Result<int> set(const std::string& guest, const Words& words) {
  if (words.empty()) {
    return Error::make(Errc::Usage, "config set takes an ENTRY and its text")
        .hint("vserver GUEST config set interfaces/0/ip 10.0.0.2");
  }
  std::string text = join({words.begin() + 1, words.end()}, "\n");
  if (words.size() == 2 && words[1] == "-")
    text = VS_TRY(read_all(FdRef::raw(STDIN_FILENO), kMaxConfigFile), "standard input");
  VS_TRY(change_entry(guest, words[0], text));
  VS_TRY(say_when(guest));
  return 0;
}

Result<int> unset(const std::string& guest, const Words& words) {
  if (words.size() != 1) return Error::make(Errc::Usage, "config unset takes one ENTRY");
  VS_TRY(change_entry(guest, words[0], std::nullopt));
  VS_TRY(say_when(guest));
  return 0;
}

Result<int> show(const std::string& guest, const Words& words, bool json) {
  if (!words.empty()) return Error::make(Errc::Usage, "config show takes no ENTRY");
  auto const tree = VS_TRY(read_tree(guest_dir(guest)));
  Table table{{{"ENTRY"}, {"VALUE"}, {"USE"}}};
  JsonArray array;
  for (auto const& [path, entry] : tree.values()) {
    if (json) {
      array.add(to_json(tree, entry));
      continue;
    }
    auto const texts = texts_of(tree, entry);
    for (std::size_t i = 0; i < std::max<std::size_t>(texts.size(), 1); ++i) {
      table.add_row({i == 0 ? path : std::string{}, texts.empty() ? "(on)" : texts[i],
                     i == 0 && entry.key->use == Use::NotYet ? "not yet applied" : ""});
    }
  }
  fmt::print("{}", json ? array.text() + "\n" : table.text());
  return 0;
}

void print_list(std::string_view title, const Words& texts) {
  if (texts.empty()) return;
  fmt::print("{}\n", title);
  for (auto const& text : texts)
    fmt::print("  {}\n", text);
}

void print_text(const PlanView& view) {
  for (auto const& section : view.sections) {
    if (section.entries.empty()) continue;
    fmt::print("{}\n", section.name);
    std::size_t width = 0;
    for (auto const& entry : section.entries)
      width = std::max(width, entry.name.size());
    for (auto const& entry : section.entries) {
      for (std::size_t i = 0; i < std::max<std::size_t>(entry.values.size(), 1); ++i) {
        fmt::print("  {:<{}}  {}\n", i == 0 ? entry.name : "", width,
                   entry.values.empty() ? "none" : entry.values[i]);
      }
    }
  }
  print_list("not yet applied", view.not_applied);
  print_list("remarks", view.remarks);
  print_list("wrong", view.problems);
}

// "host name" is "host_name".
std::string json_name(std::string name) {
  std::replace(name.begin(), name.end(), ' ', '_');
  return name;
}

void print_json(const PlanView& view) {
  JsonObject out;
  for (auto const& section : view.sections) {
    JsonObject entries;
    for (auto const& entry : section.entries) {
      if (entry.values.size() == 1) {
        entries.add(json_name(entry.name), entry.values[0]);
      } else {
        entries.add(json_name(entry.name), entry.values);
      }
    }
    out.add(section.name, std::move(entries));
  }
  out.add("not_applied", view.not_applied).add("remarks", view.remarks);
  out.add("wrong", view.problems);
  fmt::print("{}\n", out.text());
}

// 1 when something is wrong.
Result<int> check(const std::string& guest, bool json) {
  auto const view = VS_TRY(view_plan(guest));
  if (json) {
    print_json(view);
  } else if (!is_silent()) {
    print_text(view);
  }
  return view.problems.empty() ? 0 : 1;
}

Result<int> run_config(const Parsed& args) {
  auto const guest = VS_TRY(resolve_guest(args.operands[0]));
  auto const& action = args.operands[1];
  bool const json = args.has("json");
  Words const rest{args.operands.begin() + 2, args.operands.end()};
  if (action == "get") return get(guest, rest, json);
  if (action == "set") return set(guest, rest);
  if (action == "unset") return unset(guest, rest);
  if (action == "show") return show(guest, rest, json);
  if (action == "check") return check(guest, json);
  return Error::make(Errc::Usage, "config cannot '{}'", action)
      .hint("get, set, unset, show or check");
}

Result<int> run_show(const Parsed& args) {
  auto const view = VS_TRY(view_plan(VS_TRY(resolve_guest(args.operands[0]))));
  if (args.has("json")) {
    print_json(view);
  } else {
    print_text(view);
  }
  return 0;
}

}  // namespace

constexpr Command kConfig{
    .name = "config",
    .operands = "GUEST get|set|unset|show|check [ENTRY] [TEXT]...",
    .summary = "Read, change and check a guest's configuration",
    .options = kJson,
    .min_operands = 2,
    .max_operands = kAnyNumber,
    .run = run_config,
    .details =
        "get ENTRY            its value; exit status 1 when there is none\n"
        "set ENTRY TEXT...    each TEXT is a line; '-' reads the standard input; a flag takes "
        "none\n"
        "unset ENTRY          remove it, or a directory such as interfaces/0\n"
        "show                 all entries that are there\n"
        "check                the plan of a start; exit status 1 when something is wrong\n"
        "A change that would keep the guest from starting is refused. Put '--' in front of a TEXT\n"
        "that starts with '-'.",
    .program = "vserver",
    .common = kCommonOptions};

constexpr Command kShow{.name = "show",
                        .operands = "GUEST",
                        .summary = "What a start of a guest would do, without doing it",
                        .options = kJson,
                        .min_operands = 1,
                        .max_operands = 1,
                        .run = run_show,
                        .program = "vserver",
                        .common = kCommonOptions};

}  // namespace vs
