// SPDX-License-Identifier: GPL-2.0-or-later
#include "limit/resource.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/text.h"

namespace vs {

namespace {

constexpr std::string_view kPerProcess = "each process has it: ulimits/NAME";

// clang-format off
constexpr auto kResources = std::to_array<Resource>({
    {"cpu", "", 0, Unit::Seconds, Holder::Nothing, -1, "", "", "",
     "processor time is not used up by a guest; cgroup/cpu.max bounds its share, ulimits/cpu each process"},
    {"fsize", "", 1, Unit::Bytes, Holder::Nothing, -1, "", "", "", kPerProcess},
    {"data", "", 2, Unit::Bytes, Holder::Nothing, -1, "", "", "", kPerProcess},
    {"stack", "", 3, Unit::Bytes, Holder::Nothing, -1, "", "", "", kPerProcess},
    {"core", "", 4, Unit::Bytes, Holder::Nothing, -1, "", "", "", kPerProcess},
    {"rss", "memory", 5, Unit::Pages, Holder::Cgroup, -1, "memory.min", "memory.high", "memory.max",
     "all memory charged to the guest, page cache and kernel objects included; kills inside"},
    {"nproc", "pids", 6, Unit::Count, Holder::Cgroup, -1, "", "", "pids.max",
     "processes and threads; fork fails with EAGAIN"},
    {"nofile", "", 7, Unit::Count, Holder::EachProcess, RLIMIT_NOFILE, "", "rlimit", "rlimit",
     "open files of each process; their sum is bounded by nproc and rss (files are charged)"},
    {"memlock", "", 8, Unit::Pages, Holder::EachProcess, RLIMIT_MEMLOCK, "", "rlimit", "rlimit",
     "locked memory of each process; mlock fails with ENOMEM; rss bounds the sum"},
    {"as", "", 9, Unit::Pages, Holder::EachProcess, RLIMIT_AS, "", "rlimit", "rlimit",
     "address space of each process; malloc fails, nothing is killed"},
    {"locks", "", 10, Unit::Count, Holder::Nothing, -1, "", "", "",
     "kernels since 2.4.25 bound no file locks; rss does (they are charged)"},
    {"sigpending", "", 11, Unit::Count, Holder::UserNamespace, RLIMIT_SIGPENDING, "", "", "rlimit",
     "queued signals and timers"},
    {"msgqueue", "", 12, Unit::Bytes, Holder::UserNamespace, RLIMIT_MSGQUEUE, "", "", "rlimit",
     "bytes in POSIX message queues; mq_open fails with EMFILE"},
    {"nsock", "", 16, Unit::Count, Holder::Program, -1, "", "", "sockets",
     "IPv4 and IPv6 sockets, counted from the first limit on; socket fails with ENOBUFS"},
    {"openfd", "", 17, Unit::Count, Holder::EachProcess, RLIMIT_NOFILE, "", "rlimit", "rlimit",
     "descriptors of each process; their sum is bounded by nproc and rss"},
    {"anon", "", 18, Unit::Pages, Holder::Cgroup, -1, "", "", "memory.max",
     "as rss: page cache is given back before anonymous memory has to be"},
    {"shmem", "", 19, Unit::Pages, Holder::IpcNamespace, -1, "", "", "kernel.shmall",
     "System V shared memory; tmpfs is bounded by its size= and by rss"},
    {"semary", "", 20, Unit::Count, Holder::IpcNamespace, -1, "", "", "kernel.sem/3",
     "System V semaphore sets; semget fails with ENOSPC"},
    {"nsems", "", 21, Unit::Count, Holder::IpcNamespace, -1, "", "", "kernel.sem/1",
     "System V semaphores; semget fails with ENOSPC"},
    {"dentry", "", 22, Unit::Count, Holder::Nothing, -1, "", "", "",
     "names in the cache are charged to rss, which bounds them"},
    {"mapped", "", 23, Unit::Pages, Holder::Nothing, -1, "", "", "",
     "accounting only, as in the original; rss bounds it"},
    {"swap", "", -1, Unit::Bytes, Holder::Cgroup, -1, "", "memory.swap.high", "memory.swap.max",
     "memory written to swap"},
});
// clang-format on

std::optional<std::uint64_t> factor_of(char suffix) {
  switch (suffix) {
    case 'b': return 1;
    case 'k': return 1ULL << 10U;
    case 'm': return 1ULL << 20U;
    case 'g': return 1ULL << 30U;
    case 't': return 1ULL << 40U;
    default: return std::nullopt;
  }
}

// "12", "1.5": a number with at most three decimals, in thousandths.
std::optional<std::uint64_t> parse_thousandths(std::string_view text) {
  auto const dot = text.find('.');
  auto const whole = parse_decimal(text.substr(0, dot));
  if (!whole || *whole > kUnlimited / 1'000'000) return std::nullopt;
  if (dot == std::string_view::npos) return *whole * 1000;
  std::string decimals{text.substr(dot + 1)};
  if (decimals.empty() || decimals.size() > 3) return std::nullopt;
  decimals.resize(3, '0');
  auto const part = parse_decimal(decimals);
  if (!part) return std::nullopt;
  return *whole * 1000 + *part;
}

// thousandths * factor / 1000 without overflow, or nothing.
std::optional<std::uint64_t> scale(std::uint64_t thousandths, std::uint64_t factor) {
  std::uint64_t out = 0;
  if (__builtin_mul_overflow(thousandths / 1000, factor, &out)) return std::nullopt;
  if (__builtin_add_overflow(out, thousandths % 1000 * factor / 1000, &out)) return std::nullopt;
  return out;
}

}  // namespace

std::span<const Resource> resources() {
  return kResources;
}

const Resource* find_resource(std::string_view name) {
  auto const lower = to_lower(name);
  auto const* found = std::find_if(kResources.begin(), kResources.end(), [&](const Resource& r) {
    return r.name == lower || (!r.alias.empty() && r.alias == lower);
  });
  return found != kResources.end() ? found : nullptr;
}

const Resource* find_resource(int id) {
  auto const* found = std::find_if(kResources.begin(), kResources.end(),
                                   [&](const Resource& r) { return r.id == id && id >= 0; });
  return found != kResources.end() ? found : nullptr;
}

std::uint64_t unit_size(Unit unit) {
  return unit == Unit::Pages ? static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)) : 1;
}

