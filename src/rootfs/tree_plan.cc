// SPDX-License-Identifier: GPL-2.0-or-later
#include "rootfs/tree_plan.h"

#include <mntent.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <iterator>
#include <memory>

#include "base/text.h"

namespace vs {

namespace {

// Device nodes of a guest, as the original's minimal /dev.
constexpr std::array<std::array<std::string_view, 3>, 7> kNodes{{{"/dev/null", "1:3", "666"},
                                                                 {"/dev/zero", "1:5", "666"},
                                                                 {"/dev/full", "1:7", "666"},
                                                                 {"/dev/random", "1:8", "666"},
                                                                 {"/dev/urandom", "1:9", "666"},
                                                                 {"/dev/tty", "5:0", "666"},
                                                                 {"/dev/ptmx", "5:2", "666"}}};

// Parts of /proc and /sys that speak of the machine and not of the guest. What only the host's root
// may open is no danger to a guest with a user namespace and is left alone there.
constexpr std::array kMasked{
    "/proc/acpi",          "/proc/asound",      "/proc/bus",
    "/proc/cmdline",       "/proc/config.gz",   "/proc/driver",
    "/proc/interrupts",    "/proc/iomem",       "/proc/ioports",
    "/proc/irq",           "/proc/kallsyms",    "/proc/kcore",
    "/proc/keys",          "/proc/kmsg",        "/proc/mtrr",
    "/proc/latency_stats", "/proc/partitions",  "/proc/sched_debug",
    "/proc/scsi",          "/proc/slabinfo",    "/proc/sysrq-trigger",
    "/proc/timer_list",    "/proc/vmallocinfo", "/sys/devices/virtual/powercap",
    "/sys/firmware"};
constexpr std::array kMaskedClassic{"/proc/allocinfo",    "/proc/bootconfig", "/proc/dynamic_debug",
                                    "/proc/kpagecgroup",  "/proc/kpagecount", "/proc/kpageflags",
                                    "/proc/pagetypeinfo", "/proc/vmcore"};

constexpr std::array kReadOnly{"/proc/fs", "/proc/pressure"};
constexpr std::array kReadOnlyClassic{"/proc/sys"};

struct CloseFile {
  void operator()(FILE* file) const noexcept { std::fclose(file); }
};

struct Entry {
  std::string source, target, type, options;
  std::string position;  // FILE:LINE
};

// fstab(5), each line by the C library's own reader.
Result<std::vector<Entry>> parse_fstab(const Fstab& fstab) {
  std::vector<Entry> out;
  int number = 0;
  for (auto const line : split_lines(fstab.text)) {
    ++number;
    std::string text{trim(line)};
    if (text.empty() || text[0] == '#') continue;
    std::string const position = fmt::format("{}:{}", fstab.file, number);
    if (split_words(text).size() < 3) {
      return Error::make(Errc::Config, "{}: a line has at least source, mount point and type",
                         position);
    }
    std::unique_ptr<FILE, CloseFile> const file{::fmemopen(text.data(), text.size(), "r")};
    mntent entry{};
    std::array<char, 8192> buffer{};
    if (!file || ::getmntent_r(file.get(), &entry, buffer.data(), buffer.size()) == nullptr)
      return Error::make(Errc::Config, "{}: not an entry of an fstab", position);
    out.push_back({entry.mnt_fsname, entry.mnt_dir, entry.mnt_type, entry.mnt_opts, position});
  }
  return out;
}

struct Options {
  std::string letters;                 // mount attributes in the helper's letters
  std::vector<std::string> remaining;  // for the file system itself
  bool bind = false;
  bool skip = false;
};

struct OptionRow {
  std::string_view name;
  std::string_view letters;  // of the helper
};

constexpr std::array kOptions{
    OptionRow{"bind", ""},     OptionRow{"rbind", "R"},      OptionRow{"ro", "r"},
    OptionRow{"nosuid", "s"},  OptionRow{"noexec", "x"},     OptionRow{"dev", "D"},
    OptionRow{"noatime", "a"}, OptionRow{"nodiratime", "A"}, OptionRow{"nosymfollow", "y"},
    OptionRow{"users", "sx"},  OptionRow{"idmap", "i"},      OptionRow{"X-mount.idmap", "i"},
    OptionRow{"nodev", ""},    OptionRow{"defaults", ""},    OptionRow{"rw", ""},
    OptionRow{"auto", ""},     OptionRow{"noauto", ""},      OptionRow{"user", ""},
    OptionRow{"nouser", ""},   OptionRow{"owner", ""},       OptionRow{"relatime", ""},
    OptionRow{"atime", ""},    OptionRow{"diratime", ""},    OptionRow{"suid", ""},
    OptionRow{"exec", ""},     OptionRow{"async", ""},       OptionRow{"_netdev", ""},
    OptionRow{"nofail", ""},   OptionRow{"nomtab", ""},      OptionRow{"private", ""},
    OptionRow{"rec", ""}};
// What a mount of a guest cannot be: it is new, and no peer of anything of the host.
constexpr std::array<std::string_view, 8> kRefusedOptions{
    "move", "remount", "shared", "rshared", "slave", "rslave", "unbindable", "runbindable"};

Result<Options> sort_options(const Entry& entry) {
  Options out;
  for (auto const item : split(entry.options, ',')) {
    if (item.empty() || item.starts_with("x-") || item.starts_with("comment=")) continue;
    if (std::find(kRefusedOptions.begin(), kRefusedOptions.end(), item) != kRefusedOptions.end()) {
      return Error::make(Errc::Config, "{}: option '{}' does not work for a guest's mounts",
                         entry.position, item);
    }
    out.bind = out.bind || item == "bind" || item == "rbind";
    out.skip = out.skip || item == "noauto";
    auto const row = std::find_if(kOptions.begin(), kOptions.end(),
                                  [&](const OptionRow& r) { return r.name == item; });
    if (row != kOptions.end()) {
      out.letters += row->letters;
    } else {
      out.remaining.emplace_back(item);
    }
  }
  return out;
}

bool has_option(const Options& options, std::string_view name) {
  return std::any_of(options.remaining.begin(), options.remaining.end(),
                     [&](const std::string& item) {
                       return std::string_view{item}.starts_with(name) &&
                              (item.size() == name.size() || item[name.size()] == '=');
                     });
}

// The path without doubled slashes, "." and a slash at its end; links are the kernel's to follow.
std::string tidy_path(std::string_view path) {
  std::string out;
  for (auto const part : split(path, '/')) {
    if (part.empty() || part == ".") continue;
    out.append("/").append(part);
  }
  return out.empty() ? "/" : out;
}

bool is_ours(const Entry& entry) {
  constexpr std::array<std::string_view, 8> kMadeAnyway{
      "/", "/proc", "/sys", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue", "/sys/fs/cgroup"};
  return std::find(kMadeAnyway.begin(), kMadeAnyway.end(), entry.target) != kMadeAnyway.end() ||
         entry.type == "swap";
}

// These show whose namespaces they are mounted in, and that would be the host's.
bool shows_the_host(const Entry& entry) {
  constexpr std::array<std::string_view, 4> kTypes{"cgroup", "cgroup2", "devtmpfs", "mqueue"};
  return std::find(kTypes.begin(), kTypes.end(), entry.type) != kTypes.end();
}

Status check_entry(const Entry& entry, const Options& options) {
  if (!options.bind && shows_the_host(entry)) {
    return Error::make(Errc::Config, "{}: a file system of type {} would show the host's",
                       entry.position, entry.type)
        .hint("remove the line: the guest mounts its own inside");
  }
  if (!options.bind) return {};
  if (!entry.source.starts_with('/')) {
    return Error::make(Errc::Config, "{}: bind source '{}' is not an absolute path of the host",
                       entry.position, entry.source);
  }
  if (!options.remaining.empty()) {
    return Error::make(Errc::Config, "{}: option '{}' means nothing to a bind mount",
                       entry.position, options.remaining[0]);
  }
  return {};
}

// One entry; a mount that fails is a warning at start, as it always was.
TreeOp plan_entry(const TreeConfig& config, const Entry& entry, Options options) {
  if (entry.type == "proc" || entry.type == "sysfs") {
    // The guest's own once more, with its masks: a new one would be the host's.
    return {"c?", entry.target, entry.type == "proc" ? "/proc" : "/sys", options.letters};
  }
  if (options.bind) return {"b?", entry.target, entry.source, options.letters};
  if (entry.type == "tmpfs") {
    // What the host's root mounts belongs to the host's root: give it to the guest's.
    for (const char* id : {"uid", "gid"}) {
      if (!has_option(options, id))
        options.remaining.push_back(fmt::format("{}={}", id, config.base_id));
    }
    return {"t?", entry.target, join(options.remaining, ","), options.letters};
  }
  return {"f?", entry.target,
          fmt::format("{},{},{}", entry.type, entry.source, join(options.remaining, ",")),
          options.letters + (config.base_id != 0 ? "i" : "")};
}

// `late` are the mounts that need the guest's network.
Status plan_fstab(const TreeConfig& config, const Fstab& fstab, std::vector<TreeOp>& ops,
                  std::vector<TreeOp>& late) {
  for (auto& entry : VS_TRY(parse_fstab(fstab))) {
    if (!entry.target.starts_with('/')) {
      return Error::make(Errc::Config,
                         "{}: mount point '{}' is not an absolute path inside the guest",
                         entry.position, entry.target);
    }
    entry.target = tidy_path(entry.target);
    if (is_ours(entry)) continue;
    auto options = VS_TRY(sort_options(entry));
    if (options.skip) continue;
    options.bind = options.bind || entry.type == "bind";
    VS_TRY(check_entry(entry, options));
    auto op = plan_entry(config, entry, std::move(options));
    // The sources of binds are paths of the host, which are out of sight later.
    bool const in_network = fstab.in_network && op[0] == "f?";
    if (in_network) op[0] += '@';
    (in_network ? late : ops).push_back(std::move(op));
  }
  return {};
}

}  // namespace

Result<std::vector<TreeOp>> plan_tree(const TreeConfig& config) {
  std::string const owner = fmt::format("uid={0},gid={0}", config.base_id);
  std::vector<TreeOp> ops;
  ops.push_back({"d?", "/proc", "555", ""});
  ops.push_back({"d?", "/sys", "555", ""});
  ops.push_back({"d?", "/dev", "755", ""});
  ops.push_back({"d?", "/run", "755", ""});
  ops.push_back({"p", "/proc", "", ""});
  if (config.sysfs) ops.push_back({"s", "/sys", "", ""});
  ops.push_back({"t", "/dev", "mode=755,size=4m,nr_inodes=4096," + owner, "sxDL"});
  for (auto const& node : kNodes)
    ops.push_back({"n", std::string{node[0]}, std::string{node[1]}, std::string{node[2]}});
  ops.push_back({"n", "/dev/console", "1:3", "600"});  // covered by the guest's own terminal
  ops.push_back({"l", "/dev/fd", "/proc/self/fd", ""});
  ops.push_back({"l", "/dev/stdin", "fd/0", ""});
  ops.push_back({"l", "/dev/stdout", "fd/1", ""});
  ops.push_back({"l", "/dev/stderr", "fd/2", ""});
  ops.push_back({"d", "/dev/shm", "1777", ""});
  ops.push_back({"d", "/dev/pts", "755", ""});
  ops.push_back({"d", "/dev/mqueue", "755", ""});
  ops.push_back({"t", "/run", "mode=755," + owner, "sL"});
  auto const add_all = [&ops](const char* kind, const auto& paths) {
    for (auto const* path : paths)
      ops.push_back({kind, path, "", ""});
  };
  add_all("m", kMasked);
  add_all("r", kReadOnly);
  if (config.classic) add_all("m", kMaskedClassic);
  if (config.classic) add_all("r", kReadOnlyClassic);
  std::vector<TreeOp> late;
  for (auto const& fstab : config.fstabs)
    VS_TRY(plan_fstab(config, fstab, ops, late));
  std::move(late.begin(), late.end(), std::back_inserter(ops));
  return ops;
}

std::vector<std::string> hidden_paths() {
  std::vector<std::string> out{kMasked.begin(), kMasked.end()};
  out.insert(out.end(), kMaskedClassic.begin(), kMaskedClassic.end());
  return out;
}

std::vector<std::string> read_only_paths() {
  std::vector<std::string> out{kReadOnly.begin(), kReadOnly.end()};
  out.insert(out.end(), kReadOnlyClassic.begin(), kReadOnlyClassic.end());
  return out;
}

}  // namespace vs
