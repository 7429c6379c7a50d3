// SPDX-License-Identifier: GPL-2.0-or-later
#include "limit/setting.h"

#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <vector>

#include "base/text.h"
#include "sys/process.h"

namespace vs {

namespace {

constexpr std::uint64_t kPeriodUs = 100'000;

// "50%" of one processor, "250%" of two and a half; max.
Result<std::string> cpu_text(std::string_view value) {
  auto text = trim(value);
  if (text == "max" || text == "inf") return fmt::format("max {}", kPeriodUs);
  bool const percent = text.ends_with('%');
  if (percent) text.remove_suffix(1);
  // parse_amount knows decimals; thousandths of a percent are 1 us of the period.
  auto const share = percent ? parse_amount(fmt::format("{}K", text)) : parse_amount("");
  if (!share || *share == 0 || *share > (1U << 30U)) {
    return Error::make(Errc::Usage, "'{}' is not a share of processors", value)
        .hint("50% is half of one processor, 250% two and a half; max is no limit");
  }
  auto const quota = (*share * kPeriodUs / 100 + 512) / 1024;
  if (quota < 1000)
    return Error::make(Errc::Usage, "'{}' is less than the kernel can give (1%)", value);
  return fmt::format("{} {}", quota, kPeriodUs);
}

Result<std::string> weight_text(std::string_view value) {
  auto const weight = parse_decimal(trim(value));
  if (!weight || *weight < 1 || *weight > 10'000)
    return Error::make(Errc::Usage, "'{}' is not a weight from 1 to 10000", value);
  return std::to_string(*weight);
}

Result<std::string> list_text(std::string_view value) {
  if (auto const n = count_cpus(value); !n) return Error{n.error()}.with_code(Errc::Usage);
  return std::string{trim(value)};
}

Result<std::string> duration_text(std::string_view value) {
  auto const us = parse_decimal(trim(value));
  if (!us) return Error::make(Errc::Usage, "'{}' is not a number of microseconds", value);
  return std::to_string(*us);
}

Result<std::string> device_of(std::string_view text) {
  if (!text.starts_with('/')) return std::string{text};
  struct stat st {};
  std::string const path{text};
  if (::stat(path.c_str(), &st) != 0) return Error::system(errno, "device {}", path);
  if (!S_ISBLK(st.st_mode)) {
    return Error::make(Errc::Usage, "{} is not a block device", path)
        .hint("limits of I/O belong to the disk: 'lsblk' names it");
  }
  return fmt::format("{}:{}", ::major(st.st_rdev), ::minor(st.st_rdev));
}

// "/dev/sda rbps=10M wiops=100"
Result<std::string> io_text(std::string_view value) {
  auto const words = split_words(value);
  auto const wrong = [&] {
    return Error::make(Errc::Usage, "'{}' is not a limit of I/O", value)
        .hint("for example: set io-max '/dev/sda rbps=10M wbps=10M wiops=100'");
  };
  if (words.size() < 2) return wrong();
  std::string out = VS_TRY(device_of(words[0]));
  for (std::size_t i = 1; i < words.size(); ++i) {
    auto const equals = words[i].find('=');
    auto const key = words[i].substr(0, equals);
    if (equals == std::string_view::npos ||
        (key != "rbps" && key != "wbps" && key != "riops" && key != "wiops"))
      return wrong();
    auto const amount = VS_TRY(parse_amount(words[i].substr(equals + 1)));
    out += amount == kUnlimited ? fmt::format(" {}=max", key) : fmt::format(" {}={}", key, amount);
  }
  return out;
}

constexpr auto kSettings = std::to_array<Setting>({
    {"cpu", "cpu.max", "PERCENT", "processor time: 100% is one processor", cpu_text},
    {"cpu-burst", "cpu.max.burst", "MICROSECONDS", "unused processor time that may be saved up",
     duration_text},
    {"cpu-weight", "cpu.weight", "1-10000", "share when processors are short; 100 is usual",
     weight_text},
    {"cpus", "cpuset.cpus", "LIST", "processors it may run on: 0-3,8", list_text},
    {"mems", "cpuset.mems", "LIST", "memory nodes it may use", list_text},
    {"io-weight", "io.weight", "1-10000", "share when disks are busy; 100 is usual", weight_text},
    {"io-max", "io.max", "'DEVICE rbps=N wbps=N riops=N wiops=N'", "bytes and requests per second",
     io_text},
});

Result<WantedLimit> want_resource(const Resource& resource, LimitKind kind, std::string_view value,
                                  std::uint64_t whole_memory) {
  WantedLimit out;
  out.entry = resource.id < 0 ? fmt::format("cgroup/{}", knob_of(resource, kind))
                              : fmt::format("rlimits/{}.{}", resource.name, kind_name(kind));
  if (resource.holder == Holder::Nothing)
    return Error::make(Errc::Unsupported, "{} cannot be limited: {}", resource.name, resource.note);
  if (knob_of(resource, kind).empty())
    return Error::make(Errc::Unsupported, "{} has no {} limit", resource.name, kind_name(kind));
  bool const memory = resource.unit == Unit::Pages || resource.unit == Unit::Bytes;
  auto const amount = VS_TRY(parse_amount(value, memory ? whole_memory : 0));
  out.limit = LimitSetting{&resource, kind, amount, out.entry};
  auto const unit = resource.id < 0 ? 1 : unit_size(resource.unit);
  out.entry_text =
      amount == kUnlimited ? (resource.id < 0 ? "max" : "inf") : std::to_string(amount / unit);
  return out;
}

}  // namespace

std::span<const Setting> settings() {
  return kSettings;
}

const Setting* find_setting(std::string_view name) {
  auto const lower = to_lower(name);
  auto const* found = std::find_if(kSettings.begin(), kSettings.end(),
                                   [&](const Setting& s) { return s.name == lower; });
  return found != kSettings.end() ? found : nullptr;
}

Result<WantedLimit> parse_wanted(std::string_view name, std::string_view value,
                                 std::uint64_t whole_memory) {
  if (const Setting* setting = find_setting(name)) {
    WantedLimit out;
    out.knob = setting->knob;
    out.text = VS_TRY(setting->to_text(value), "{}", name);
    out.entry = fmt::format("cgroup/{}", setting->knob);
    out.entry_text = out.text;
    return out;
  }
  LimitKind kind = LimitKind::Hard;
  std::string_view base = name;
  for (auto const one : {LimitKind::Min, LimitKind::Soft, LimitKind::Hard}) {
    auto const suffix = fmt::format(".{}", kind_name(one));
    if (!name.ends_with(suffix)) continue;
    kind = one;
    base.remove_suffix(suffix.size());
  }
  if (const Resource* resource = find_resource(base))
    return VS_TRY(want_resource(*resource, kind, value, whole_memory), "{}", name);
  std::vector<std::string_view> names;
  names.reserve(std::size(kSettings) + resources().size());
  for (auto const& setting : kSettings)
    names.push_back(setting.name);
  for (auto const& resource : resources()) {
    names.push_back(resource.name);
    if (!resource.alias.empty()) names.push_back(resource.alias);
  }
  auto error = Error::make(Errc::Usage, "'{}' is nothing that can be limited", name);
  if (auto const near = nearest(name, names))
    return std::move(error).hint(fmt::format("did you mean '{}'?", *near));
  return std::move(error).hint("'vserver set --help' names all limits");
}

std::vector<std::pair<std::string, std::string>> default_limits(std::uint64_t whole_memory) {
  auto const pages = whole_memory / unit_size(Unit::Pages);
  // More than our own hard limit cannot be given where the host's root lacks CAP_SYS_RESOURCE.
  constexpr rlim_t kFiles = 65536;
  rlimit own{kFiles, kFiles};
  if (!has_capability(CAP_SYS_RESOURCE)) ::getrlimit(RLIMIT_NOFILE, &own);
  auto const files = std::min(kFiles, own.rlim_max);
  return {{"rlimits/nproc.hard", "4096"},
          {"rlimits/rss.hard", std::to_string(pages - pages / 5)},
          {"ulimits/nofile.soft", std::to_string(std::min<rlim_t>(1024, files))},
          {"ulimits/nofile.hard", std::to_string(files)}};
}

}  // namespace vs
