// SPDX-License-Identifier: GPL-2.0-or-later
// Small chain tools of the original: reducecap, capchroot, exec-ulimit.
#include <linux/capability.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>

#include "base/text.h"
#include "cmd/chain.h"
#include "cmd/commands.h"
#include "context/capability.h"
#include "guest/config.h"
#include "guest/user.h"
#include "sys/file.h"
#include "sys/privilege.h"
#include "sys/process.h"

namespace vs {

namespace {

constexpr int kFailed = 255;

constexpr std::array kReducecapOptions{
    Option{0, "show", "", "Print the capabilities of a process"},
    Option{0, "pid", "PID", "Of this one; of the caller without it"},
    Option{0, "secure", "", "Keep only the original's secure set"},
    Option{0, "cap", "[!]CAP", "Keep it, with ! or ~ give it up; several times"},
    Option{0, "flag", "LIST", "Refused: flags belong to a context, see chcontext --flag"},
};
static_assert(is_option_table(kReducecapOptions));

constexpr std::array kCapchrootOptions{
    Option{0, "nochroot", "", "Only enter the directory"},
    Option{0, "suid", "USER", "Run the program as this user, by the passwd of the directory"},
};
static_assert(is_option_table(kCapchrootOptions));

Status show_capabilities(const Parsed& args) {
  auto pid = static_cast<std::uint64_t>(::getpid());
  if (auto const text = args.get("pid")) pid = VS_TRY(number_of(*text, "--pid"));
  if (pid == 0 || pid > 4194304) return Error::system(ESRCH, "process {}", pid);
  auto const sets = VS_TRY(capabilities_of(static_cast<int>(pid)));
  auto const mark = [](std::uint64_t set, std::uint64_t bit) {
    return (set & bit) != 0 ? "X" : " ";
  };
  fmt::print("{:>20} Effective  Permitted  Inheritable\n", "Capability");
  for (auto const& cap : capability_table()) {
    fmt::print("{:>20}     {}          {}           {}\n", cap.name, mark(sets.effective, cap.bits),
               mark(sets.permitted, cap.bits), mark(sets.inheritable, cap.bits));
  }
  return {};
}

Result<int> run_reducecap(const Parsed& args) {
  if (args.has("flag")) {
    return Error::make(Errc::Unsupported, "--flag: flags belong to a context")
        .hint("chcontext --flag LIST PROGRAM");
  }
  if (args.has("show")) {
    VS_TRY(show_capabilities(args));
    return become_rest(args);
  }
  if (args.has("pid")) return Error::make(Errc::Usage, "--pid belongs to --show");
  if (args.operands.empty()) return Error::make(Errc::Usage, "a program is needed");
  auto keep = args.has("secure") ? default_capabilities(false) : all_capabilities();
  for (auto const list : args.all("cap"))
    keep = VS_TRY(parse_flags(capability_table(), "cap_", list)).applied_to(keep);
  VS_TRY(bound_capabilities(keep));
  return become(args.operands);
}

Result<Identity> user_in(FdRef dir, std::string_view name) {
  auto const passwd = read_file_at(dir, "etc/passwd", Resolve::InRoot);
  auto const user = parse_user(passwd ? *passwd : std::string{}, name);
  if (!user) return Error::make(Errc::Usage, "there is no user '{}' there", name);
  auto const group = read_file_at(dir, "etc/group", Resolve::InRoot);
  return Identity{user->uid, user->gid, parse_groups(group ? *group : std::string{}, user->name)};
}

Result<int> run_capchroot(const Parsed& args) {
  auto const& path = args.operands[0];
  Fd const dir = VS_TRY(open_path(path, O_PATH | O_DIRECTORY));
  std::optional<Identity> user;
  if (auto const name = args.get("suid")) user = VS_TRY(user_in(dir, *name));
  if (::fchdir(dir.get()) != 0) return Error::system(errno, "enter {}", path);
  if (!args.has("nochroot") && ::chroot(".") != 0) return Error::system(errno, "chroot {}", path);
  // What is in there cannot leave by another chroot(2).
  VS_TRY(bound_capabilities(all_capabilities() & ~(1ULL << CAP_SYS_CHROOT)));
  if (user) VS_TRY(become_user(*user));
  return become({args.operands.begin() + 1, args.operands.end()});
}

Result<int> run_exec_ulimit(const Parsed& args) {
  auto const& program = args.operands[1];
  if (!program.starts_with('/'))
    return Error::make(Errc::Usage, "'{}' is not an absolute path", program);
  for (auto const& limit : VS_TRY(read_ulimits(args.operands[0]))) {
    rlimit const wanted{limit.soft, limit.hard};
    auto const resource = static_cast<__rlimit_resource_t>(limit.resource);
    if (::setrlimit(resource, &wanted) == 0) continue;
    return Error::system(errno, "{}: limit {} to {}", args.operands[0], limit.resource, limit.hard)
        .hint("raising a hard limit wants CAP_SYS_RESOURCE");
  }
  return become({args.operands.begin() + 1, args.operands.end()});
}

}  // namespace

constexpr Command kReducecap{
    .name = "reducecap",
    .operands = "[PROGRAM [ARGUMENT]...]",
    .summary = "Run a program with fewer capabilities, or show those of a process",
    .options = kReducecapOptions,
    .max_operands = kAnyNumber,
    .stop_at_operand = true,
    .run = run_reducecap,
    .details =
        "What is given up leaves the bounding set: neither the program nor anything that it\n"
        "runs can get it back. Names are those of bcapabilities.",
    .failure = kFailed};

constexpr Command kCapchroot{
    .name = "capchroot",
    .operands = "DIR PROGRAM [ARGUMENT]...",
    .summary = "Run a program of a tree, without the capability to leave it by chroot",
    .options = kCapchrootOptions,
    .min_operands = 2,
    .max_operands = kAnyNumber,
    .stop_at_operand = true,
    .run = run_capchroot,
    .details = "'chcontext' and 'vcontext --chroot' keep a program in better: see there.",
    .failure = kFailed};

constexpr Command kExecUlimit{
    .name = "exec-ulimit",
    .operands = "DIR PROGRAM [ARGUMENT]...",
    .summary = "Run a program with the limits of a directory such as ulimits/",
    .min_operands = 2,
    .max_operands = kAnyNumber,
    .stop_at_operand = true,
    .run = run_exec_ulimit,
    .details =
        "Files: NAME, NAME.soft and NAME.hard, NAME one of as, core, cpu, data, fsize,\n"
        "locks, memlock, nofile, nproc, rss, stack. Other hard limits are raised as far as\n"
        "the caller may; that of nofile to 1048576.",
    .failure = kFailed};

}  // namespace vs
