// SPDX-License-Identifier: GPL-2.0-or-later
#include <sched.h>

#include "base/text.h"
#include "cmd/chain.h"
#include "cmd/commands.h"
#include "cmd/spaces.h"
#include "guest/spaces.h"

namespace vs {

namespace {

constexpr std::array kOptions{
    Option{'n', "new", "", "Run the program in new namespaces"},
    Option{'e', "enter", "XID", "Run the program in those of a context: its number or name"},
    Option{'s', "set", "", "Keep the present ones as those of the present context"},
    Option{'M', "mount", "", "The mount namespace; --~mount and so on: not this one"},
    Option{'F', "fs", "", "Root and working directory"},
    Option{'I', "ipc", "", "System V IPC and POSIX message queues"},
    Option{'U', "uts", "", "Host name"},
    Option{'S', "user", "", "User and group ids"},
    Option{'P', "pid", "", "Process ids"},
    Option{'N', "net", "", "Network"},
    Option{0, "~mount", "", "Not the mount namespace"},
    Option{0, "~fs", "", "Not root and working directory"},
    Option{0, "~ipc", "", "Not IPC"},
    Option{0, "~uts", "", "Not the host name"},
    Option{0, "~user", "", "Not the ids"},
    Option{0, "~pid", "", "Not process ids"},
    Option{0, "~net", "", "Not the network"},
    Option{0, "default", "", "mount, fs, ipc and uts"},
    Option{0, "~default", "", "None of these four"},
    Option{0, "mask", "N", "Exactly these, as the flags of clone(2)"},
    Option{'i', "index", "N", "Which set of the context: 0 (the usual one) or 1"},
};
static_assert(is_option_table(kOptions));

constexpr std::array<std::string_view, 16> kWords{
    "mount",  "fs",  "ipc",  "uts",  "user",  "pid",  "net",  "default",
    "~mount", "~fs", "~ipc", "~uts", "~user", "~pid", "~net", "~default"};

Result<std::uint32_t> mask_of(const Parsed& args) {
  std::uint32_t mask = 0;
  if (auto const text = args.get("mask")) {
    auto const n = VS_TRY(number_of(*text, "--mask"));
    if ((n & ~std::uint64_t{kAllSpaces}) != 0)
      return Error::system(EINVAL, "--mask: {} has bits that are no namespace", *text);
    mask = static_cast<std::uint32_t>(n);
  }
  // What takes away stands last in the list: "--default --~uts" in either order.
  for (auto const word : kWords) {
    if (args.has(word)) VS_TRY(take_space(word, mask));
  }
  return mask;
}

Result<int> run_vspace(const Parsed& args) {
  int const chosen = static_cast<int>(args.has("new")) + static_cast<int>(args.has("enter")) +
                     static_cast<int>(args.has("set"));
  if (chosen != 1)
    return Error::make(Errc::Usage, "exactly one of --new, --enter and --set is needed");
  auto const mask = VS_TRY(mask_of(args));
  auto const index = VS_TRY(number_of(args.get("index").value_or("0"), "--index"));
  if (index > 1) return Error::system(EINVAL, "--index: there are the sets 0 and 1");
  if (args.has("set")) {
    VS_TRY(store_spaces(mask == 0 ? kSpacesByDefault : mask, static_cast<unsigned>(index)));
    return become_rest(args);
  }
  if (args.operands.empty()) return Error::make(Errc::Usage, "a program is needed");
  if (args.has("new")) return run_in_new_spaces(mask & ~kSpaceFs, args.operands);
  auto const context = VS_TRY(resolve_context(*args.get("enter")));
  return run_in_spaces(context, mask, static_cast<unsigned>(index), args.operands);
}

// vspace with --mount and --fs in front.
Result<int> run_vnamespace(const Parsed& args) {
  Parsed more = args;
  more.add("mount", "");
  more.add("fs", "");
  return run_vspace(more);
}

constexpr std::string_view kDetails =
    "In the mount namespace or the root of a guest the program is the guest's own and\n"
    "runs as its root: a file of a guest never runs as the host's. Without a list,\n"
    "--enter takes all that the context has, --set the default. A new pid namespace\n"
    "together with a new mount namespace has a /proc of its own. Exit status: that of\n"
    "the program; 255 when something failed.";

}  // namespace

constexpr Command kVspace{.name = "vspace",
                          .operands = "[PROGRAM [ARGUMENT]...]",
                          .summary = "Make, enter or keep private namespaces",
                          .options = kOptions,
                          .max_operands = kAnyNumber,
                          .stop_at_operand = true,
                          .run = run_vspace,
                          .details = kDetails,
                          .failure = 255};

constexpr Command kVnamespace{.name = "vnamespace",
                              .operands = "[PROGRAM [ARGUMENT]...]",
                              .summary = "vspace with the mount namespace and the root",
                              .options = kOptions,
                              .max_operands = kAnyNumber,
                              .stop_at_operand = true,
                              .run = run_vnamespace,
                              .details = kDetails,
                              .failure = 255};

}  // namespace vs
