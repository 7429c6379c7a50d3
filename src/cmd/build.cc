// SPDX-License-Identifier: GPL-2.0-or-later
#include "build/build.h"

#include <algorithm>

#include "base/text.h"
#include "cmd/commands.h"
#include "net/address.h"

namespace vs {

namespace {

constexpr std::array kOptions{
    Option{'m', "method", "METHOD", "How to make it: see below"},
    Option{0, "context", "XID", "Its context id; a free one without it"},
    Option{0, "hostname", "NAME", "Its host name; the guest's name without it"},
    Option{0, "interface", "[DEV:]IP[/PREFIX]", "An address; may be given several times"},
    Option{0, "net", "MODE",
           "private: a network namespace of its own behind a routed link pair (default); host: the "
           "host's"},
    Option{0, "packages", "A,B,...", "debootstrap: more packages than the minimal system"},
    Option{0, "initstyle", "STYLE", "plain: the guest's own init (the only style yet)"},
};
static_assert(is_option_table(kOptions));

constexpr std::array kDebootstrapOptions{
    Option{'d', "distribution", "NAME", "Debian's release, for example bookworm"},
    Option{'m', "mirror", "URL", "Where its packages come from"},
};
static_assert(is_option_table(kDebootstrapOptions));

// A build method with its own options, behind the `--`.
struct Method {
  Command table;
  Status (*take)(BuildRequest& request, const Parsed& args);
};

Status take_debootstrap(BuildRequest& request, const Parsed& args) {
  request.distribution = args.get("distribution").value_or("");
  if (auto const mirror = args.get("mirror")) request.mirror = *mirror;
  request.extra = args.operands;
  return {};
}

constexpr std::array kMethods{
    Method{{.name = "debootstrap",
            .operands = "[-- DEBOOTSTRAP'S OPTION...]",
            .summary = "A Debian system, from a mirror",
            .options = kDebootstrapOptions,
            .max_operands = kAnyNumber,
            .stop_at_operand = true,
            .program = "vserver build --method"},
           take_debootstrap},
    Method{{.name = "skeleton",
            .operands = "",
            .summary = "Empty directories to be filled by hand",
            .program = "vserver build --method"},
           [](BuildRequest&, const Parsed&) { return Status{}; }},
};

constexpr auto kMethodTables = [] {
  std::array<const Command*, kMethods.size()> out{};
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = &kMethods[i].table;
  return out;
}();

// [DEV:]ADDRESS[/PREFIX]; an IPv6 address has colons too, so the device ends at the first colon
// only when what follows is an address on its own.
Status add_interface(BuildRequest& request, std::string_view text, std::size_t index) {
  std::string_view dev;
  auto const colon = text.find(':');
  auto host_of = [](std::string_view t) { return t.substr(0, t.find('/')); };
  if (colon != std::string_view::npos && !parse_address(host_of(text))) {
    dev = text.substr(0, colon);
    text.remove_prefix(colon + 1);
  }
  VS_TRY(parse_address(host_of(text)));
  std::string const base = fmt::format("interfaces/{}", index);
  request.entries.emplace_back(base + "/ip", std::string{host_of(text)});
  if (auto const slash = text.find('/'); slash != std::string_view::npos)
    request.entries.emplace_back(base + "/prefix", std::string{text.substr(slash + 1)});
  if (dev.empty() || dev == "nodev") {
    request.entries.emplace_back(base + "/nodev", "");
  } else {
    request.entries.emplace_back(base + "/dev", std::string{dev});
  }
  return {};
}

Status take_options(BuildRequest& request, const Parsed& args) {
  if (auto const xid = args.get("context")) request.xid = VS_TRY(Xid::parse(*xid));
  if (auto const name = args.get("hostname"))
    request.entries.emplace_back("uts/nodename", std::string{*name});
  std::size_t index = 0;
  for (auto const text : args.all("interface"))
    VS_TRY(add_interface(request, text, index++));
  if (auto const mode = args.get("net")) {
    if (*mode != "private" && *mode != "host")
      return Error::make(Errc::Usage, "'{}' is not a network mode", *mode)
          .hint("modes: private, host");
    request.entries.emplace_back("net/mode", std::string{*mode});
  }
  for (auto const texts : args.all("packages")) {
    for (auto const part : split(texts, ','))
      request.packages.emplace_back(part);
  }
  if (auto const style = args.get("initstyle"); style && *style != "plain")
    return Error::make(Errc::Usage, "init style '{}' is not built yet", *style);
  return {};
}

Result<const Method*> find_method(const Parsed& args) {
  std::vector<std::string> names;
  for (auto const& method : kMethods)
    names.emplace_back(method.table.name);
  auto const hint = "methods: " + join(names, ", ");
  auto const wanted = args.get("method");
  if (!wanted) return Error::make(Errc::Usage, "no build method given").hint(hint);
  auto const* found = std::find_if(kMethods.begin(), kMethods.end(),
                                   [&](const Method& m) { return m.table.name == *wanted; });
  if (found == kMethods.end())
    return Error::make(Errc::Usage, "there is no build method '{}'", *wanted).hint(hint);
  return found;
}

Result<int> run_build(const Parsed& args) {
  BuildRequest request;
  request.name = args.operands[0];
  auto const* const method = VS_TRY(find_method(args));
  request.method = method->table.name;
  VS_TRY(take_options(request, args));
  VS_TRY(method->take(request, VS_TRY(parse_command(method->table, {args.operands.begin() + 1,
                                                                    args.operands.end()}))));
  VS_TRY(build_guest(request));
  return 0;
}

}  // namespace

std::span<const Command* const> build_methods() {
  return kMethodTables;
}

constexpr Command kBuild{
    .name = "build",
    .operands = "GUEST [-- METHOD'S OPTION...]",
    .summary = "Make a guest",
    .options = kOptions,
    .min_operands = 1,
    .max_operands = kAnyNumber,
    .stop_at_operand = true,
    .run = run_build,
    .details =
        "Methods:\n"
        "  debootstrap   a Debian system:\n"
        "                -- -d DISTRIBUTION [-m MIRROR] [-- DEBOOTSTRAP'S OPTION...]\n"
        "  skeleton      empty directories to be filled by hand",
    .program = "vserver",
    .common = kCommonOptions};

}  // namespace vs
