// SPDX-License-Identifier: GPL-2.0-or-later
#include "rootfs/tree_plan.h"

#include <mntent.h>

#include <algorithm>
#include <array>
#include <cstdio>
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

// Parts of /proc and /sys that speak of the machine and not of the guest.
constexpr std::array<std::string_view, 25> kMasked{
    "/proc/acpi",          "/proc/asound",   "/proc/bus",           "/proc/config.gz",
    "/proc/driver",        "/proc/iomem",    "/proc/ioports",       "/proc/irq",
    "/proc/kallsyms",      "/proc/kcore",    "/proc/keys",          "/proc/kmsg",
    "/proc/latency_stats", "/proc/mtrr",     "/proc/partitions",    "/proc/sched_debug",
    "/proc/scsi",          "/proc/slabinfo", "/proc/sysrq-trigger", "/proc/timer_list",
    "/proc/vmallocinfo",   "/sys/firmware",  "/sys/kernel/debug",   "/sys/kernel/security",
    "/sys/kernel/tracing"};

constexpr std::array<std::string_view, 3> kReadOnly{"/proc/fs", "/proc/pressure",
                                                    "/proc/sys/kernel/core_pattern"};

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
    if (split_words(text).size() < 3)
      return Error::make(Errc::Config, "{}: a line has at least source, mount point and type",
                         position);
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

Options sort_options(const std::string& text) {
  constexpr std::array<std::string_view, 14> kIgnored{
      "defaults", "rw",   "auto", "user", "users", "nouser",  "owner",
      "relatime", "suid", "dev",  "exec", "async", "_netdev", "nofail"};
  Options out;
  for (auto const item : split(text, ',')) {
    if (item == "bind" || item == "rbind") {
      out.bind = true;
      if (item == "rbind") out.letters.push_back('R');
    } else if (item == "ro") {
      out.letters.push_back('r');
    } else if (item == "nosuid") {
      out.letters.push_back('s');
    } else if (item == "noexec") {
      out.letters.push_back('x');
    } else if (item == "idmap" || item == "X-mount.idmap") {
      out.letters.push_back('i');
    } else if (item == "noauto") {
      out.skip = true;
    } else if (item != "nodev" &&
               std::find(kIgnored.begin(), kIgnored.end(), item) == kIgnored.end()) {
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

bool is_ours(const Entry& entry) {
  constexpr std::array<std::string_view, 6> kMadeAnyway{"/",    "/proc",    "/sys",
                                                        "/dev", "/dev/pts", "/dev/shm"};
  return std::find(kMadeAnyway.begin(), kMadeAnyway.end(), entry.target) != kMadeAnyway.end() ||
         entry.type == "swap";
}

Result<std::vector<TreeOp>> plan_fstab(const TreeConfig& config, const Fstab& fstab) {
  std::vector<TreeOp> ops;
  for (auto const& entry : VS_TRY(parse_fstab(fstab))) {
    if (is_ours(entry)) continue;
    if (!entry.target.starts_with('/'))
      return Error::make(Errc::Config,
                         "{}: mount point '{}' is not an absolute path inside the guest",
                         entry.position, entry.target);
    auto options = sort_options(entry.options);
    if (options.skip) continue;
    if (options.bind || entry.type == "bind") {
      if (!entry.source.starts_with('/'))
        return Error::make(Errc::Config, "{}: bind source '{}' is not an absolute path of the host",
                           entry.position, entry.source);
      ops.push_back({"b", entry.target, entry.source, options.letters});
    } else if (entry.type == "tmpfs") {
      // What the host's root mounts belongs to the host's root: give it to the guest's.
      for (const char* id : {"uid", "gid"}) {
        if (!has_option(options, id))
          options.remaining.push_back(fmt::format("{}={}", id, config.base_id));
      }
      ops.push_back({"t", entry.target, join(options.remaining, ","), options.letters});
    } else {
      ops.push_back(
          {"f", entry.target,
           fmt::format("{},{},{}", entry.type, entry.source, join(options.remaining, ",")),
           options.letters + (config.base_id != 0 ? "i" : "")});
    }
  }
  return ops;
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
  ops.push_back({"t", "/dev", "mode=755,size=4m,nr_inodes=4096," + owner, "xDL"});
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
  ops.push_back({"t", "/run", "mode=755," + owner, "L"});
  for (auto const path : kMasked)
    ops.push_back({"m", std::string{path}, "", ""});
  for (auto const path : kReadOnly)
    ops.push_back({"r", std::string{path}, "", ""});
  if (config.classic) ops.push_back({"r", "/proc/sys", "", ""});
  for (auto const& fstab : config.fstabs) {
    for (auto& op : VS_TRY(plan_fstab(config, fstab)))
      ops.push_back(std::move(op));
  }
  return ops;
}

}  // namespace vs
