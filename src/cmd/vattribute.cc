// SPDX-License-Identifier: GPL-2.0-or-later
#include <cstdio>

#include "base/text.h"
#include "cmd/chain.h"
#include "cmd/commands.h"
#include "context/capability.h"
#include "context/flags.h"
#include "guest/change.h"
#include "guest/config.h"
#include "guest/paths.h"
#include "guest/state.h"

namespace vs {

namespace {

constexpr std::array kOptions{
    Option{'x', "xid", "XID", "The context: its name or number; the caller's own without it"},
    Option{0, "set", "", "Change what is given (default)"},
    Option{0, "get", "", "Print capabilities and flags"},
    Option{0, "bcap", "LIST", "Capabilities, changed from the next start on"},
    Option{0, "ccap", "LIST", "Context capabilities, changed from the next start on"},
    Option{0, "flag", "LIST", "Flags; sched_pause at once, others from the next start on"},
    Option{0, "umask", "LIST", "Refused: a guest makes namespaces in its user namespace"},
    Option{0, "secure", "", "The secure set of all three"},
};
static_assert(is_option_table(kOptions));

constexpr std::uint64_t kStateAdmin = 1ULL << 34U;

// Names in capitals, bits without one as ^N: the original's form.
std::string names_of(std::span<const FlagName> table, std::uint64_t bits, bool capitals) {
  std::vector<std::string> out;
  for (unsigned n = 0; n < 64; ++n) {
    auto const bit = std::uint64_t{1} << n;
    if ((bits & bit) == 0) continue;
    std::string name = fmt::format("^{}", n);
    for (auto const& flag : table) {
      if (flag.bits != bit) continue;
      name = flag.name;
      break;
    }
    for (char& c : name) {
      if (capitals && c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    }
    out.push_back(std::move(name));
  }
  return join(out, ",");
}

void print_all(const GuestConfig& config, bool running) {
  auto const flags = config.context_flags | (running ? kStateAdmin : 0);
  fmt::print("bcapabilities:\n{}\nccapabilities:\n{}\nflags:\n{}\n",
             names_of(capability_table(), config.capabilities, true),
             names_of(context_capability_names(), config.context_capabilities, false),
             names_of(context_flag_names(), flags, false));
}

// One word set of the configuration: its file, its names, and what a guest without the file has.
struct WordSet {
  std::string_view option;
  std::string entry;
  std::span<const FlagName> names;
  std::string_view prefix;
  std::uint64_t now;
  std::uint64_t secure;
  std::span<const ContextFlag> support;
  std::uint64_t allowed = 0;  // what would be refused elsewhere
};

// "NAME" or "~NAME" for each bit in which the two differ.
std::string difference(std::span<const FlagName> names, std::uint64_t base, std::uint64_t bits) {
  std::vector<std::string> lines;
  for (unsigned n = 0; n < 64; ++n) {
    auto const bit = std::uint64_t{1} << n;
    if (((base ^ bits) & bit) == 0) continue;
    lines.push_back(((bits & bit) != 0 ? "" : "~") + names_of(names, bit, false));
  }
  return join(lines, "\n");
}

Result<std::uint64_t> changed(const WordSet& set, const Parsed& args) {
  std::uint64_t bits = args.has("secure") ? set.secure : set.now;
  for (auto const& list : args.all(set.option)) {
    auto const change = VS_TRY(parse_flags(set.names, set.prefix, list));
    bits = change.applied_to(bits);
  }
  auto const refused = refused_flags(set.support, bits & ~set.now & ~set.allowed);
  if (!refused.empty()) return Error::make(Errc::Unsupported, "{}", refused[0]);
  return bits;
}

Status set_all(const std::string& guest, const GuestConfig& config, const Parsed& args) {
  if (args.has("umask")) {
    return Error::make(Errc::Unsupported,
                       "umask: a guest makes namespaces within its user namespace");
  }
  std::array const sets{
      WordSet{"bcap",
              "bcapabilities",
              capability_table(),
              "cap_",
              config.capabilities,
              default_bound(config),
              {}},
      WordSet{"ccap", "ccapabilities", context_capability_names(), "vxc_",
              config.context_capabilities, kDefaultContextCapabilities, context_capabilities()},
      WordSet{"flag", "cflags", context_flag_names(), "vxf_", config.context_flags,
              config.context_flags | (1ULL << 25U), context_flags(),
              is_context_name(guest) ? cflag::kPersistent : 0}};
  std::array<std::uint64_t, 3> wanted{};
  for (std::size_t i = 0; i < sets.size(); ++i)
    wanted[i] = VS_TRY(changed(sets[i], args));
  std::array const defaults{default_bound(config), kDefaultContextCapabilities,
                            kDefaultContextFlags};
  for (std::size_t i = 0; i < sets.size(); ++i) {
    if (wanted[i] == sets[i].now) continue;
    VS_TRY(write_entry(guest, sets[i].entry, difference(sets[i].names, defaults[i], wanted[i])));
  }
  auto const paused = (wanted[2] & cflag::kSchedPause) != 0;
  if (paused != ((config.context_flags & cflag::kSchedPause) != 0) && is_running(guest))
    VS_TRY(pause_guest(guest, paused));
  return {};
}

Result<int> run_vattribute(const Parsed& args) {
  auto const guest = VS_TRY(resolve_context(args.get("xid").value_or("self")));
  auto const config = VS_TRY(load_config(guest));
  if (args.has("get")) {
    print_all(config, is_running(guest));
  } else {
    VS_TRY(set_all(guest, config, args));
  }
  return become_rest(args);
}

}  // namespace

constexpr Command kVattribute{
    .name = "vattribute",
    .operands = "[PROGRAM [ARGUMENT]...]",
    .summary = "Capabilities and flags of a guest",
    .options = kOptions,
    .max_operands = kAnyNumber,
    .stop_at_operand = true,
    .run = run_vattribute,
    .details =
        "LIST: names separated by commas, ~NAME to clear, numbers, ^BIT. Changes are kept in\n"
        "the guest's configuration; a running guest keeps what it was started with, but\n"
        "sched_pause holds at once."};

}  // namespace vs
