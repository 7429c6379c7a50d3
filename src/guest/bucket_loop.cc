// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/bucket_loop.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

#include "base/log.h"
#include "base/text.h"
#include "guest/paths.h"
#include "guest/state.h"
#include "limit/apply.h"
#include "limit/knob.h"
#include "limit/measure.h"
#include "sys/cgroup.h"
#include "sys/file.h"
#include "sys/process.h"
#include "sys/systemd.h"

namespace vs {

namespace {

constexpr long kRoundNs = 50'000'000;
constexpr const char* kBucketFile = "bucket";     // what to follow
constexpr const char* kPidsFile = "bucket-loop";  // who does it: watcher and worker

using Loop = LimitPlan::Loop;

std::string format_loop(const Loop& loop) {
  auto const& b = loop.bucket;
  return fmt::format("{} {} {} {} {} {} {} {} {} {} {} {}\n", b.fill_rate, b.interval, b.fill_rate2,
                     b.interval2, b.tokens, b.tokens_min, b.tokens_max, b.prio_bias,
                     b.idle_time ? 1 : 0, loop.cpus, loop.hard ? 1 : 0, loop.prio ? 1 : 0);
}

std::optional<Loop> read_loop(const std::string& guest) {
  auto const text = read_file(run_path(guest, kBucketFile));
  if (!text) return std::nullopt;
  std::array<std::int64_t, 12> n{};
  auto const words = split_words(*text);
  if (words.size() != n.size()) return std::nullopt;
  for (std::size_t i = 0; i < n.size(); ++i)
    n.at(i) = parse_base0(words[i]).value_or(0);
  return Loop{{n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7], n[8] != 0},
              static_cast<unsigned>(std::max<std::int64_t>(1, n[9])),
              n[10] != 0,
              n[11] != 0};
}

// The bound and the weight of a context, written when they change.
class Actuator {
 public:
  explicit Actuator(ContextCgroup& cgroup) : cgroup_{cgroup} {}

  Status set_bound(const Bandwidth& bound) {
    if (bound == bound_) return {};
    bound_ = bound;
    return write({{"cpu.max", {fmt::format("{} {}", bound.quota_us, bound.period_us), "bucket"}},
                  {"cpu.max.burst", {std::to_string(bound.burst_us), "bucket"}}});
  }
  Status set_weight(std::uint64_t weight) {
    if (weight == weight_) return {};
    weight_ = weight;
    return write({{"cpu.weight", {std::to_string(weight), "bucket"}}});
  }

 private:
  Status write(const Knobs& knobs) {
    std::vector<std::string> refused;
    return apply_knobs(cgroup_, translate_knobs(cgroup_.host(), knobs, refused));
  }
  ContextCgroup& cgroup_;
  Bandwidth bound_;
  std::uint64_t weight_ = 0;
};

Status set_base(ContextCgroup& cgroup, const Loop& loop) {
  Actuator actuator{cgroup};
  if (loop.hard) VS_TRY(actuator.set_bound(loop_base(loop.bucket, loop.cpus)));
  return loop.prio ? actuator.set_weight(weight_of_nice(loop.bucket.prio_bias)) : Status{};
}

std::int64_t now_us() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000 + now.tv_nsec / 1000;
}

// Time that all processors of the host together had nothing to do (proc(5), /proc/stat).
std::int64_t host_idle_us() {
  auto const text = read_file("/proc/stat");
  auto const words = text ? split_words(first_line(*text)) : std::vector<std::string_view>{};
  if (words.size() < 6) return 0;
  auto const ticks = parse_decimal(words[4]).value_or(0) + parse_decimal(words[5]).value_or(0);
  return static_cast<std::int64_t>(ticks) * (1'000'000 / ::sysconf(_SC_CLK_TCK));
}

std::int64_t used_us(const ContextCgroup& cgroup) {
  auto const text = cgroup.read_knob_of("cgroup", "cpu.stat");
  return text ? static_cast<std::int64_t>(field_of(*text, "usage_usec").value_or(0)) : 0;
}

volatile sig_atomic_t asked_to_end = 0;
void end_soon(int) {
  asked_to_end = 1;
}

struct Moment {
  std::int64_t time, used, idle;
};
Moment take_moment(const ContextCgroup& cgroup) {
  return {now_us(), used_us(cgroup), host_idle_us()};
}

