// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/config.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "base/text.h"
#include "config/syntax.h"
#include "config/tree.h"
#include "context/capability.h"
#include "context/flags.h"
#include "guest/limits.h"
#include "guest/network.h"
#include "guest/paths.h"
#include "net/address.h"
#include "sys/file.h"
#include "sys/process.h"

namespace vs {

namespace {

// What a guest says, and what all guests are given that say nothing.
struct Trees {
  const Tree& own;
  const Tree& defaults;
};

// Puts where a value stands in front of what is wrong with it.
template <class T>
Result<T> at(const Value& value, Result<T> parsed) {
  if (parsed) return parsed;
  return std::move(parsed).error().context(to_string(value.position)).with_code(Errc::Config);
}

// A first line that is there and not empty.
std::optional<Value> word(const Tree& tree, std::string_view path) {
  auto value = tree.scalar(path);
  if (value && value->text.empty()) return std::nullopt;
  return value;
}

std::string text_of(std::optional<Value> value) {
  return value ? std::move(value->text) : std::string{};
}

std::vector<std::string> texts_of(std::vector<Value> values) {
  std::vector<std::string> out;
  out.reserve(values.size());
  for (auto& value : values)
    out.push_back(std::move(value.text));
  return out;
}

Status read_names(const Tree& tree, GuestConfig& out) {
  if (auto const xid = word(tree, "context")) out.xid = VS_TRY(at(*xid, Xid::parse(xid->text)));
  out.nodename = out.name;
  if (auto const name = tree.raw("uts/nodename"); name && !trim(name->text).empty()) {
    out.nodename = std::string{trim(name->text)};
    if (out.nodename.size() > 64)
      return wrong_value(*name, "a host name has at most 64 characters");
    if (out.nodename.find('\n') != std::string::npos)
      return wrong_value(*name, "a host name has one line");
  }
  if (auto const name = tree.raw("uts/domainname")) out.domainname = std::string{trim(name->text)};
  return {};
}

Status read_rights(const Tree& tree, GuestConfig& out) {
  out.userns = VS_TRY(tree.on_off("userns")).value_or(true);
  out.seccomp = VS_TRY(tree.on_off("seccomp")).value_or(true);
  out.context_flags = kDefaultContextFlags;
  for (auto const& line : tree.list(tree.flag("cflags") ? "cflags" : "flags")) {
    auto const change = VS_TRY(at(line, parse_flags(context_flag_names(), "vxf_", line.text)));
    out.context_flags = change.applied_to(out.context_flags);
  }
  out.context_capabilities = kDefaultContextCapabilities;
  for (auto const& line : tree.list("ccapabilities")) {
    auto const change =
        VS_TRY(at(line, parse_flags(context_capability_names(), "vxc_", line.text)));
    out.context_capabilities = change.applied_to(out.context_capabilities);
  }
  out.capabilities = default_bound(out);
  for (auto const& line : tree.list("bcapabilities")) {
    auto const change = VS_TRY(at(line, parse_flags(capability_table(), "cap_", line.text)));
    out.capabilities = change.applied_to(out.capabilities);
  }
  return {};
}

Status read_restart(const Trees& trees, GuestConfig& out) {
  constexpr std::array kPolicies{
      std::pair{std::string_view{"no"}, RestartPolicy::No},
      std::pair{std::string_view{"on-reboot"}, RestartPolicy::OnReboot},
      std::pair{std::string_view{"on-failure"}, RestartPolicy::OnFailure},
      std::pair{std::string_view{"always"}, RestartPolicy::Always}};
  constexpr std::string_view kEntry = "apps/init/restart";
  auto const value =
      trees.own.flag(kEntry) ? word(trees.own, kEntry) : word(trees.defaults, kEntry);
  if (!value) return {};
  for (auto const& [name, policy] : kPolicies) {
    if (value->text == name) return out.restart = policy, Status{};
  }
  return wrong_value(
      *value, fmt::format("'{}' is not one of no, on-reboot, on-failure, always", value->text));
}

// "15", "TERM" or "SIGTERM".
Result<int> signal_of(const Value& value) {
  if (auto const n = parse_decimal(value.text); n && *n >= 1 && *n < NSIG)
    return static_cast<int>(*n);
  std::string_view name = value.text;
  if (name.starts_with("SIG")) name.remove_prefix(3);
  for (int signal = 1; signal < NSIG; ++signal) {
    const char* known = ::sigabbrev_np(signal);
    if (known != nullptr && name == known) return signal;
  }
  return wrong_value(value, fmt::format("'{}' is not a signal", value.text));
}

// Signal, wait, signal, wait, ...
Result<std::vector<KillStep>> read_kill_sequence(const Tree& tree) {
  auto const lines = tree.array("apps/init/killseq");
  if (lines.empty()) return std::vector<KillStep>{{SIGTERM, 5}, {SIGKILL, 0}};
  std::vector<KillStep> out;
  for (std::size_t i = 0; i < lines.size(); i += 2) {
    KillStep step{VS_TRY(signal_of(lines[i])), 0};
    if (i + 1 < lines.size()) {
      auto const wait = parse_decimal(lines[i + 1].text);
      if (!wait || *wait > 3600) {
        return wrong_value(lines[i + 1], fmt::format("'{}' is not a number of seconds up to 3600",
                                                     lines[i + 1].text));
      }
      step.wait_s = static_cast<int>(*wait);
    }
    out.push_back(step);
  }
  return out;
}

Status read_init(const Trees& trees, GuestConfig& out) {
  auto const& tree = trees.own;
  auto const style = tree.scalar("apps/init/style");
  out.style = find_style(style ? style->text : "sysv");
  if (out.style == nullptr) {
    return wrong_value(
        *style, fmt::format("unknown init style '{}'; known are {}", style->text, style_names()));
  }
  out.init = texts_of(tree.array("apps/init/cmd.start"));
  out.stop_command = texts_of(tree.array("apps/init/cmd.stop"));
  auto level = word(tree, "apps/init/runlevel.start");
  if (!level) level = word(tree, "apps/init/runlevel");
  out.start_level = text_of(std::move(level));
  out.stop_level = text_of(word(tree, "apps/init/runlevel.stop"));
  out.kill_sequence = VS_TRY(read_kill_sequence(tree));
  constexpr std::string_view kEnvironment = "apps/init/environment";
  for (auto& line : (tree.flag(kEnvironment) ? tree : trees.defaults).array(kEnvironment)) {
    auto const equals = line.text.find('=');
    if (equals == 0 || equals == std::string::npos)
      return wrong_value(line, fmt::format("'{}' is not of the form VARIABLE=VALUE", line.text));
    out.environment.push_back(std::move(line.text));
  }
  if (out.environment.empty()) {
    out.environment.emplace_back(
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
  }
  return {};
}

// A number between two others; fallback without the entry.
Result<int> number(const Tree& tree, std::string_view path, int min, int max, int fallback) {
  auto const n = VS_TRY(tree.integer(path));
  if (!n) return fallback;
  if (*n < min || *n > max) {
    return wrong_value(*tree.scalar(path),
                       fmt::format("{} is not between {} and {}", *n, min, max));
  }
  return static_cast<int>(*n);
}

Status read_numbers(const Trees& trees, GuestConfig& out) {
  out.nice = VS_TRY(number(trees.own, "nice", -20, 19, 0));
  constexpr std::string_view kTimeout = "apps/vshelper/sync-timeout";
  out.stop_timeout_s = VS_TRY(number(trees.defaults, kTimeout, 0, 3600, 30));
  out.stop_timeout_s = VS_TRY(number(trees.own, kTimeout, 0, 3600, out.stop_timeout_s));
  auto shell = word(trees.own, "shell");
  if (!shell) shell = word(trees.defaults, "shell");
  if (shell) {
    for (auto const part : split_words(shell->text))
      out.shell.emplace_back(part);
  }
  return {};
}

struct Ulimit {
  std::string_view name;
  int id;
};

constexpr std::array kUlimits{
    Ulimit{"as", RLIMIT_AS},           Ulimit{"core", RLIMIT_CORE},
    Ulimit{"cpu", RLIMIT_CPU},         Ulimit{"data", RLIMIT_DATA},
    Ulimit{"fsize", RLIMIT_FSIZE},     Ulimit{"locks", RLIMIT_LOCKS},
    Ulimit{"memlock", RLIMIT_MEMLOCK}, Ulimit{"nofile", RLIMIT_NOFILE},
    Ulimit{"nproc", RLIMIT_NPROC},     Ulimit{"rss", RLIMIT_RSS},
    Ulimit{"stack", RLIMIT_STACK},
};

// A process without a limit of its own keeps our soft limit, with the hard one out of the way as
// far as we may move it: a host's root can be without CAP_SYS_RESOURCE.
Result<LimitEntry> process_limit(const Tree& tree, const Ulimit& resource) {
  std::string const base = fmt::format("ulimits/{}", resource.name);
  auto const both = VS_TRY(tree.limit(base));
  auto const soft = VS_TRY(tree.limit(base + ".soft"));
  auto const hard = VS_TRY(tree.limit(base + ".hard"));
  rlimit now{};
  ::getrlimit(static_cast<__rlimit_resource_t>(resource.id), &now);
  static const bool kMayRaise = has_capability(CAP_SYS_RESOURCE);
  LimitEntry limit{resource.id, now.rlim_cur, kMayRaise ? RLIM_INFINITY : now.rlim_max};
  if (both) limit.soft = limit.hard = *both;
  if (soft) limit.soft = *soft;
  if (soft && !both) limit.hard = std::max(limit.hard, limit.soft);
  if (hard) limit.hard = *hard;
  // The kernel refuses more open files than fs.nr_open, 1048576 unless changed.
  constexpr rlim_t kMostFiles = 1'048'576;
  if (resource.id == RLIMIT_NOFILE) limit.hard = std::min(limit.hard, kMostFiles);
  limit.soft = std::min(limit.soft, limit.hard);
  return limit;
}

}  // namespace

Result<std::vector<LimitEntry>> read_ulimits(const std::string& dir) {
  Tree tree{dir, guest_keys()};
  for (auto const& resource : kUlimits) {
    for (const char* suffix : {"", ".soft", ".hard"}) {
      auto const name = fmt::format("{}{}", resource.name, suffix);
      auto const text = read_file(fmt::format("{}/{}", dir, name));
      if (!text) continue;
      if (auto const value = limit_of(first_line(*text)); !value)
        return Error::make(Errc::Config, "{}/{}: {}", dir, name, value.error().message());
      tree.put(fmt::format("ulimits/{}", name), *text);
    }
  }
  std::vector<LimitEntry> out;
  out.reserve(std::size(kUlimits));
  for (auto const& resource : kUlimits)
    out.push_back(VS_TRY(process_limit(tree, resource)));
  return out;
}

namespace {

Status read_limits(const Trees& trees, GuestConfig& out) {
  static_assert(kNoLimit == RLIM_INFINITY && kNoLimit == kUnlimited);
  for (auto const& resource : kUlimits)
    out.limits.push_back(VS_TRY(process_limit(trees.own, resource)));
  out.whole = VS_TRY(read_limit_request(trees.own, trees.defaults, out.context_flags));
  return {};
}

// The interface's own entry, or the one that interfaces/ has for all.
std::optional<Value> interface_word(const Tree& tree, const std::string& dir,
                                    std::string_view name) {
  auto value = word(tree, fmt::format("{}/{}", dir, name));
  return value ? value : word(tree, fmt::format("interfaces/{}", name));
}

Result<InterfaceEntry> read_interface(const Tree& tree, const std::string& dir) {
  InterfaceEntry entry;
  entry.dir = fmt::format("{}/{}", tree.dir(), dir);
  auto const ip = word(tree, dir + "/ip");
  if (!ip) return Error::make(Errc::Config, "{}/ip: an interface needs an address", entry.dir);
  auto const address = VS_TRY(at(*ip, parse_address(ip->text)));
  auto const prefix = interface_word(tree, dir, "prefix");
  auto const mask = interface_word(tree, dir, "mask");
  auto const bcast = interface_word(tree, dir, "bcast");
  if (prefix) VS_TRY(at(*prefix, parse_prefix(prefix->text, address.family)));
  if (mask) VS_TRY(at(*mask, parse_mask(mask->text)));
  if (bcast && bcast->text != "+") VS_TRY(at(*bcast, parse_address(bcast->text)));
  entry.ip = ip->text;
  entry.dev = text_of(interface_word(tree, dir, "dev"));
  entry.prefix = text_of(prefix);
  entry.mask = text_of(mask);
  entry.bcast = text_of(bcast);
  entry.name = text_of(word(tree, dir + "/name"));
  entry.nodev = tree.flag(dir + "/nodev") || tree.flag(dir + "/only_ip");
  entry.down = tree.flag(dir + "/down");
  return entry;
}

constexpr std::array kNetModes{std::pair{std::string_view{"shared"}, NetMode::Shared},
                               std::pair{std::string_view{"private"}, NetMode::Private},
                               std::pair{std::string_view{"host"}, NetMode::Host}};

Status read_network(const Tree& tree, GuestConfig& out) {
  // No network context at all, in the original's words.
  if (tree.flag("noncontext")) out.net = NetMode::Host;
  if (auto const mode = word(tree, "net/mode")) {
    auto const* const known = std::find_if(kNetModes.begin(), kNetModes.end(),
                                           [&](auto const& m) { return m.first == mode->text; });
    if (known == kNetModes.end()) {
      return wrong_value(
          *mode, fmt::format("'{}' is not a network mode: shared, private or host", mode->text));
    }
    out.net = known->second;
  }
  out.nflags = join(texts_of(tree.list("nflags")), ",");
  out.ncapabilities = join(texts_of(tree.list("ncapabilities")), ",");
  if (auto const lback = word(tree, "interfaces/lback")) {
    auto const address = VS_TRY(at(*lback, parse_address(lback->text)));
    if (address.family != AF_INET || address.bytes[0] != 127)
      return wrong_value(*lback, "the loopback address is one of 127.0.0.0/8");
    out.lback = lback->text;
  }
  for (auto const& name : tree.children("interfaces")) {
    std::string const dir = "interfaces/" + name;
    if (tree.flag(dir + "/disabled")) continue;
    out.interfaces.push_back(VS_TRY(read_interface(tree, dir)));
  }
  return {};
}

void read_fstabs(const Tree& tree, GuestConfig& out) {
  for (std::string_view const name : {"fstab", "fstab.local", "fstab.remote"}) {
    if (auto value = tree.raw(name)) {
      out.fstabs.push_back(
          {std::move(value->position.file), std::move(value->text), name == "fstab.remote"});
    }
  }
}

// scripts/POINT, then what scripts/POINT.d has: the order of the tree.
void read_hooks(const Tree& tree, bool own, GuestConfig& out) {
  constexpr std::string_view kScripts = "scripts/";
  for (auto const& [path, value] : tree.values()) {
    if (!path.starts_with(kScripts)) continue;
    std::string_view point = std::string_view{path}.substr(kScripts.size());
    point = point.substr(0, point.find('/'));
    if (point.ends_with(".d")) point.remove_suffix(2);
    out.hooks.push_back({std::string{point}, value.position.file, own});
  }
}

// What is wrong without being an error, and what is known without being built.
void read_remarks(const Trees& trees, GuestConfig& out) {
  auto const& tree = trees.own;
  out.warnings = tree.warnings;
  for (auto const& [path, value] : tree.values()) {
    if (value.key->help.starts_with("deprecated"))
      out.outdated.push_back(fmt::format("{}: {}", value.position.file, value.key->help));
  }
  out.not_applied = tree.not_applied();
  for (auto const& text : refused_flags(context_flags(), out.context_flags))
    out.not_applied.push_back("cflags: " + text);
  for (auto const& text : refused_flags(context_capabilities(), out.context_capabilities))
    out.not_applied.push_back("ccapabilities: " + text);
  for (auto const& path : trees.defaults.not_applied())
    out.not_applied.push_back(".defaults/" + path);
}

}  // namespace

Result<Tree> read_defaults() {
  std::string const dir = Paths::get().conf + "/.defaults";
  auto tree = read_tree(dir, default_keys());
  if (!tree && tree.error().code() == Errc::NotFound) return Tree{dir, default_keys()};
  return tree;
}

namespace {

// The parts of a configuration that can be wrong, each without regard to the others' errors.
constexpr std::array<Status (*)(const Trees&, GuestConfig&), 7> kParts{
    [](const Trees& trees, GuestConfig& out) { return read_names(trees.own, out); },
    // Before the rights, which depend on it.
    [](const Trees& trees, GuestConfig& out) { return read_network(trees.own, out); },
    [](const Trees& trees, GuestConfig& out) { return read_rights(trees.own, out); },
    read_init,
    read_restart,
    read_numbers,
    read_limits,
};

}  // namespace

Result<GuestConfig> interpret(const std::string& name, const Tree& own, const Tree& defaults) {
  Trees const trees{own, defaults};
  GuestConfig out;
  out.name = name;
  for (auto const part : kParts)
    VS_TRY(part(trees, out));
  read_fstabs(own, out);
  read_hooks(own, true, out);
  read_hooks(defaults, false, out);
  read_remarks(trees, out);
  return out;
}

std::vector<std::string> find_faults(const std::string& name, const Tree& own,
                                     const Tree& defaults) {
  Trees const trees{own, defaults};
  GuestConfig out;
  out.name = name;
  std::vector<std::string> faults;
  for (auto const part : kParts) {
    if (auto const done = part(trees, out); !done) faults.push_back(done.error().message());
  }
  read_fstabs(own, out);
  if (auto const ops = plan_tree({0, !out.userns, true, out.fstabs}); !ops)
    faults.push_back(ops.error().message());
  if (!faults.empty()) return faults;
  if (auto const addresses = list_addresses(out); !addresses)
    faults.push_back(addresses.error().message());
  return faults;
}

std::uint64_t default_bound(const GuestConfig& config) {
  auto const set = default_capabilities(config.userns);
  constexpr std::uint64_t kNetRaw = 1ULL << CAP_NET_RAW;
  return config.userns && config.net != NetMode::Private ? set | kNetRaw : set;
}

Result<GuestConfig> load_config(const std::string& name) {
  if (!is_context_name(name)) VS_TRY(check_name(name));
  std::string const path = config_dir(name);
  if (!exists(path + "/vdir")) {
    return Error::make(Errc::NotFound, "guest '{}' does not exist (looked for {}/vdir)", name, path)
        .hint(fmt::format(
            "check the spelling ('vserver-stat' lists guests), or make it: vserver {} build --help",
            name));
  }
  Tree const own = VS_TRY(read_tree(path));
  auto out = VS_TRY(interpret(name, own, VS_TRY(read_defaults())));
  char* real = ::realpath((path + "/vdir").c_str(), nullptr);
  if (real == nullptr) return Error::system(errno, "{}/vdir", path);
  out.vdir = real;
  std::free(real);
  return out;
}

Result<std::vector<std::string>> list_guests() {
  auto const dir = open_path(Paths::get().conf, O_RDONLY | O_DIRECTORY);
  if (!dir) return std::vector<std::string>{};
  std::vector<std::string> out;
  for (auto& name : VS_TRY(list_dir(*dir))) {
    if (name[0] != '.' && !is_ignored_name(name) && exists_at(*dir, name + "/vdir"))
      out.push_back(std::move(name));
  }
  return out;
}

Status write_entry(const std::string& name, const std::string& entry, const std::string& text) {
  std::string const path = fmt::format("{}/{}", config_dir(name), entry);
  auto const slash = path.rfind('/');
  VS_TRY(make_dirs(path.substr(0, slash)));
  Fd const dir = VS_TRY(open_path(path.substr(0, slash), O_RDONLY | O_DIRECTORY));
  return replace_file_at(dir, path.substr(slash + 1), text + "\n", 0644, true);
}

}  // namespace vs
