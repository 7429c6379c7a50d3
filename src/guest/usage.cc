// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/usage.h"

#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <span>
#include <thread>

#include "base/text.h"
#include "guest/paths.h"
#include "sys/cgroup.h"
#include "sys/file.h"

namespace vs {

namespace {

// Below this many another thread costs more than it saves.
constexpr std::size_t kGuestsPerThread = 64;
constexpr std::size_t kProcessesPerThread = 256;

// Runs work(part, from, to) for parts of `count` items, the first in this thread.
template <class Work>
void in_parts(std::size_t parts, std::size_t count, const Work& work) {
  std::vector<std::jthread> running;
  std::size_t const share = (count + parts - 1) / parts;
  for (std::size_t i = 1; i < parts; ++i) {
    running.emplace_back([&work, i, share, count] {
      work(i, std::min(i * share, count), std::min((i + 1) * share, count));
    });
  }
  work(0, 0, std::min(share, count));
}

std::size_t parts_of(std::size_t count, std::size_t per_thread) {
  return std::clamp<std::size_t>(count / per_thread, 1,
                                 std::max(1U, std::thread::hardware_concurrency()));
}

// Reads a kernel file without allocating; empty when it is gone.
class SmallFile {
 public:
  std::string_view read(int dir, const char* path) {
    int const fd = ::openat(dir, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return {};
    auto const n = ::read(fd, bytes_.data(), bytes_.size());
    ::close(fd);
    return n <= 0 ? std::string_view{} : std::string_view{bytes_.data(), static_cast<size_t>(n)};
  }

 private:
  std::array<char, 4096> bytes_{};
};

// Takes the number at the front of text away, with the blank behind it.
std::uint64_t take_number(std::string_view& text) {
  std::uint64_t n = 0;
  std::size_t i = 0;
  for (; i < text.size() && text[i] >= '0' && text[i] <= '9'; ++i)
    n = n * 10 + static_cast<std::uint64_t>(text[i] - '0');
  text.remove_prefix(std::min(i + 1, text.size()));
  return n;
}

std::uint64_t value_of(std::string_view text, std::string_view key) {
  auto const at = text.find(key);
  if (at == std::string_view::npos) return 0;
  text.remove_prefix(at + key.size());
  return take_number(text);
}

class Reader {
 public:
  explicit Reader(int proc) : proc_{proc} {}

