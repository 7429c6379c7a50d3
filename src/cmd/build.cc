// SPDX-License-Identifier: GPL-2.0-or-later
#include "build/build.h"

#include <cstdio>

#include "base/text.h"
#include "cmd/commands.h"
#include "net/address.h"

namespace vs {

namespace {

void print_help() {
  fmt::print(
      "Usage: vserver GUEST build -m METHOD [OPTION...] [-- METHOD'S OPTION...]\n\n"
      "Methods:\n"
      "  debootstrap   a Debian system:  -- -d DISTRIBUTION [-m MIRROR] [-- DEBOOTSTRAP'S "
      "OPTION...]\n"
      "  skeleton      empty directories to be filled by hand\n\n"
      "Options:\n"
      "  --context XID            context id; a free one without it\n"
      "  --hostname NAME          its host name; the guest's name without it\n"
      "  --interface [DEV:]IP[/PREFIX]   an address; may be given several times\n"
      "  --net private|host       own network namespace behind a routed link pair (default), or "
      "the host's\n"
      "  --packages A,B,...       debootstrap: more packages than the minimal system\n"
      "  --initstyle plain        the guest's own init (the only style yet)\n");
}

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

Status take_method_options(BuildRequest& request, const Words& args, std::size_t at) {
  for (; at < args.size(); ++at) {
    if (args[at] == "--") {
      request.extra.assign(args.begin() + static_cast<std::ptrdiff_t>(at) + 1, args.end());
      return {};
    }
    if (at + 1 >= args.size())
      return Error::make(Errc::Usage, "option '{}' needs a value", args[at]);
    if (args[at] == "-d") {
      request.distribution = args[++at];
    } else if (args[at] == "-m") {
      request.mirror = args[++at];
    } else {
      return Error::make(Errc::Usage, "unknown option '{}' of the method", args[at]);
    }
  }
  return {};
}

Status take_option(BuildRequest& request, const std::string& option, const std::string& value,
                   std::size_t& interfaces) {
  if (option == "-m" || option == "--method") {
    request.method = value;
  } else if (option == "--context") {
    request.xid = VS_TRY(Xid::parse(value));
  } else if (option == "--hostname") {
    request.entries.emplace_back("uts/nodename", value);
  } else if (option == "--interface") {
    return add_interface(request, value, interfaces++);
  } else if (option == "--net") {
    if (value != "private" && value != "host")
      return Error::make(Errc::Usage, "'{}' is not a network mode", value);
    request.entries.emplace_back("net/mode", value);
  } else if (option == "--packages") {
    for (auto const part : split(value, ','))
      request.packages.emplace_back(part);
  } else if (option == "--initstyle") {
    if (value != "plain")
      return Error::make(Errc::Usage, "init style '{}' is not built yet", value);
  } else {
    return Error::make(Errc::Usage, "unknown option '{}'", option)
        .hint("see 'vserver NAME build --help'");
  }
  return {};
}

}  // namespace

Result<int> run_build(const std::string& name, const Words& args) {
  BuildRequest request;
  request.name = name;
  std::size_t interfaces = 0;
  for (std::size_t i = 0; i < args.size(); ++i) {
    if (args[i] == "--help") {
      print_help();
      return 0;
    }
    if (args[i] == "--") {
      VS_TRY(take_method_options(request, args, i + 1));
      break;
    }
    if (i + 1 >= args.size()) return Error::make(Errc::Usage, "option '{}' needs a value", args[i]);
    VS_TRY(take_option(request, args[i], args[i + 1], interfaces));
    ++i;
  }
  if (request.method.empty())
    return Error::make(Errc::Usage, "no build method given")
        .hint("see 'vserver NAME build --help'");
  VS_TRY(build_guest(request));
  return 0;
}

}  // namespace vs
