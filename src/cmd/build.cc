// SPDX-License-Identifier: GPL-2.0-or-later
#include "build/build.h"

#include <algorithm>

#include "base/log.h"
#include "base/text.h"
#include "cli/help.h"
#include "cmd/advance.h"
#include "cmd/build_methods.h"
#include "cmd/commands.h"
#include "net/address.h"
#include "net/host_mode.h"
#include "net/shared_load.h"

namespace vs {

namespace {

constexpr std::array kOptions{
    Option{'m', "method", "METHOD", "How to make it: see below"},
    Option{0, "context", "XID", "Its context id; a free one without it"},
    Option{0, "hostname", "NAME", "Its host name; the guest's name without it"},
    Option{0, "interface", "[DEV:]IP[/PREFIX]", "An address; may be given several times"},
    Option{0, "net", "MODE",
           "shared: of the host's network its own addresses (default where the kernel can); "
           "private: a "
           "network namespace of its own behind a routed link pair; host: the host's"},
    Option{0, "packages", "A,B,...", "debootstrap: more packages than the minimal system"},
    Option{0, "netdev", "DEV", "The device of addresses that name none"},
    Option{0, "netprefix", "LENGTH", "The prefix length of addresses that name none"},
    Option{0, "netmask", "MASK", "The same as a mask"},
    Option{0, "netbcast", "ADDRESS", "The broadcast address of addresses that name none"},
    Option{0, "flags", "A,B,...", "Context flags"},
    Option{0, "rootdir", "DIRECTORY", "Where its root directory is made"},
    Option{0, "force", "", "Rename what is there already to PATH.~TIME~"},
    Option{0, "i-know-its-there", "", "skeleton: take the root directory that is there"},
    Option{0, "keep", "", "Keep the files of a failed build"},
    Option{0, "initstyle", "STYLE", "plain: the guest's own init (the only style yet)"},
};
static_assert(is_option_table(kOptions));

// [DEV:]ADDRESS[/PREFIX]; an IPv6 address has colons too, so the device ends at the first colon
// only when what follows is an address on its own.
Status add_interface(BuildRequest& request, std::string_view text, std::size_t index,
                     bool has_device, bool shared) {
  std::string_view dev;
  auto const colon = text.find(':');
  auto host_of = [](std::string_view t) { return t.substr(0, t.find('/')); };
  if (colon != std::string_view::npos && !parse_address(host_of(text))) {
    dev = text.substr(0, colon);
    text.remove_prefix(colon + 1);
  }
  auto const address = VS_TRY(parse_address(host_of(text)));
  std::string const base = fmt::format("interfaces/{}", index);
  request.entries.emplace_back(base + "/ip", std::string{host_of(text)});
  if (auto const slash = text.find('/'); slash != std::string_view::npos)
    request.entries.emplace_back(base + "/prefix", std::string{text.substr(slash + 1)});
  std::optional<std::string> chosen;
  if (!dev.empty()) {
    if (dev != "nodev") chosen = dev;
  } else if (has_device) {
    return {};
  } else if (shared) {
    auto netlink = VS_TRY(Netlink::open());
    chosen = VS_TRY(choose_device(netlink, address));
  }
  request.entries.emplace_back(base + (chosen ? "/dev" : "/nodev"), chosen.value_or(""));
  return {};
}

// A guest has its mode written down: where the host changes, the guest does not.
Status take_network(BuildRequest& request, const Parsed& args) {
  std::string_view mode = "shared";
  if (auto const wanted = args.get("net")) {
    mode = *wanted;
    if (mode != "shared" && mode != "private" && mode != "host") {
      return Error::make(Errc::Usage, "'{}' is not a network mode", mode)
          .hint("modes: shared, private, host");
    }
  } else if (auto const can = probe_shared(); !can) {
    mode = "private";
    debug("the new guest's network is private: {}", can.error().message());
  }
  request.entries.emplace_back("net/mode", std::string{mode});
  std::size_t index = 0;
  for (auto const text : args.all("interface"))
    VS_TRY(add_interface(request, text, index++, args.has("netdev"), mode == "shared"));
  return {};
}

Status take_options(BuildRequest& request, const Parsed& args) {
  if (auto const xid = args.get("context")) request.xid = VS_TRY(Xid::parse(*xid));
  if (auto const name = args.get("hostname"))
    request.entries.emplace_back("uts/nodename", std::string{*name});
  VS_TRY(take_network(request, args));
  for (auto const texts : args.all("packages")) {
    for (auto const part : split(texts, ','))
      request.packages.emplace_back(part);
  }
  for (auto const& [option, entry] :
       {std::pair{"netdev", "interfaces/dev"}, std::pair{"netprefix", "interfaces/prefix"},
        std::pair{"netmask", "interfaces/mask"}, std::pair{"netbcast", "interfaces/bcast"}}) {
    if (auto const text = args.get(option)) request.entries.emplace_back(entry, std::string{*text});
  }
  if (auto const flags = args.get("flags")) {
    std::string lines{*flags};
    std::replace(lines.begin(), lines.end(), ',', '\n');
    request.entries.emplace_back("cflags", lines);
  }
  request.rootdir = std::string{args.get("rootdir").value_or("")};
  request.force = args.has("force");
  request.adopt = args.has("i-know-its-there");
  request.keep = args.has("keep");
  if (auto const style = args.get("initstyle"); style && *style != "plain")
    return Error::make(Errc::Usage, "init style '{}' is not built yet", *style);
  return {};
}

Result<int> run_build(const Parsed& args) {
  BuildRequest request;
  request.name = args.operands[0];
  auto const* const method = VS_TRY(find_method_table(args));
  request.method = method->table.name;
  VS_TRY(take_options(request, args));
  auto const rest =
      VS_TRY(parse_command(method->table, {args.operands.begin() + 1, args.operands.end()}));
  if (rest.help_wanted) {
    fmt::print("{}", format_help(method->table));
    return 0;
  }
  method->take(request, rest);
  ShownAdvance shown;
  request.on_advance = [&](const Advance& how_far) { shown.show(how_far); };
  VS_TRY(build_guest(request));
  shown.done();
  return 0;
}

}  // namespace

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
        "Methods ('vserver NAME build -m METHOD -- --help' shows all options of one):\n"
        "  clone         a copy of a guest or directory: -- --source GUEST\n"
        "  debootstrap   a Debian system: -- -d DISTRIBUTION [-m MIRROR] [-- OPTION...]\n"
        "  rsync         a copy of a directory, here or over ssh: -- --source [HOST:]PATH\n"
        "  skeleton      empty directories to be filled by hand\n"
        "  template      an archive or a directory: -- -t FILE",
    .program = "vserver",
    .common = kCommonOptions};

}  // namespace vs
