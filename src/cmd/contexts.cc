// SPDX-License-Identifier: GPL-2.0-or-later
// chcontext, vcontext: contexts as the original's tools handle them, with or without a guest.
#include <fcntl.h>
#include <sys/personality.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/text.h"
#include "cmd/chain.h"
#include "cmd/commands.h"
#include "cmd/spaces.h"
#include "context/capability.h"
#include "context/flags.h"
#include "guest/context.h"
#include "guest/exec.h"
#include "guest/paths.h"
#include "guest/state.h"
#include "sys/file.h"
#include "sys/privilege.h"

namespace vs {

namespace {

// Exit codes of the original.
constexpr int kExists = 254;
constexpr int kFailed = 255;
constexpr std::uint64_t kNewContextFlags = kDefaultContextFlags | cflag::kStateSetup;

constexpr std::array kChcontextOptions{
    Option{0, "xid", "XID", "The context: made, or entered when it is there; 1 is the spectator"},
    Option{0, "ctx", "XID", "The same"},
    Option{0, "cap", "[!]CAP", "A capability it has, with ! or ~ one it has not; several times"},
    Option{0, "secure", "", "Only the original's secure set of capabilities"},
    Option{0, "flag", "LIST", "Flags; fakeinit: the program is process 1"},
    Option{0, "hostname", "NAME", "Its host name"},
    Option{0, "domainname", "NAME", "Its NIS domain name"},
    Option{0, "spaces", "LIST", "Namespaces of its own beside pid and mount; default: uts, ipc"},
    Option{0, "disconnect", "", "Run the program in the background"},
    Option{0, "silent", "", "Do not say what was made"},
};
static_assert(is_option_table(kChcontextOptions));

constexpr std::array kVcontextOptions{
    Option{0, "create", "", "Make a context and run the program in it"},
    Option{0, "migrate", "", "Run the program in an existing one, a guest's or not"},
    Option{0, "migrate-self", "", "Run the program in the caller's own"},
    Option{0, "xid", "XID", "The context; a free one for --create without it"},
    Option{0, "ctx", "XID", "The same"},
    Option{0, "initpid", "", "The program is process 1 of the context"},
    Option{0, "fakeinit", "", "The same"},
    Option{0, "endsetup", "", "Its capabilities and flags bind from here on"},
    Option{0, "disconnect", "", "Run the program in the background"},
    Option{0, "chroot", "", "The present directory is the root"},
    Option{0, "pivot-root", "", "The same: the old root is gone in both cases"},
    Option{0, "namespace", "", "With --chroot: a mount namespace of its own, which it always has"},
    Option{0, "uid", "UID", "Run the program as this user, a number"},
    Option{0, "personality-type", "TYPE", "Execution domain: linux, linux32, linux_32bit, ..."},
    Option{0, "personality-flags", "LIST", "Its flags: addr_limit_3gb, mmap_page_zero, ..."},
    Option{0, "vlogin", "", "In a guest: a terminal of the guest's own"},
    Option{0, "closefd", "", "Close all descriptors above 2"},
    Option{0, "silent", "", "Do not say what was made"},
    Option{0, "silentexist", "", "No message when the context is there already"},
    Option{0, "syncsock", "PATH", "Before the program: send the message there, wait for the close"},
    Option{0, "syncmsg", "TEXT", "The message; 'ok' without it"},
};
static_assert(is_option_table(kVcontextOptions));

constexpr std::array kPersonalities{
    FlagName{"linux_32bit", 0x0800000, ""}, FlagName{"svr4", 0x5100001, ""},
    FlagName{"svr3", 0x5000002, ""},        FlagName{"scosvr3", 0x7000003, ""},
    FlagName{"osr5", 0x6000003, ""},        FlagName{"wysev386", 0x5000004, ""},
    FlagName{"iscr4", 0x4000005, ""},       FlagName{"bsd", 0x0000006, ""},
    FlagName{"sunos", 0x4000006, ""},       FlagName{"xenix", 0x5000007, ""},
    FlagName{"linux32", 0x0000008, ""},     FlagName{"linux32_3gb", 0x8000008, ""},
    FlagName{"irix32", 0x4000009, ""},      FlagName{"irixn32", 0x400000a, ""},
    FlagName{"irix64", 0x400000b, ""},      FlagName{"riscos", 0x000000c, ""},
    FlagName{"solaris", 0x400000d, ""},     FlagName{"uw7", 0x600000e, ""},
    FlagName{"osf4", 0x000000f, ""},        FlagName{"hpux", 0x0000010, ""},
};
constexpr std::array kPersonalityFlags{
    FlagName{"uname26", 0x0020000, ""},          FlagName{"mmap_page_zero", 0x0100000, ""},
    FlagName{"addr_limit_32bit", 0x0800000, ""}, FlagName{"short_inode", 0x1000000, ""},
    FlagName{"whole_seconds", 0x2000000, ""},    FlagName{"sticky_timeouts", 0x4000000, ""},
    FlagName{"addr_limit_3gb", 0x8000000, ""},
};
static_assert(is_flag_table(kPersonalities) && is_flag_table(kPersonalityFlags));

std::optional<std::string_view> xid_word(const Parsed& args) {
  return args.get("xid") ? args.get("xid") : args.get("ctx");
}

// The program inherits it.
Status take_personality(const Parsed& args) {
  std::uint64_t wanted = 0;
  if (auto const type = args.get("personality-type"); type && to_lower(*type) != "linux") {
    auto name = to_lower(*type);
    if (name.starts_with("per_")) name.erase(0, 4);
    auto const* found = std::find_if(kPersonalities.begin(), kPersonalities.end(),
                                     [&](const FlagName& p) { return p.name == name; });
    if (found == kPersonalities.end())
      return Error::make(Errc::Usage, "'{}' is no personality", *type);
    wanted = found->bits;
  }
  for (auto const list : args.all("personality-flags")) {
    if (list.find_first_of("~!") != std::string_view::npos)
      return Error::make(Errc::Usage, "'{}': flags of a personality cannot be taken away", list);
    wanted |= VS_TRY(parse_flags(kPersonalityFlags, "", list)).value;
  }
  if (wanted == 0) return {};
  if (::personality(static_cast<unsigned long>(wanted)) < 0)
    return Error::system(errno, "personality {:#x}", wanted);
  return {};
}

// Tells somebody who waits at a socket, and goes on when he has closed it.
Status synchronize(const Parsed& args) {
  auto const path = args.get("syncsock");
  if (!path) return {};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path->size() >= sizeof address.sun_path)
    return Error::make(Errc::Usage, "--syncsock: the path is too long");
  std::memcpy(address.sun_path, path->data(), path->size());
  Fd const fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return Error::system(errno, "connect to {}", *path);
  VS_TRY(write_all(fd, args.get("syncmsg").value_or("ok"), *path));
  if (::shutdown(fd.get(), SHUT_WR) != 0) return Error::system(errno, "shutdown {}", *path);
  VS_TRY(read_all(fd));
  return {};
}

Result<ContextProgram> program_of(const Parsed& args) {
  ContextProgram out;
  out.argv = args.operands;
  out.own_init = args.has("initpid") || args.has("fakeinit");
  out.chroot = args.has("chroot") || args.has("pivot-root");
  out.background = args.has("disconnect");
  if (auto const uid = args.get("uid")) {
    auto const n = VS_TRY(number_of(*uid, "--uid"));
    if (n > 0xfffffffeU) return Error::make(Errc::Usage, "--uid: '{}' is no user id", *uid);
    out.uid = static_cast<std::uint32_t>(n);
  }
  return out;
}

// What a set context id is asked for by: a number from 2 on.
Result<std::optional<Xid>> wanted_xid(const Parsed& args) {
  auto const word = xid_word(args);
  if (!word) return std::optional<Xid>{};
  return std::optional{VS_TRY(Xid::make(VS_TRY(resolve_xid(*word))))};
}

Result<int> migrate(std::uint32_t xid, const Parsed& args, const ContextProgram& program) {
  if (xid == kSpectatorXid) return become_spectator(program.argv);
  if (xid == kHostXid) {
    if (VS_TRY(own_xid()) == kHostXid) return become(program.argv);
    return Error::make(Errc::Unsupported, "a process does not leave its context again");
  }
  auto const guest = guest_of(xid);
  if (!guest || is_context_name(*guest)) {
    if (args.has("vlogin")) {
      return Error::make(Errc::Unsupported,
                         "--vlogin: a context without a guest has no terminals of its own");
    }
    return run_in_context(xid, program);
  }
  ExecRequest request;
  request.argv = program.argv;
  request.user.uid = request.user.gid = program.uid.value_or(0);
  if (args.has("vlogin")) request.terminal = Terminal::Always;
  if (program.background || program.own_init) {
    return Error::make(Errc::Unsupported, "context {} is guest '{}': its own init starts services",
                       xid, *guest)
        .hint("'vserver GUEST exec' runs programs in it");
  }
  return exec_in_guest(*guest, request);
}

Result<int> create(const Parsed& args, const ContextProgram& program, const ContextWish& wish) {
  auto const made = make_context(wish);
  if (!made) {
    bool const exists = made.error().code() == Errc::Busy;
    if (exists && args.has("silentexist")) return kExists;
    return fail_with(made.error(), exists ? kExists : kFailed);
  }
  if (!args.has("silent")) {
    fmt::print("New security context is {}\n", *made);
    std::fflush(stdout);
  }
  VS_TRY(synchronize(args));
  return run_in_context(*made, program);
}

Result<int> run_vcontext(const Parsed& args) {
  bool const make = args.has("create");
  bool const self = args.has("migrate-self");
  if (static_cast<int>(make) + static_cast<int>(args.has("migrate")) + static_cast<int>(self) !=
      1) {
    return Error::make(Errc::Usage,
                       "exactly one of --create, --migrate and --migrate-self is needed");
  }
  auto program = VS_TRY(program_of(args));
  VS_TRY(take_personality(args));
  if (args.has("closefd")) ::syscall(SYS_close_range, 3, ~0U, 1U << 2U);
  if (make) {
    ContextWish wish;
    wish.xid = VS_TRY(wanted_xid(args));
    wish.capabilities = all_capabilities();
    wish.flags = kNewContextFlags;
    wish.context_capabilities = kDefaultContextCapabilities;
    wish.spaces = kDefaultSpaces;
    if (args.has("endsetup")) wish.flags &= ~cflag::kStateSetup;
    return create(args, program, wish);
  }
  VS_TRY(synchronize(args));
  if (self) {
    if (VS_TRY(own_xid()) == kHostXid)
      return Error::make(Errc::Usage, "--migrate-self: the caller is in no context");
    if (args.has("endsetup")) return finish_setup(program);
    if (program.own_init || program.chroot || program.uid)
      return Error::make(Errc::Usage, "--migrate-self does this together with --endsetup");
    return become(program.argv);
  }
  auto const word = xid_word(args);
  if (!word) return Error::make(Errc::Usage, "--migrate needs --xid");
  return migrate(VS_TRY(resolve_xid(*word)), args, program);
}

Result<ContextWish> chcontext_wish(const Parsed& args) {
  ContextWish wish;
  wish.xid = VS_TRY(wanted_xid(args));
  wish.capabilities = args.has("secure") ? default_capabilities(false) : all_capabilities();
  for (auto const list : args.all("cap")) {
    wish.capabilities =
        VS_TRY(parse_flags(capability_table(), "cap_", list)).applied_to(wish.capabilities);
  }
  wish.capabilities &= all_capabilities();
  wish.flags = kDefaultContextFlags;
  for (auto const list : args.all("flag"))
    wish.flags = VS_TRY(parse_flags(context_flag_names(), "vxf_", list)).applied_to(wish.flags);
  wish.context_capabilities = kDefaultContextCapabilities;
  auto const spaces = args.get("spaces");
  auto const mask = spaces ? VS_TRY(parse_spaces(*spaces)) : kDefaultSpaces;
  if ((mask & CLONE_NEWUSER) != 0) {
    return Error::make(Errc::Unsupported,
                       "a user namespace needs owner ids of its own: only guests have them");
  }
  wish.spaces = mask & (CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET);
  wish.hostname = args.get("hostname").value_or("");
  wish.domainname = args.get("domainname").value_or("");
  if (!(wish.hostname.empty() && wish.domainname.empty()) && (wish.spaces & CLONE_NEWUTS) == 0)
    return Error::make(Errc::Usage, "a host name needs the namespace uts");
  return wish;
}

// fakeinit is on in every context: what asks for an init here is the option.
bool wants_init(const Parsed& args) {
  bool out = false;
  for (auto const list : args.all("flag")) {
    auto const change = parse_flags(context_flag_names(), "vxf_", list);
    if (change && (change->mask & cflag::kFakeInit) != 0)
      out = (change->value & cflag::kFakeInit) != 0;
  }
  return out;
}

Result<int> run_chcontext(const Parsed& args) {
  if (auto const word = xid_word(args)) {
    auto const xid = VS_TRY(resolve_xid(*word));
    if (xid <= kSpectatorXid) return migrate(xid, args, VS_TRY(program_of(args)));
  }
  auto const wish = VS_TRY(chcontext_wish(args));
  auto program = VS_TRY(program_of(args));
  program.own_init = wants_init(args);
  auto made = make_context(wish);
  if (!made && made.error().code() == Errc::Busy && wish.xid) {
    program.own_init = false;
    return migrate(wish.xid->value(), args, program);
  }
  if (!made) return std::move(made).error();
  if (!args.has("silent")) {
    fmt::print("New security context is {}\n", *made);
    std::fflush(stdout);
  }
  return run_in_context(*made, program);
}

// What top and pstree show is what the spectator sees.
template <char const* Program>
Result<int> run_watching(const Parsed& args) {
  std::vector<std::string> argv{Program};
  argv.insert(argv.end(), args.operands.begin(), args.operands.end());
  return become_spectator(argv);
}
constexpr char kTop[] = "top";
constexpr char kPstree[] = "pstree";

}  // namespace

