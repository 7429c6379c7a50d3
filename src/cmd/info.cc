// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdio>
#include <memory>

#include "base/text.h"
#include "cmd/commands.h"
#include "guest/config.h"
#include "guest/paths.h"
#include "guest/status.h"
#include "sys/file.h"
#include "sys/process.h"

namespace vs {

namespace {

constexpr std::array kOptions{
    Option{'q', "quiet", "", "Print nothing; the exit status is the answer"},
    Option{'l', "list", "", "List the tags"},
};
static_assert(is_option_table(kOptions));

// The kernel interface whose tools we replace, and what it would be compiled with.
constexpr std::uint32_t kApiVersion = 0x00020308;
// Its configuration word: new network contexts (bit 3), secured /proc (4), spaces (10), second
// version of the network contexts (11), memory control groups (12).
constexpr std::uint64_t kConfigWord = 0x1c18;

// What a tag is asked about, and its further words.
struct Question {
  std::string subject;
  std::vector<std::string> more;
  [[nodiscard]] std::string_view arg(std::size_t n) const {
    return n < more.size() ? std::string_view{more[n]} : std::string_view{};
  }
};

// A line of output; an error is exit status 1 without a word, as scripts of the original expect.
using Answer = Result<std::string>;

Error no_answer() {
  return Error::make(Errc::NotFound, "no answer");
}

std::optional<std::uint32_t> running_xid(const std::string& guest) {
  if (!is_running(guest)) return std::nullopt;
  auto const state = RunDir::read_state(guest);
  if (!state || !*state) return std::nullopt;
  return (*state)->xid;
}

std::string config_dir(const std::string& guest) {
  return fmt::format("{}/{}", Paths::get().conf, guest);
}

std::optional<std::uint64_t> static_xid(const std::string& guest) {
  auto const text = read_file(config_dir(guest) + "/context");
  return text ? parse_decimal(trim(first_line(*text))) : std::nullopt;
}

// False as the original reads it: no leading y or t, and numerically 0.
bool is_true(std::string_view word) {
  if (word.empty()) return true;
  if (std::string_view{"yYtT"}.find(word[0]) != std::string_view::npos) return true;
  return parse_base0(word).value_or(0) != 0;
}

Answer ask_context(const Question& q) {
  auto const guest = VS_TRY(resolve_guest(q.subject));
  if (auto const xid = running_xid(guest)) return std::to_string(*xid);
  auto const fixed = is_true(q.arg(0)) ? static_xid(guest) : std::nullopt;
  if (!fixed) return no_answer();
  return std::to_string(*fixed);
}

// A guest by xid, "self", or what else names one.
Result<std::string> guest_by(const std::string& word) {
  if (word == "self") {
    ContextMap contexts;
    auto const& own = contexts.find(::getpid());
    if (own.xid == 0) return no_answer();
    return own.name;
  }
  if (auto const xid = parse_decimal(word)) {
    auto const guest = guest_of(static_cast<std::uint32_t>(*xid));
    if (guest && running_xid(*guest) == *xid) return *guest;
    return no_answer();
  }
  return resolve_guest(word.starts_with(':') ? word.substr(1) : word);
}

Answer ask_id(const Question& q) {
  auto const guest = VS_TRY(guest_by(q.subject));
  if (!running_xid(guest)) return no_answer();
  return config_dir(guest);
}

Answer ask_running(const Question& q) {
  auto const guest = VS_TRY(guest_by(q.subject));
  if (!is_running(guest)) return no_answer();
  return std::string{"1"};
}

Answer ask_vdir(const Question& q) {
  auto const guest = VS_TRY(resolve_guest(q.subject));
  auto const path = config_dir(guest) + "/vdir";
  if (!is_true(q.arg(0).empty() ? "0" : q.arg(0))) {
    auto const target = read_link_at(FdRef::cwd(), path);
    return target ? *target : path;
  }
  std::unique_ptr<char, decltype(&::free)> const real{::realpath(path.c_str(), nullptr), &::free};
  if (!real) return no_answer();
  return std::string{real.get()};
}

Answer ask_name(const Question& q) {
  return display_name(VS_TRY(resolve_guest(q.subject)));
}

Answer ask_cfgdir(const Question& q) {
  return config_dir(VS_TRY(resolve_guest(q.subject)));
}

Answer ask_appdir(const Question& q) {
  auto const dir = fmt::format("{}/apps/{}", VS_TRY(ask_cfgdir(q)), q.arg(0));
  if (!open_path(dir, O_PATH | O_DIRECTORY)) return no_answer();
  return dir;
}

Answer ask_initpid(const Question& q) {
  auto const state = VS_TRY(RunDir::read_state(VS_TRY(guest_by(q.subject))));
  if (!state || state->init.pid == 0) return no_answer();
  return std::to_string(state->init.pid);
}

// The context of a process; "-" and 0: our own.
Result<ContextOf> context_by_pid(const std::string& word) {
  auto const pid = word == "-" ? std::optional<std::uint64_t>{0} : parse_decimal(word);
  if (!pid || *pid > 4194304) return no_answer();
  ContextMap contexts;
  auto const found = contexts.find(*pid == 0 ? ::getpid() : static_cast<int>(*pid));
  if (found.name == "ERR") return no_answer();
  return found;
}

Answer ask_initpid_pid(const Question& q) {
  auto const context = VS_TRY(context_by_pid(q.subject));
  if (context.xid == 0) return std::string{"1"};
  return ask_initpid({context.name, {}});
}

// One number is context, network context and tag.
Answer ask_xid(const Question& q) {
  return std::to_string(VS_TRY(context_by_pid(q.subject)).xid);
}

Answer ask_apiver(const Question&) {
  return fmt::format("0x{:08x}", kApiVersion);
}

Answer ask_canonify(const Question& q) {
  std::string out = q.subject;
  std::erase_if(out, [](unsigned char c) { return std::isalnum(c) == 0; });
  return out;
}

Answer ask_xidtype(const Question& q) {
  auto const xid = parse_decimal(q.subject);
  if (!xid) return no_answer();
  std::string type = "invalid";
  if (*xid == 0) type = "main";
  if (*xid == 1) type = "watch";
  if (*xid >= 2 && *xid <= 65535) type = "static";
  bool const wanted =
      q.more.empty() || std::find(q.more.begin(), q.more.end(), type) != q.more.end();
  if (!wanted) return no_answer();
  return type;
}

Answer ask_sysinfo(const Question&) {
  utsname name{};
  ::uname(&name);
  std::string out;
  auto const line = [&out](std::string_view label, std::string_view value) {
    out += fmt::format("{:>25}: {}\n", label, value);
  };
  auto const& paths = Paths::get();
  out += "Versions:\n";
  line("Kernel", static_cast<const char*>(name.release));
  line("VS-API", fmt::format("0x{:08x}", kApiVersion));
  line("VCI", fmt::format("0x{:016x}", kConfigWord));
  line("util-vserver", fmt::format("vserver {}", VS_VERSION));
  out += "\nFeatures:\n";
  line("CC", __VERSION__);
  line("CPPFLAGS", "''");
  line("CFLAGS", "''");
  line("build/host", static_cast<const char*>(name.machine));
  line("Use dietlibc", "no");
  line("Build C++ programs", "yes");
  line("Build C99 programs", "no");
  line("Available APIs", "v23,netv2");
  line("ext2fs Source", "none");
  line("syscall(2) invocation", "none");
  line("vserver(2) syscall#", "none");
  line("crypto api", "none");
  line("python bindings", "no");
  line("use library versioning", "no");
  out += "\nPaths:\n";
  line("prefix", VS_PREFIX);
  line("sysconf-Directory", "/etc");
  line("cfg-Directory", paths.conf);
  line("initrd-Directory", "/etc/init.d");
  line("pkgstate-Directory", paths.state);
  out += fmt::format("{:>25}: {}", "vserver-Rootdir", paths.vdirs);
  return out;
}

// What scripts ask before they use a tool. Not IATTR, VWAIT, PERSISTENT, PPTAG: the tools are not
// there; not VSHELPER0, VSTAT, BME: interfaces that are older than the version that we name.
constexpr auto kFeatures = std::to_array<std::string_view>(
    {"COMPAT", "DYNAMIC", "MEMCG", "MIGRATE", "NAMESPACE", "PIDSPACE", "PIVOT_ROOT", "RLIMIT",
     "SCHED", "SPACES", "VHI", "VINFO", "VKILL", "VNET", "VSHELPER"});

Answer ask_feature(const Question& q) {
  std::string name{q.arg(0)};
  for (char& c : name)
    c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  if (std::find(kFeatures.begin(), kFeatures.end(), name) == kFeatures.end()) return no_answer();
  return std::string{};
}

// Whether a process without capabilities is kept from chroot(2), by trying: it ends afterwards.
Answer ask_verifycap(const Question&) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> const none{};
  if (::geteuid() != 0 || ::syscall(SYS_capset, &header, none.data()) != 0) return no_answer();
  if (::chroot("/") == 0 || errno != EPERM) return no_answer();
  return std::string{};
}

// Never had an answer: the context of a context's parent.
Answer ask_pxid(const Question&) {
  return no_answer();
}

Answer ask_verifyproc(const Question&) {
  if (!read_file("/proc/uptime")) return no_answer();
  return std::string{};
}

// The names that the guest's own uname(2) gives: this process goes there to look, and ends.
Answer ask_uts(const Question& q) {
  auto const guest = VS_TRY(guest_by(q.subject));
  auto const state = VS_TRY(RunDir::read_state(guest));
  if (!state) return no_answer();
  Fd const init = VS_TRY(open_process(state->init));
  utsname name{};
  if (::setns(init.get(), CLONE_NEWUTS) != 0 || ::uname(&name) != 0)
    return Error::system(errno, "names of guest '{}'", guest);
  struct Field {
    std::string_view name;
    std::string value;
  };
  std::array const fields{
      Field{"CONTEXT", config_dir(guest)},
      Field{"SYSNAME", static_cast<const char*>(name.sysname)},
      Field{"NODENAME", static_cast<const char*>(name.nodename)},
      Field{"RELEASE", static_cast<const char*>(name.release)},
      Field{"VERSION", static_cast<const char*>(name.version)},
      Field{"MACHINE", static_cast<const char*>(name.machine)},
      Field{"DOMAINNAME", static_cast<const char*>(name.domainname)},
  };
  std::string all;
  auto const wanted = to_lower(q.arg(0));
  for (auto const& field : fields) {
    if (to_lower(field.name) == wanted) return field.value;
    all += field.value + ' ';
  }
  if (!wanted.empty()) return no_answer();
  return all;
}

struct Tag {
  std::string_view name;
  Answer (*ask)(const Question&);
};

constexpr std::array kTags{
    Tag{"CONTEXT", ask_context},
    Tag{"ID", ask_id},
    Tag{"RUNNING", ask_running},
    Tag{"VDIR", ask_vdir},
    Tag{"NAME", ask_name},
    Tag{"CFGDIR", ask_cfgdir},
    Tag{"APPDIR", ask_appdir},
    Tag{"INITPID", ask_initpid},
    Tag{"INITPID_PID", ask_initpid_pid},
    Tag{"XID", ask_xid},
    Tag{"NID", ask_xid},
    Tag{"TAG", ask_xid},
    Tag{"APIVER", ask_apiver},
    Tag{"CANONIFY", ask_canonify},
    Tag{"XIDTYPE", ask_xidtype},
    Tag{"SYSINFO", ask_sysinfo},
    Tag{"UTS", ask_uts},
    Tag{"FEATURE", ask_feature},
    Tag{"PXID", ask_pxid},
    Tag{"VERIFYCAP", ask_verifycap},
    Tag{"VERIFYPROC", ask_verifyproc},
};

void list_tags() {
  std::vector<std::string> names;
  names.reserve(std::size(kTags));
  for (auto const& tag : kTags)
    names.emplace_back(tag.name);
  fmt::print("Valid tags are: {}\n", join(names, ", "));
}

Result<int> run_info(const Parsed& args) {
  if (args.has("list")) {
    list_tags();
    return 0;
  }
  if (args.operands.size() < 2) {
    fmt::print("{}\n", VS_TRY(ask_sysinfo({})));
    fmt::print(stderr, "\nTry 'vserver-info --help' for the facts that can be asked for.\n");
    return 0;
  }
  auto const* tag = std::find_if(kTags.begin(), kTags.end(),
                                 [&](const Tag& t) { return t.name == args.operands[1]; });
  if (tag == kTags.end()) {
    return Error::make(Errc::Usage, "unknown tag '{}'", printable(args.operands[1]))
        .hint("'vserver-info -l' lists them");
  }
  auto const answer =
      tag->ask({args.operands[0], {args.operands.begin() + 2, args.operands.end()}});
  if (!answer) return 1;
  bool const silent = args.has("quiet") || answer->empty();
  if (!silent) fmt::print("{}\n", *answer);
  return 0;
}

}  // namespace

constexpr Command kInfo{
    .name = "vserver-info",
    .operands = "[GUEST|PID|XID|- TAG [ARGUMENT]...]",
    .summary = "Show facts about guests, contexts and this program",
    .options = kOptions,
    .max_operands = kAnyNumber,
    .stop_at_operand = true,
    .run = run_info,
    .details =
        "Prints the answer and exits with 0, or prints nothing and exits with 1.\n"
        "By guest: CONTEXT, RUNNING, VDIR, NAME, CFGDIR, APPDIR. By xid: ID, RUNNING,\n"
        "INITPID, UTS, XIDTYPE. By pid: XID, NID, TAG, INITPID_PID. Else: APIVER,\n"
        "SYSINFO, FEATURE, VERIFYCAP, VERIFYPROC, CANONIFY."};

}  // namespace vs
