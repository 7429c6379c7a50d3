// SPDX-License-Identifier: GPL-2.0-or-later
#include <cerrno>
#include <cstdio>
#include <optional>

#include "base/text.h"
#include "cmd/chain.h"
#include "cmd/commands.h"
#include "config/syntax.h"
#include "guest/change.h"
#include "guest/context.h"
#include "sys/file.h"

namespace vs {

namespace {

// What the words of a vlimit say. The order matters: -M, -S and -H are for the limit behind them.
struct Request {
  std::string guest;
  bool numbers = false;
  bool decimal = false;
  bool all = false;
  bool missing_ok = false;
  std::string dir;
  std::vector<WantedLimit> wanted;
  std::vector<std::string> program;
};

struct Kinds {
  bool min = false, soft = false, hard = false;
};

// Raw numbers, in the units of the original: pages, bytes, counts.
Status add_limit(Request& out, const Resource& resource, Kinds kinds, std::string_view text,
                 const std::string& source) {
  auto const value = VS_TRY(limit_of(text), "{}", source);
  if (resource.holder == Holder::Nothing)
    return Error::make(Errc::Unsupported, "{}: {}", resource.name, resource.note);
  auto const add = [&](LimitKind kind) -> Status {
    if (knob_of(resource, kind).empty())
      return Error::make(Errc::Unsupported, "{} has no {} limit", resource.name, kind_name(kind));
    std::uint64_t bytes = 0;
    if (__builtin_mul_overflow(value, unit_size(resource.unit), &bytes)) bytes = kUnlimited;
    WantedLimit wanted;
    wanted.entry = source;
    wanted.limit = LimitSetting{&resource, kind, bytes, source};
    out.wanted.push_back(std::move(wanted));
    return {};
  };
  if (!kinds.min && !kinds.soft) kinds.hard = true;
  if (kinds.min) VS_TRY(add(LimitKind::Min));
  if (kinds.soft) VS_TRY(add(LimitKind::Soft));
  if (kinds.hard) VS_TRY(add(LimitKind::Hard));
  return {};
}

// The files of a directory such as CONF/GUEST/rlimits: NAME, NAME.min, NAME.soft, NAME.hard.
Status add_dir(Request& out) {
  auto const dir = open_path(out.dir, O_RDONLY | O_DIRECTORY);
  if (!dir) {
    if (out.missing_ok && dir.error().sys() == ENOENT) return {};
    return dir.error();
  }
  for (auto const& name : VS_TRY(list_dir(*dir))) {
    auto const dot = name.find('.');
    const Resource* resource = find_resource(std::string_view{name}.substr(0, dot));
    if (resource == nullptr || resource->id < 0) continue;
    auto const suffix = dot == std::string::npos ? "" : name.substr(dot + 1);
    auto const text = VS_TRY(read_file_at(*dir, name, Resolve::Free));
    Kinds const kinds{suffix == "min", suffix == "soft", suffix == "hard"};
    VS_TRY(add_limit(out, *resource, kinds, trim(text), out.dir + "/" + name));
  }
  return {};
}

const Resource* resource_of(std::string_view option) {
  if (auto const id = parse_decimal(option)) return find_resource(static_cast<int>(*id));
  const Resource* resource = find_resource(option);
  return resource != nullptr && resource->id >= 0 ? resource : nullptr;
}

bool take_flag(Request& out, Kinds& kinds, std::string_view word) {
  if (word == "-n") return out.numbers = true;
  if (word == "-d") return out.decimal = true;
  if (word == "-a" || word == "--all") return out.all = true;
  if (word == "-M") return kinds.min = true;
  if (word == "-S") return kinds.soft = true;
  if (word == "-H") return kinds.hard = true;
  return word == "--missingok" && (out.missing_ok = true);
}

Result<Request> parse(const std::vector<std::string>& words) {
  Request out;
  Kinds kinds;
  std::size_t i = 0;
  for (; i < words.size() && words[i].starts_with('-'); ++i) {
    if (words[i] == "--") {
      ++i;
      break;
    }
    if (take_flag(out, kinds, words[i])) continue;
    auto const equals = words[i].find('=');
    std::string const name = words[i].substr(0, equals);
    const Resource* resource = name.starts_with("--") ? resource_of(name.substr(2)) : nullptr;
    if (resource == nullptr && name != "-c" && name != "--xid" && name != "--dir")
      return Error::make(Errc::Usage, "unknown option '{}'", name).hint("see 'vlimit --help'");
    if (equals == std::string::npos && i + 1 >= words.size())
      return Error::make(Errc::Usage, "option '{}' needs a value", name);
    std::string const value =
        equals != std::string::npos ? words[i].substr(equals + 1) : words[++i];
    if (name == "-c" || name == "--xid") {
      out.guest = VS_TRY(resolve_context(value));
    } else if (name == "--dir") {
      out.dir = value;
    } else {
      VS_TRY(add_limit(out, *resource, kinds, value, std::string{resource->name}));
      kinds = {};
    }
  }
  out.program.assign(words.begin() + static_cast<std::ptrdiff_t>(i), words.end());
  return out;
}

std::string text_of(const Request& request, const Resource& resource, LimitKind kind,
                    const std::optional<std::uint64_t>& value) {
  if (knob_of(resource, kind).empty() || !value) return "N/A";
  if (*value == kUnlimited) return "inf";
  auto const n = *value / unit_size(resource.unit);
  return request.decimal ? std::to_string(n) : fmt::format("{:#x}", n);
}

Status print_all(const Request& request) {
  auto const report = VS_TRY(report_limits(request.guest));
  for (auto const& reading : report.readings) {
    auto const& resource = *reading.resource;
    if (resource.id < 0 || resource.holder == Holder::Nothing) continue;
    std::string name{resource.name};
    for (char& c : name)
      c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
    fmt::print("{:<12}{:<20}{:<20}{}\n", request.numbers ? std::to_string(resource.id) : name,
               text_of(request, resource, LimitKind::Min, reading.min),
               text_of(request, resource, LimitKind::Soft, reading.soft),
               text_of(request, resource, LimitKind::Hard, reading.hard));
  }
  return {};
}

Result<int> run_vlimit(const Parsed& args) {
  Request request = VS_TRY(parse(args.operands));
  if (request.guest.empty() && !request.program.empty()) request.guest = VS_TRY(own_context());
  if (request.guest.empty())
    return Error::make(Errc::Usage, "no context is given").hint("vlimit -c GUEST ...");
  // What stands on the command line wins over the directory: later changes replace earlier ones.
  auto named = std::move(request.wanted);
  request.wanted.clear();
  if (!request.dir.empty()) VS_TRY(add_dir(request));
  request.wanted.insert(request.wanted.end(), named.begin(), named.end());
  std::vector<std::string> notes;
  if (!request.wanted.empty()) {
    // As the original's: a limit that cannot be set is told, and the program runs all the same.
    auto const done = change_limits(request.guest, request.wanted, Where::Now, notes);
    if (!done) report_error(done.error());
  }
  if (request.all) VS_TRY(print_all(request));
  if (request.program.empty()) return 0;
  return become(request.program);
}

}  // namespace

constexpr Command kVlimit{
    .name = "vlimit",
    .operands =
        "[-c GUEST] [-n] [-d] [-a] [[-M] [-S] [-H] --RESOURCE LIMIT]... [--dir DIR "
        "[--missingok]] [--] [PROGRAM [ARGUMENT]...]",
    .summary = "Limits of a running guest, in the original's units",
    .max_operands = kAnyNumber,
    .verbatim = true,
    .run = run_vlimit,
    .details =
        "-a prints all limits: name, min, soft and hard; -n numbers for names, -d decimal.\n"
        "-M, -S, -H: the next limit is the min, soft, hard one; hard without them.\n"
        "RESOURCE is a name of rlimits/ or its number. LIMIT: a number with k, K, m, M, or\n"
        "inf. Changes last until the guest stops; 'vserver GUEST set' keeps them.",
    .failure = 255};

}  // namespace vs
