// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <cerrno>

#include "base/text.h"
#include "cmd/chain.h"
#include "cmd/commands.h"
#include "guest/config.h"
#include "guest/paths.h"
#include "guest/spaces.h"
#include "sys/file.h"

namespace vs {

namespace {

constexpr std::array kOptions{
    Option{'g', "get", "", "Print the values of the tags, of all seven without one"},
    Option{'s', "set", "", "Change what -t gives"},
    Option{0, "xid", "XID", "The context: its number or name"},
    Option{'t', "tag", "TAG=VALUE", "A new value; several times"},
    Option{0, "dir", "DIR", "Set the values of the files of these names"},
    Option{0, "missingok", "", "DIR need not be there"},
};
static_assert(is_option_table(kOptions));

// In the order of the original. The first is the context's own name, the others uname(2)'s.
constexpr std::array<std::string_view, 7> kTags{"context", "sysname", "nodename",  "release",
                                                "version", "machine", "domainname"};

// By any abbreviation, the first that fits.
Result<std::size_t> tag_of(std::string_view word) {
  auto const lower = to_lower(word);
  for (std::size_t i = 0; !lower.empty() && i < kTags.size(); ++i) {
    if (kTags.at(i).starts_with(lower)) return i;
  }
  std::vector<std::string_view> const names(kTags.begin(), kTags.end());
  auto error = Error::make(Errc::Usage, "'{}' is no tag: {}", word,
                           "context sysname nodename release version machine domainname");
  if (auto const near = nearest(lower, names))
    return std::move(error).hint(fmt::format("did you mean '{}'?", *near));
  return error;
}

// What the kernel calls a context: the path of its configuration.
std::string context_name_of(const std::string& context) {
  if (!is_context_name(context)) return config_dir(context);
  auto const text = read_file(config_dir(context) + "/name");
  return text ? std::string{trim(first_line(*text))} : "???";
}

Result<int> print_tags(const std::string& context, const Parsed& args) {
  std::vector<std::size_t> wanted;
  for (auto const& word : args.operands)
    wanted.push_back(VS_TRY(tag_of(word)));
  for (std::size_t i = 0; wanted.size() < kTags.size() && args.operands.empty(); ++i)
    wanted.push_back(i);
  auto const names = VS_TRY(names_in(context));
  std::vector<std::string> out;
  for (auto const tag : wanted) {
    if (tag == 0) {
      out.push_back(context_name_of(context));
    } else {
      out.push_back(tag <= names.size() ? names[tag - 1] : "???");
    }
  }
  fmt::print("{}\n", join(out, " "));
  return 0;
}

Status set_tag(const std::string& context, std::size_t tag, const std::string& value) {
  constexpr std::size_t kMost = 64;  // utsname(2)
  auto const name = kTags.at(tag);
  if (value.size() > kMost)
    return Error::make(Errc::Usage, "{}: '{}' has more than {} characters", name, value, kMost);
  if (name == "context") {
    if (is_context_name(context)) return write_entry(context, "name", value);
    return Error::make(Errc::Unsupported, "context: a guest's name is that of its configuration");
  }
  if (name == "nodename" || name == "domainname")
    return set_name_in(context, name == "domainname", value);
  return Error::make(Errc::Unsupported, "{}: the kernel has one for all contexts", name);
}

Status set_dir(const std::string& context, const std::string& path, bool missing_ok) {
  auto const dir = open_path(path, O_RDONLY | O_DIRECTORY);
  if (!dir) return missing_ok && dir.error().sys() == ENOENT ? Status{} : Status{dir.error()};
  for (std::size_t tag = 0; tag < kTags.size(); ++tag) {
    auto const text = read_file_at(*dir, std::string{kTags.at(tag)}, Resolve::Free);
    if (text) VS_TRY(set_tag(context, tag, std::string{trim(*text)}), "{}", path);
  }
  return {};
}

Result<int> run_vuname(const Parsed& args) {
  auto const xid = args.get("xid");
  if (!xid) return Error::make(Errc::Usage, "no context is given").hint("vuname --xid XID ...");
  auto const context = VS_TRY(resolve_context(*xid));
  bool const sets = args.has("set") || args.has("tag");
  if (args.has("get") && (sets || args.has("dir")))
    return Error::make(Errc::Usage, "--get and --set exclude each other");
  if (!sets && !args.has("dir")) return print_tags(context, args);
  if (auto const dir = args.get("dir"))
    VS_TRY(set_dir(context, std::string{*dir}, args.has("missingok")));
  // All are looked at before the first is changed.
  std::vector<std::pair<std::size_t, std::string>> wanted;
  for (auto const pair : args.all("tag")) {
    auto const equals = pair.find('=');
    if (equals == std::string_view::npos)
      return Error::make(Errc::Usage, "'{}' is not TAG=VALUE", pair);
    wanted.emplace_back(VS_TRY(tag_of(pair.substr(0, equals))), pair.substr(equals + 1));
  }
  for (auto const& [tag, value] : wanted)
    VS_TRY(set_tag(context, tag, value));
  return become_rest(args);
}

}  // namespace

constexpr Command kVuname{
    .name = "vuname",
    .operands = "[TAG]... or [PROGRAM [ARGUMENT]...]",
    .summary = "Names of a running context",
    .options = kOptions,
    .max_operands = kAnyNumber,
    .stop_at_operand = true,
    .run = run_vuname,
    .details =
        "TAG: context, sysname, nodename, release, version, machine or domainname, in any\n"
        "case, abbreviated. nodename and domainname can be set, until the context ends;\n"
        "of a context without a guest also context, what listings call it. The others are\n"
        "the kernel's, which has one for all. With --set and --dir it becomes PROGRAM.",
    .failure = 255};

}  // namespace vs
