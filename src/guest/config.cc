// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/config.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/log.h"
#include "base/text.h"
#include "context/capability.h"
#include "guest/paths.h"
#include "sys/file.h"

namespace vs {

namespace {

struct Resource {
  std::string_view name;
  int id;
};

constexpr std::array kResources{
    Resource{"as", RLIMIT_AS},           Resource{"core", RLIMIT_CORE},
    Resource{"cpu", RLIMIT_CPU},         Resource{"data", RLIMIT_DATA},
    Resource{"fsize", RLIMIT_FSIZE},     Resource{"locks", RLIMIT_LOCKS},
    Resource{"memlock", RLIMIT_MEMLOCK}, Resource{"nofile", RLIMIT_NOFILE},
    Resource{"nproc", RLIMIT_NPROC},     Resource{"rss", RLIMIT_RSS},
    Resource{"stack", RLIMIT_STACK},
};

// Entries that are read below; any other one in the tree is reported at start.
constexpr std::array<std::string_view, 20> kApplied{
    "vdir",    "name", "context", "ncontext", "run",          "cache",       "userns",
    "seccomp", "uts",  "apps",    "fstab",    "fstab.remote", "fstab.local", "bcapabilities",
    "ulimits", "nice", "flags",   "cflags",   "interfaces",   "net"};
constexpr std::array<std::string_view, 3> kAlsoApplied{"disabled", "shell", "quickstart"};

// One guest's directory; every value names its file when it is wrong.
class Reader {
 public:
  explicit Reader(Fd dir, std::string path) : dir_{std::move(dir)}, path_{std::move(path)} {}

  [[nodiscard]] bool has(const std::string& entry) const {
    return ::faccessat(dir_.get(), entry.c_str(), F_OK, 0) == 0;
  }

  // The whole of a file; empty when it is not there.
  [[nodiscard]] Result<std::string> raw(const std::string& entry) const {
    auto text = read_file_at(dir_, entry, Resolve::Free, 1U << 20U);
    if (text) return text;
    if (text.error().sys() == ENOENT || text.error().sys() == ENOTDIR) return std::string{};
    return std::move(text).error().context(path_).with_code(Errc::Config);
  }

  // First line without blanks around it.
  [[nodiscard]] Result<std::string> scalar(const std::string& entry) const {
    return std::string{trim(first_line(VS_TRY(raw(entry))))};
  }

  // Lines without blank ones and comments.
  [[nodiscard]] Result<std::vector<std::string>> lines(const std::string& entry) const {
    std::vector<std::string> out;
    auto const text = VS_TRY(raw(entry));
    for (auto const line : split_lines(text)) {
      auto const item = trim(line);
      if (!item.empty() && item[0] != '#') out.emplace_back(item);
    }
    return out;
  }

  [[nodiscard]] Result<std::optional<std::int64_t>> number(const std::string& entry) const {
    auto const text = VS_TRY(scalar(entry));
    if (text.empty()) return std::optional<std::int64_t>{};
    auto const n = parse_base0(text);
    if (!n) return wrong(entry, fmt::format("'{}' is not a number", text));
    return n;
  }

  [[nodiscard]] Error wrong(const std::string& entry, std::string_view why) const {
    return Error::make(Errc::Config, "{}/{}: {}", path_, entry, why);
  }

  [[nodiscard]] Result<std::vector<std::string>> children(const std::string& entry) const {
    auto const dir = open_at(dir_, entry, O_RDONLY | O_DIRECTORY, Resolve::Free);
    if (!dir) return std::vector<std::string>{};
    auto names = VS_TRY(list_dir(*dir));
    std::erase_if(names, [](const std::string& n) { return n[0] == '.' || n.ends_with('~'); });
    return names;
  }