// Until the guest has ended, another bucket is to be followed, or somebody asks for the end.
Status follow(const std::string& guest, ContextCgroup& cgroup, const Loop& loop) {
  BucketMeter meter{loop.bucket, loop.cpus};
  Actuator actuator{cgroup};
  Moment last = take_moment(cgroup);
  while (asked_to_end == 0 && cgroup.populated() && read_loop(guest) == loop) {
    timespec const nap{0, kRoundNs};
    ::nanosleep(&nap, nullptr);
    Moment const now = take_moment(cgroup);
    meter.pass(now.time - last.time, now.used - last.used, now.idle - last.idle);
    last = now;
    if (loop.hard) VS_TRY(actuator.set_bound(meter.bound()));
    if (loop.prio)
      VS_TRY(actuator.set_weight(weight_of_nice(loop.bucket.prio_bias + meter.bonus())));
  }
  return {};
}

// The working half. Its end sets the base back, however it comes but by SIGKILL.
[[noreturn]] void work(const std::string& guest, ContextCgroup& cgroup) {
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  ::signal(SIGTERM, end_soon);
  int code = 0;
  for (;;) {
    auto const loop = read_loop(guest);
    if (!loop || asked_to_end != 0 || !cgroup.populated()) break;
    auto done = follow(guest, cgroup, *loop);
    if (cgroup.populated()) {
      if (auto back = set_base(cgroup, *loop); !back) done = back;
    }
    if (done || !cgroup.populated()) continue;
    warn("guest '{}': token bucket: {}", guest, done.error().message());
    code = 1;
    break;
  }
  ::_exit(code);
}

Status write_pids(const std::string& guest, pid_t worker) {
  Fd const dir = VS_TRY(open_path(run_path(guest, "."), O_RDONLY | O_DIRECTORY));
  return replace_file_at(dir, kPidsFile, fmt::format("{} {}\n", ::getpid(), worker));
}

}  // namespace

Status run_bucket_loop(const std::string& guest) {
  // Two loops would undo each other's work.
  Fd const only = VS_TRY(try_lock_file(fmt::format("{}/lock/.bucket-{}", Paths::get().run, guest)));
  if (!only) return {};
  ContextCgroup cgroup{VS_TRY(CgroupHost::find()), guest};
  for (;;) {
    pid_t const worker = ::fork();
    if (worker < 0) return Error::system(errno, "fork");
    if (worker == 0) work(guest, cgroup);
    VS_TRY(write_pids(guest, worker));
    int status = 0;
    while (::waitpid(worker, &status, 0) < 0 && errno == EINTR) {
    }
    auto const loop = read_loop(guest);
    if (!WIFSIGNALED(status) || !loop || !cgroup.populated()) return {};
    VS_TRY(set_base(cgroup, *loop));
    timespec const pause{1, 0};
    ::nanosleep(&pause, nullptr);
  }
}

Status follow_bucket(const std::string& guest, const std::optional<Loop>& loop) {
  if (!loop) {
    // The loop sees that there is nothing to follow and ends.
    ::unlink(run_path(guest, kBucketFile).c_str());
    return {};
  }
  Fd const dir = VS_TRY(open_path(run_path(guest, "."), O_RDONLY | O_DIRECTORY));
  VS_TRY(replace_file_at(dir, kBucketFile, format_loop(*loop)));
  Fd const null = VS_TRY(open_path("/dev/null", O_RDWR));
  Fd const self = VS_TRY(open_path(Paths::get().self, O_RDONLY));
  SpawnPlan plan;
  plan.exe = self.get();
  plan.argv = {"vserver", "--bucket", guest};
  for (char** e = environ; *e != nullptr; ++e)
    plan.envp.emplace_back(*e);
  plan.fds = {{null.get(), 0}, {null.get(), 1}, {null.get(), 2}};
  plan.new_session = true;
  Fd root;
  // Not among the guest's, nor in the way of its cgroups' end.
  if (!is_systemd_host()) {
    root = VS_TRY(open_path(VS_TRY(CgroupHost::find()).v2(), O_RDONLY | O_DIRECTORY));
    plan.cgroup = root.get();
  }
  Child child = VS_TRY(spawn(plan), "token bucket");
  child.detach();
  return {};
}

}  // namespace vs
