// SPDX-License-Identifier: GPL-2.0-or-later
// chbind, ncontext, naddress, nattribute: network contexts as the original's tools handle them.
#include "guest/net_tools.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "base/log.h"
#include "base/text.h"
#include "cmd/commands.h"
#include "guest/context_run.h"
#include "net/net_flags.h"

namespace vs {

namespace {

// Exit codes of the original: a wrong option, a call that failed, a context that is there already.
constexpr int kBadOption = 1;
constexpr int kFailed = 255;
constexpr int kExists = 254;

constexpr std::array kChbindOptions{
    Option{0, "nid", "NID", "The network context: joined when it is there, else made"},
    Option{0, "ip", "ADDRESS[/MASK]", "An address, or a device for its first one; several times"},
    Option{0, "bcast", "ADDRESS", "Refused: contexts have no broadcast address here"},
    Option{0, "lback", "ADDRESS", "What is behind 127.0.0.1; 127.A.B.1 by the nid without it"},
    Option{0, "ncap", "LIST", "Capabilities: raw_icmp, multicast; ~NAME takes one away"},
    Option{0, "flag", "LIST", "Flags: single_ip, lback_remap, lback_allow, hide_lback, ..."},
    Option{0, "secure", "", "The original's secure set: capability raw_icmp alone"},
    Option{0, "disconnect", "", "Run the program in the background"},
    Option{0, "silent", "", "Do not say what was made"},
};
static_assert(is_option_table(kChbindOptions));

constexpr std::array kNcontextOptions{
    Option{0, "create", "", "Make a context and run the program in it"},
    Option{0, "migrate", "", "Run the program in an existing one"},
    Option{0, "migrate-self", "", "Run the program in the caller's own"},
    Option{0, "nid", "NID", "The context; a free one for --create without it"},
    Option{0, "disconnect", "", "Run the program in the background"},
    Option{0, "silent", "", "Do not say what was made"},
    Option{0, "silentexist", "", "No message when the context is there already"},
};
static_assert(is_option_table(kNcontextOptions));

constexpr std::array kNaddressOptions{
    Option{0, "add", "", "Add the addresses"},
    Option{0, "remove", "", "Remove the addresses"},
    Option{0, "set", "", "Remove all, then add the addresses"},
    Option{0, "nid", "NID", "The context; the caller's own without it"},
    Option{0, "ip", "ADDRESS[/MASK]", "An address, or a device for its first one; several times"},
    Option{0, "mask", "ADDRESS[/MASK]", "Refused: contexts have single addresses here"},
    Option{0, "range", "FROM-TO", "Refused, as --mask"},
    Option{0, "bcast", "ADDRESS", "Refused: contexts have no broadcast address here"},
    Option{0, "lback", "ADDRESS", "Refused: it is fixed when the context is made"},
    Option{0, "silent", "", "Do not say what is done"},
};
static_assert(is_option_table(kNaddressOptions));

constexpr std::array kNattributeOptions{
    Option{0, "set", "", "Change it (the default)"},
    Option{0, "get", "", "Print flags and capabilities"},
    Option{0, "nid", "NID", "The context; the caller's own without it"},
    Option{0, "ncap", "LIST", "Capabilities; ~NAME takes one away"},
    Option{0, "flag", "LIST", "Flags; ~NAME takes one away"},
    Option{0, "secure", "", "The original's secure set: capability raw_icmp alone"},
};
static_assert(is_option_table(kNattributeOptions));

int fail_with(const Error& error, int code) {
  report_error(error);
  return code;
}

Result<std::optional<std::uint32_t>> nid_of(const Parsed& args) {
  auto const text = args.get("nid");
  if (!text) return std::optional<std::uint32_t>{};
  auto const number = parse_decimal(*text);
  if (!number || *number < 2 || *number > 65535)
    return Error::make(Errc::Usage, "'{}' is not a network context id (2 to 65535)", *text);
  return std::optional{static_cast<std::uint32_t>(*number)};
}

Status refuse_options(const Parsed& args) {
  for (auto const* name : {"bcast", "mask", "range"}) {
    if (args.has(name)) {
      return Error::make(Errc::Unsupported, "--{}: a context has single addresses here", name)
          .hint("give each address by --ip");
    }
  }
  return {};
}

Result<std::vector<Address>> addresses_of(const Parsed& args) {
  std::vector<Address> out;
  for (auto const text : args.all("ip"))
    out.push_back(VS_TRY(parse_net_address(std::string{text})));
  return out;
}

FlagChange merged(FlagChange a, const FlagChange& b) {
  a.value = b.applied_to(a.value);
  a.mask |= b.mask;
  return a;
}

Status take_attributes(const Parsed& args, NetSettings& out) {
  if (args.has("secure")) out.ncaps = {VS_NXC_RAW_ICMP, ~std::uint64_t{0}};
  for (auto const text : args.all("ncap"))
    out.ncaps = merged(out.ncaps, VS_TRY(parse_net_capabilities(text)));
  for (auto const text : args.all("flag"))
    out.nflags = merged(out.nflags, VS_TRY(parse_net_flags(text)));
  return check_settings(out);
}

std::string adding_line(std::string_view verb, const std::vector<Address>& addresses) {
  std::string out{verb};
  for (auto const& one : addresses)
    out += " " + format_host(one);
  return out;
}

// Becomes the program; returns only when that failed.
int become(const std::vector<std::string>& argv, int code) {
  return fail_with(exec_words(argv), code);
}

// The same in the background: 0 once the program runs.
int become_background(const std::vector<std::string>& argv, int code) {
  std::array<int, 2> told{};
  if (::pipe2(told.data(), O_CLOEXEC) != 0) return fail_with(Error::system(errno, "pipe"), code);
  Fd const ours{told[0]};
  Fd theirs{told[1]};
  std::fflush(nullptr);
  pid_t const pid = ::fork();
  if (pid < 0) return fail_with(Error::system(errno, "fork"), code);
  if (pid == 0) {
    ::setsid();
    int const null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    ::dup2(null, 0);
    become(argv, code);
    char const failed = 1;
    (void)!::write(theirs.get(), &failed, 1);
    ::_exit(code);
  }
  theirs.reset();
  char failed = 0;
  return ::read(ours.get(), &failed, 1) == 1 ? code : 0;
}

int run_in(const Parsed& args, std::uint32_t nid, int code) {
  if (auto done = enter_net_context(nid); !done) return fail_with(done.error(), code);
  return args.has("disconnect") ? become_background(args.operands, code)
                                : become(args.operands, code);
}

Result<int> run_chbind(const Parsed& args) {
  auto const nid = nid_of(args);
  if (!nid) return fail_with(nid.error(), kBadOption);
  NetSettings settings;
  auto const take = [&]() -> Status {
    VS_TRY(refuse_options(args));
    settings.addresses = VS_TRY(addresses_of(args));
    if (auto const lback = args.get("lback"))
      settings.lback = VS_TRY(parse_net_address(std::string{*lback}));
    return take_attributes(args, settings);
  };
  if (auto done = take(); !done) return fail_with(done.error(), kBadOption);
  auto const made = create_net_context(*nid, settings);
  // One that is there is joined, and keeps its own addresses.
  if (!made && (made.error().code() != Errc::Busy || !*nid))
    return fail_with(made.error(), kFailed);
  if (made && !args.has("silent")) {
    fmt::print("New network context is {}\n", *made);
    if (!settings.addresses.empty()) fmt::print("{}\n", adding_line("Adding", settings.addresses));
  }
  return run_in(args, made ? *made : **nid, kFailed);
}

Result<int> run_ncontext(const Parsed& args) {
  auto const nid = nid_of(args);
  if (!nid) return fail_with(nid.error(), kFailed);
  bool const create = args.has("create");
  bool const self = args.has("migrate-self");
  if (static_cast<int>(create) + static_cast<int>(args.has("migrate")) + static_cast<int>(self) !=
      1) {
    return fail_with(
        Error::make(Errc::Usage, "exactly one of --create, --migrate and --migrate-self is needed"),
        kFailed);
  }
  if (self) return become(args.operands, kFailed);
  if (!create) {
    if (!*nid) return fail_with(Error::make(Errc::Usage, "--migrate needs --nid"), kFailed);
    return run_in(args, **nid, kFailed);
  }
  auto const made = create_net_context(*nid, {});
  if (!made) {
    bool const exists = made.error().code() == Errc::Busy;
    if (exists && args.has("silentexist")) return kExists;
    return fail_with(made.error(), exists ? kExists : kFailed);
  }
  if (!args.has("silent")) fmt::print("New network context is {}\n", *made);
  return run_in(args, *made, kFailed);
}

// The context named, or the caller's own.
Result<std::uint32_t> target_of(const Parsed& args) {
  if (auto const nid = VS_TRY(nid_of(args))) return *nid;
  auto const own = VS_TRY(own_net_context());
  if (own == 0) {
    return Error::make(Errc::Usage, "no network context given, and the caller is in none")
        .hint("--nid NID");
  }
  return own;
}

Result<int> run_naddress(const Parsed& args) {
  auto const act = [&]() -> Status {
    VS_TRY(refuse_options(args));
    auto const nid = VS_TRY(target_of(args));
    auto const addresses = VS_TRY(addresses_of(args));
    std::optional<Address> lback;
    if (auto const text = args.get("lback")) lback = VS_TRY(parse_net_address(std::string{*text}));
    int const chosen = static_cast<int>(args.has("add")) + static_cast<int>(args.has("remove")) +
                       static_cast<int>(args.has("set"));
    if (chosen != 1)
      return Error::make(Errc::Usage, "exactly one of --add, --remove and --set is needed");
    auto const change = args.has("add")      ? AddressChange::Add
                        : args.has("remove") ? AddressChange::Remove
                                             : AddressChange::Set;
    if (!args.has("silent")) {
      fmt::print("{}\n",
                 adding_line(change == AddressChange::Remove ? "Removing" : "Adding", addresses));
    }
    return change_addresses(nid, change, addresses, lback);
  };
  if (auto done = act(); !done) return fail_with(done.error(), kFailed);
  return args.operands.empty() ? 0 : become(args.operands, kFailed);
}

Result<int> run_nattribute(const Parsed& args) {
  auto const act = [&]() -> Status {
    auto const nid = VS_TRY(target_of(args));
    if (args.has("get")) {
      auto const context = VS_TRY(read_net_context(nid));
      fmt::print("ncapabilities:\n{}\nnflags:\n{}\n", format_net_capabilities(context.ncaps),
                 format_net_flags(context.nflags));
      return {};
    }
    NetSettings settings;
    VS_TRY(take_attributes(args, settings));
    return change_attributes(nid, settings.nflags, settings.ncaps);
  };
  if (auto done = act(); !done) return fail_with(done.error(), 1);
  return args.operands.empty() ? 0 : become(args.operands, 1);
}

}  // namespace

constexpr Command kChbind{.name = "chbind",
                          .operands = "PROGRAM [ARGUMENT]...",
                          .summary = "Run a program that may use these addresses alone",
                          .options = kChbindOptions,
                          .min_operands = 1,
                          .max_operands = kAnyNumber,
                          .stop_at_operand = true,
                          .run = run_chbind,
                          .details =
                              "The context goes away when the next one is made and nobody is "
                              "left in it, unless it has the flag persistent."};

constexpr Command kNcontext{.name = "ncontext",
                            .operands = "PROGRAM [ARGUMENT]...",
                            .summary = "Make or join a network context",
                            .options = kNcontextOptions,
                            .min_operands = 1,
                            .max_operands = kAnyNumber,
                            .stop_at_operand = true,
                            .run = run_ncontext};

constexpr Command kNaddress{.name = "naddress",
                            .operands = "[PROGRAM [ARGUMENT]...]",
                            .summary = "Change the addresses of a network context",
                            .options = kNaddressOptions,
                            .min_operands = 0,
                            .max_operands = kAnyNumber,
                            .stop_at_operand = true,
                            .run = run_naddress,
                            .details =
                                "Takes effect at once. Connections of addresses that are kept "
                                "go on."};

constexpr Command kNattribute{
    .name = "nattribute",
    .operands = "[PROGRAM [ARGUMENT]...]",
    .summary = "Show or change flags and capabilities of a network context",
    .options = kNattributeOptions,
    .min_operands = 0,
    .max_operands = kAnyNumber,
    .stop_at_operand = true,
    .run = run_nattribute};

}  // namespace vs