  [[nodiscard]] bool is_dir(const std::string& entry) const {
    return open_at(dir_, entry, O_PATH | O_DIRECTORY, Resolve::Free).has_value();
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  Fd dir_;
  std::string path_;
};

Result<bool> switch_of(const Reader& in, const std::string& entry, bool fallback) {
  auto const text = VS_TRY(in.scalar(entry));
  if (text.empty()) return fallback;
  if (text == "on" || text == "yes" || text == "1" || text == "true") return true;
  if (text == "off" || text == "no" || text == "0" || text == "false") return false;
  return in.wrong(entry, fmt::format("'{}' is neither on nor off", text));
}

Status read_identity(const Reader& in, GuestConfig& out) {
  auto const xid = VS_TRY(in.scalar("context"));
  if (!xid.empty()) {
    auto parsed = Xid::parse(xid);
    if (!parsed) return std::move(parsed).error().context(in.path() + "/context");
    out.xid = *parsed;
  }
  out.userns = VS_TRY(switch_of(in, "userns", true));
  out.seccomp = VS_TRY(switch_of(in, "seccomp", true));
  out.nodename = std::string{trim(VS_TRY(in.raw("uts/nodename")))};
  if (out.nodename.empty()) out.nodename = out.name;
  if (out.nodename.size() > 64)
    return in.wrong("uts/nodename", "a host name has at most 64 characters");
  out.domainname = std::string{trim(VS_TRY(in.raw("uts/domainname")))};
  out.flags = join(VS_TRY(in.lines(in.has("cflags") ? "cflags" : "flags")), ",");
  auto const caps = bounding_set(out.userns, VS_TRY(in.lines("bcapabilities")));
  if (!caps) return Error{caps.error()}.context(in.path() + "/bcapabilities");
  out.capabilities = *caps;
  return {};
}

Status read_init(const Reader& in, GuestConfig& out) {
  auto const style = VS_TRY(in.scalar("apps/init/style"));
  if (!style.empty() && style != "plain")
    return in.wrong("apps/init/style",
                    fmt::format("init style '{}' is not built yet; 'plain' is", style));
  out.init = VS_TRY(in.lines("apps/init/cmd.start"));
  if (out.init.empty()) {
    out.init.emplace_back("/sbin/init");
    auto const level = VS_TRY(in.scalar("apps/init/runlevel"));
    if (!level.empty()) out.init.push_back(level);
  }
  out.environment = VS_TRY(in.lines("apps/init/environment"));
  if (out.environment.empty())
    out.environment.emplace_back(
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
  out.nice = static_cast<int>(VS_TRY(in.number("nice")).value_or(0));
  if (out.nice < -20 || out.nice > 19) return in.wrong("nice", "must be between -20 and 19");
  auto const timeout = VS_TRY(in.number("apps/vshelper/sync-timeout")).value_or(30);
  if (timeout < 0 || timeout > 3600)
    return in.wrong("apps/vshelper/sync-timeout", "must be between 0 and 3600 seconds");
  out.stop_timeout_s = static_cast<int>(timeout);
  return {};
}

Result<std::uint64_t> limit_value(const Reader& in, const std::string& entry,
                                  std::string_view text) {
  if (text.starts_with("inf")) return std::uint64_t{RLIM_INFINITY};
  std::uint64_t factor = 1;
  if (text.ends_with('k')) factor = 1000;
  if (text.ends_with('K')) factor = 1024;
  if (text.ends_with('m')) factor = 1000000;
  if (text.ends_with('M')) factor = 1048576;
  if (factor != 1) text.remove_suffix(1);
  auto const n = parse_base0(text);
  if (!n || *n < 0)
    return in.wrong(entry,
                    fmt::format("'{}' is not a limit (a number with k, K, m or M, or inf)", text));
  return static_cast<std::uint64_t>(*n) * factor;
}

Status read_limits(const Reader& in, GuestConfig& out) {
  for (auto const& resource : kResources) {
    std::string const base = fmt::format("ulimits/{}", resource.name);
    auto const both = VS_TRY(in.scalar(base));
    auto const soft = VS_TRY(in.scalar(base + ".soft"));
    auto const hard = VS_TRY(in.scalar(base + ".hard"));
    if (both.empty() && soft.empty() && hard.empty()) continue;
    LimitEntry limit{resource.id, RLIM_INFINITY, RLIM_INFINITY};
    if (!both.empty()) limit.soft = limit.hard = VS_TRY(limit_value(in, base, both));
    if (!hard.empty()) limit.hard = VS_TRY(limit_value(in, base + ".hard", hard));
    if (!soft.empty()) limit.soft = VS_TRY(limit_value(in, base + ".soft", soft));
    limit.soft = std::min(limit.soft, limit.hard);
    out.limits.push_back(limit);
  }
  return {};
}

Status read_network(const Reader& in, GuestConfig& out) {
  auto const mode = VS_TRY(in.scalar("net/mode"));
  if (mode == "host") {
    out.net = NetMode::Host;
  } else if (!mode.empty() && mode != "private") {
    return in.wrong("net/mode", fmt::format("'{}' is not a network mode: private or host", mode));
  }
  auto const fallback = [&in](const std::string& entry,
                              const std::string& own) -> Result<std::string> {
    return own.empty() ? in.scalar("interfaces/" + entry) : Result<std::string>{own};
  };
  for (auto const& dir : VS_TRY(in.children("interfaces"))) {
    std::string const base = "interfaces/" + dir;
    if (!in.is_dir(base) || in.has(base + "/disabled")) continue;
    InterfaceEntry entry;
    entry.dir = base;
    entry.ip = VS_TRY(in.scalar(base + "/ip"));
    entry.dev = VS_TRY(fallback("dev", VS_TRY(in.scalar(base + "/dev"))));
    entry.prefix = VS_TRY(fallback("prefix", VS_TRY(in.scalar(base + "/prefix"))));
    entry.mask = VS_TRY(fallback("mask", VS_TRY(in.scalar(base + "/mask"))));
    entry.bcast = VS_TRY(fallback("bcast", VS_TRY(in.scalar(base + "/bcast"))));
    entry.name = VS_TRY(in.scalar(base + "/name"));
    entry.nodev = in.has(base + "/nodev") || in.has(base + "/only_ip");
    entry.down = in.has(base + "/down");
    if (entry.ip.empty()) return in.wrong(base + "/ip", "an interface needs an address");
    out.interfaces.push_back(std::move(entry));
  }
  return {};
}

Status read_rest(const Reader& in, GuestConfig& out) {
  out.fstab = VS_TRY(in.raw("fstab"));
  auto const local = VS_TRY(in.raw("fstab.local"));
  if (!local.empty()) {
    warn("{}/fstab.local is deprecated: use fstab", in.path());
    out.fstab += "\n" + local;
  }
  out.fstab_remote = VS_TRY(in.raw("fstab.remote"));
  for (auto const& entry : VS_TRY(in.children("."))) {
    bool const known =
        std::find(kApplied.begin(), kApplied.end(), entry) != kApplied.end() ||
        std::find(kAlsoApplied.begin(), kAlsoApplied.end(), entry) != kAlsoApplied.end();
    if (!known) out.not_applied.push_back(entry);
  }
  return {};
}

}  // namespace

Result<GuestConfig> load_config(const std::string& name) {
  VS_TRY(check_name(name));
  std::string const path = fmt::format("{}/{}", Paths::get().conf, name);
  auto dir = open_path(path, O_RDONLY | O_DIRECTORY);
  if (!dir || !exists(path + "/vdir"))
    return Error::make(Errc::NotFound, "guest '{}' does not exist (looked for {}/vdir)", name, path)
        .hint(fmt::format(
            "check the spelling ('vserver-stat' lists guests), or make it: vserver {} build --help",
            name));
  GuestConfig out;
  out.name = name;
  char* real = ::realpath((path + "/vdir").c_str(), nullptr);
  if (real == nullptr) return Error::system(errno, "{}/vdir", path);
  out.vdir = real;
  std::free(real);
  Reader const in{std::move(*dir), path};
  VS_TRY(read_identity(in, out));
  VS_TRY(read_init(in, out));
  VS_TRY(read_limits(in, out));
  VS_TRY(read_network(in, out));
  VS_TRY(read_rest(in, out));
  return out;
}

Result<std::vector<std::string>> list_guests() {
  auto const dir = open_path(Paths::get().conf, O_RDONLY | O_DIRECTORY);
  if (!dir) return std::vector<std::string>{};
  std::vector<std::string> out;
  for (auto& name : VS_TRY(list_dir(*dir))) {
    if (name[0] != '.' && exists(fmt::format("{}/{}/vdir", Paths::get().conf, name)))
      out.push_back(std::move(name));
  }
  return out;
}

Status write_entry(const std::string& name, const std::string& entry, const std::string& text) {
  std::string const path = fmt::format("{}/{}/{}", Paths::get().conf, name, entry);
  auto const slash = path.rfind('/');
  VS_TRY(make_dirs(path.substr(0, slash)));
  Fd const dir = VS_TRY(open_path(path.substr(0, slash), O_RDONLY | O_DIRECTORY));
  return replace_file_at(dir, path.substr(slash + 1), text + "\n", 0644, true);
}

}  // namespace vs