  // Adds the processes in the cgroup at `path` below `slice`, and in those below it.
  void add_cgroup(Usage& usage, std::vector<int>* pids, int slice, const std::string& path) {
    std::string const procs = path + "/cgroup.procs";
    auto const first = procs_.read(slice, procs.c_str());
    if (first.size() < 4000) {
      add_processes(usage, pids, first);
    } else if (auto const all = read_file_at(FdRef::raw(slice), procs, Resolve::Free, 64U << 20U)) {
      add_processes(usage, pids, *all);
    }
    struct stat st {};
    // The link count of a cgroup tells how many are below it.
    if (::fstatat(slice, path.c_str(), &st, 0) != 0 || st.st_nlink <= 2) return;
    auto const dir = open_at(FdRef::raw(slice), path, O_RDONLY | O_DIRECTORY, Resolve::Free);
    if (!dir) return;
    auto const names = list_dir(*dir);
    if (!names) return;
    for (auto const& name : *names) {
      if (::fstatat(dir->get(), name.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
        add_cgroup(usage, pids, dir->get(), name);
    }
  }

  void add_times(Usage& usage, int slice, const std::string& path) {
    auto const text = file_.read(slice, path.c_str());
    usage.user_ms = value_of(text, "user_usec ") / 1000;
    usage.system_ms = value_of(text, "system_usec ") / 1000;
  }

  void add_process(Usage& usage, int pid) {
    ++usage.processes;
    std::array<char, 32> path{};
    auto const end = fmt::format_to_n(path.data(), path.size() - 1, "{}/statm", pid);
    *end.out = '\0';
    auto text = file_.read(proc_, path.data());
    usage.vsz += take_number(text) * page_;
    usage.rss += take_number(text) * page_;
  }

 private:
  void add_processes(Usage& usage, std::vector<int>* pids, std::string_view list) {
    while (!list.empty()) {
      auto const pid = static_cast<int>(take_number(list));
      if (pids != nullptr) pids->push_back(pid);
      add_process(usage, pid);
    }
  }

  int proc_;
  std::uint64_t page_ = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  SmallFile procs_;
  SmallFile file_;
};

// The claims of xids: links RUN/xid/N -> NAME, made when a guest starts.
Result<std::vector<Usage>> claims() {
  std::vector<Usage> out;
  auto const dir = open_path(Paths::get().run + "/xid", O_RDONLY | O_DIRECTORY);
  if (!dir) return out;
  auto const now = ::time(nullptr);
  for (auto const& link : VS_TRY(list_dir(*dir))) {
    std::array<char, 256> name{};
    struct stat st {};
    auto const n = ::readlinkat(dir->get(), link.c_str(), name.data(), name.size());
    auto const xid = parse_decimal(link);
    if (n <= 0 || !xid || ::fstatat(dir->get(), link.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0)
      continue;
    Usage usage;
    usage.xid = static_cast<std::uint32_t>(*xid);
    usage.name.assign(name.data(), static_cast<std::size_t>(n));
    usage.uptime_s = std::max<std::int64_t>(0, now - st.st_mtim.tv_sec);
    out.push_back(std::move(usage));
  }
  std::sort(out.begin(), out.end(), [](const Usage& a, const Usage& b) { return a.xid < b.xid; });
  return out;
}

struct Work {
  int slice;
  int proc;
  bool want_pids;
};

void measure(const Work& work, std::span<Usage> part, std::vector<int>& pids) {
  Reader reader{work.proc};
  for (Usage& usage : part) {
    std::vector<int>* const wanted = work.want_pids ? &pids : nullptr;
    std::string dir = usage.name + "/guest";
    reader.add_cgroup(usage, wanted, work.slice, dir);
    if (usage.processes == 0) {
      dir = ContextCgroup::scope_unit(usage.name) + "/context/guest";
      reader.add_cgroup(usage, wanted, work.slice, dir);
    }
    if (usage.processes != 0) reader.add_times(usage, work.slice, dir + "/cpu.stat");
  }
}

// Fills in all guests; gives their processes if wanted.
std::vector<int> measure_all(const Work& work, std::span<Usage> guests) {
  auto const parts = parts_of(guests.size(), kGuestsPerThread);
  std::vector<std::vector<int>> pids(parts);
  in_parts(parts, guests.size(), [&](std::size_t part, std::size_t from, std::size_t to) {
    measure(work, guests.subspan(from, to - from), pids[part]);
  });
  for (std::size_t i = 1; i < parts; ++i)
    pids[0].insert(pids[0].end(), pids[i].begin(), pids[i].end());
  return std::move(pids[0]);
}

// All processes but those of the guests, and but this one.
std::vector<int> host_processes(FdRef proc, std::vector<int> guests) {
  guests.push_back(::getpid());
  std::sort(guests.begin(), guests.end());
  std::vector<int> out;
  auto const entries = read_entries(proc);
  if (!entries) return out;
  for (auto const& entry : *entries) {
    auto const pid = parse_decimal(entry.name);
    if (pid && !std::binary_search(guests.begin(), guests.end(), static_cast<int>(*pid)))
      out.push_back(static_cast<int>(*pid));
  }
  return out;
}

// Processor time is what remains of the whole machine's: as for guests, the time of processes that
// have ended is in it.
Usage host_usage(const Work& work, int root, std::span<const Usage> guests, std::vector<int> pids) {
  Usage host;
  host.name = "root server";
  timespec boot{};
  ::clock_gettime(CLOCK_BOOTTIME, &boot);
  host.uptime_s = boot.tv_sec;
  auto const processes = host_processes(FdRef::raw(work.proc), std::move(pids));
  auto const parts = parts_of(processes.size(), kProcessesPerThread);
  std::vector<Usage> sums(parts);
  in_parts(parts, processes.size(), [&](std::size_t part, std::size_t from, std::size_t to) {
    Reader reader{work.proc};
    for (; from < to; ++from)
      reader.add_process(sums[part], processes[from]);
  });
  for (auto const& sum : sums) {
    host.processes += sum.processes;
    host.vsz += sum.vsz;
    host.rss += sum.rss;
  }
  Reader{work.proc}.add_times(host, root, "cpu.stat");
  for (auto const& guest : guests) {
    host.user_ms -= std::min(host.user_ms, guest.user_ms);
    host.system_ms -= std::min(host.system_ms, guest.system_ms);
  }
  return host;
}

Result<std::vector<Usage>> usage(bool with_host) {
  auto out = VS_TRY(claims());
  auto const host = VS_TRY(CgroupHost::find());
  Fd const root = VS_TRY(open_path(host.v2(), O_RDONLY | O_DIRECTORY));
  auto const slice = open_at(root, context_slice(), O_RDONLY | O_DIRECTORY, Resolve::Free);
  Fd const proc = VS_TRY(open_path("/proc", O_RDONLY | O_DIRECTORY));
  if (!slice) out.clear();
  Work const work{slice ? slice->get() : -1, proc.get(), with_host};
  std::vector<int> pids;
  if (slice) pids = measure_all(work, out);
  std::erase_if(out, [](const Usage& u) { return u.processes == 0; });
  if (with_host) out.insert(out.begin(), host_usage(work, root.get(), out, std::move(pids)));
  return out;
}

}  // namespace

Result<std::vector<Usage>> usage_of_guests() {
  return usage(false);
}

Result<std::vector<Usage>> usage_of_all() {
  return usage(true);
}

std::string stat_memory(std::uint64_t bytes) {
  constexpr std::array<std::string_view, 6> kUnits{"", "K", "M", "G", "T", "+"};
  std::uint64_t rest = 0;
  std::size_t unit = 0;
  while (bytes >= 1000 && unit + 1 < kUnits.size()) {
    rest = bytes % 1024;
    bytes /= 1024;
    ++unit;
  }
  if (bytes > 9999) bytes = 9999;
  auto const digit = rest * 10 / 1024;
  return digit != 0 ? fmt::format("{}.{}{}", bytes, digit, kUnits[unit])
                    : fmt::format("{}{}", bytes, kUnits[unit]);
}

std::string stat_time(std::uint64_t milliseconds) {
  std::uint64_t const seconds = milliseconds / 1000;
  std::uint64_t const days = seconds / 86400;
  std::uint64_t const hours = seconds / 3600 % 24;
  std::uint64_t const minutes = seconds / 60 % 60;
  if (days > 998001) return "INVALID";
  if (days > 999) return fmt::format("{}y{:02}d{:02}", days / 365, days % 365, hours).substr(0, 10);
  if (days > 0) return fmt::format("{}d{:02}h{:02}", days, hours, minutes);
  if (hours > 0) return fmt::format("{}h{:02}m{:02}", hours, minutes, seconds % 60);
  auto const hundredths = fmt::format("{:02}", milliseconds % 1000).substr(0, 2);
  return fmt::format("{}m{:02}s{}", minutes, seconds % 60, hundredths);
}

std::string stat_table(const std::vector<Usage>& rows) {
  std::string out = "CTX   PROC    VSZ    RSS  userTIME   sysTIME    UPTIME NAME\n";
  for (auto const& row : rows) {
    fmt::format_to(std::back_inserter(out), "{:<5}{:>5}{:>7}{:>7}{:>10}{:>10}{:>10} {:.20}\n",
                   row.xid, row.processes, stat_memory(row.vsz), stat_memory(row.rss),
                   stat_time(row.user_ms), stat_time(row.system_ms),
                   stat_time(static_cast<std::uint64_t>(row.uptime_s) * 1000), row.name);
  }
  return out;
}

}  // namespace vs