std::string_view knob_of(const Resource& resource, LimitKind kind) {
  switch (kind) {
    case LimitKind::Min: return resource.min;
    case LimitKind::Soft: return resource.soft;
    case LimitKind::Hard: return resource.hard;
  }
  return {};
}

std::string_view kind_name(LimitKind kind) {
  switch (kind) {
    case LimitKind::Min: return "min";
    case LimitKind::Soft: return "soft";
    case LimitKind::Hard: return "hard";
  }
  return {};
}

Result<std::uint64_t> parse_amount(std::string_view text, std::uint64_t whole) {
  auto const lower = to_lower(trim(text));
  if (lower == "max" || lower == "none" || lower == "unlimited" || lower.starts_with("inf"))
    return kUnlimited;
  std::string_view number = lower;
  std::uint64_t factor = 1;
  auto const wrong = [&] {
    return Error::make(Errc::Usage, "'{}' is not an amount: a number with K, M, G or T{}, or inf",
                       text, whole != 0 ? ", a percentage" : "");
  };
  if (number.empty()) return wrong();
  std::optional<std::uint64_t> out;
  if (number.back() == '%' && whole != 0) {
    number.remove_suffix(1);
    auto const share = parse_thousandths(number);
    if (share && *share <= 100'000) out = scale(*share, whole / 100);
  } else {
    if (number.size() > 2 && number.ends_with("ib")) number.remove_suffix(2);
    if (auto const suffix = factor_of(number.back())) {
      factor = *suffix;
      number.remove_suffix(1);
    }
    if (auto const n = parse_thousandths(number)) out = scale(*n, factor);
  }
  if (!out) return wrong();
  return *out;
}

}  // namespace vs