constexpr Command kChcontext{
    .name = "chcontext",
    .operands = "PROGRAM [ARGUMENT]...",
    .summary = "Run a program in a context, which is made when it is not there",
    .options = kChcontextOptions,
    .min_operands = 1,
    .max_operands = kAnyNumber,
    .stop_at_operand = true,
    .run = run_chcontext,
    .details =
        "The program sees the host's files and the processes of its context alone. The\n"
        "context has a cgroup: vlimit, vsched, vattribute, vkill know it by its number.\n"
        "It ends with its last process, unless it has the flag persistent. XID 1 sees\n"
        "the processes of all contexts and can act on none; 0 is the host itself.",
    .failure = kFailed};

constexpr Command kVcontext{
    .name = "vcontext",
    .operands = "PROGRAM [ARGUMENT]...",
    .summary = "Make, enter or finish contexts",
    .options = kVcontextOptions,
    .min_operands = 1,
    .max_operands = kAnyNumber,
    .stop_at_operand = true,
    .run = run_vcontext,
    .details =
        "A new context is in set-up: what runs in it has every capability and may change\n"
        "the context ('self') until --migrate-self --endsetup. Exit status: 254 when the\n"
        "context is there already, 255 when something failed, else the program's own.",
    .failure = kFailed};

constexpr Command kVtop{.name = "vtop",
                        .operands = "[TOP'S OPTION]...",
                        .summary = "top with the processes of all contexts",
                        .max_operands = kAnyNumber,
                        .verbatim = true,
                        .run = run_watching<kTop>,
                        .details = "The same as 'chcontext --xid 1 top': it cannot kill.",
                        .failure = kFailed};

constexpr Command kVpstree{.name = "vpstree",
                           .operands = "[PSTREE'S OPTION]...",
                           .summary = "pstree with the processes of all contexts",
                           .max_operands = kAnyNumber,
                           .verbatim = true,
                           .run = run_watching<kPstree>,
                           .details = "The same as 'chcontext --xid 1 pstree'.",
                           .failure = kFailed};

}  // namespace vs
