// SPDX-License-Identifier: GPL-2.0-or-later
#include <unistd.h>

#include <cstdio>

#include "base/log.h"
#include "base/text.h"
#include "cli/table.h"
#include "cmd/commands.h"
#include "guest/change.h"

namespace vs {

namespace {

constexpr std::array kLimitsOptions{
    Option{0, "json", "", "Print JSON, with all that is counted"},
    Option{'a', "all", "", "Also resources without use and limit"},
    Option{0, "reset-hits", "", "Count hits from 0 again; prints nothing"},
};
static_assert(is_option_table(kLimitsOptions));

constexpr std::array kSetOptions{
    Option{0, "now", "", "Change the running guest only, until it stops"},
    Option{0, "next-start", "", "Change the configuration only"},
};
static_assert(is_option_table(kSetOptions));

std::string_view holder_text(const Resource& resource) {
  switch (resource.holder) {
    case Holder::Cgroup: return "cgroup";
    case Holder::UserNamespace: return "user namespace";
    case Holder::IpcNamespace: return "IPC namespace";
    case Holder::EachProcess: return "each process";
    case Holder::Program: return "BPF program";
    case Holder::Nothing: return "not limited";
  }
  return "";
}

std::string value_text(const Resource& resource, const std::optional<std::uint64_t>& value) {
  if (!value) return "-";
  if (*value == kUnlimited) return "inf";
  bool const bytes = resource.unit == Unit::Pages || resource.unit == Unit::Bytes;
  return bytes ? format_bytes(*value) : std::to_string(*value);
}

bool is_limited(const Reading& reading) {
  auto const set = [](const std::optional<std::uint64_t>& v) { return v && *v != kUnlimited; };
  return set(reading.soft) || set(reading.hard) || (reading.min && *reading.min != 0);
}

void print_readings(const LimitReport& report, bool all) {
  Table table{{{"RESOURCE"},
               {"CURRENT", true},
               {"MAXIMUM", true},
               {"SOFT", true},
               {"HARD", true},
               {"HITS", true},
               {"HELD BY"}}};
  for (auto const& reading : report.readings) {
    auto const& resource = *reading.resource;
    if (!all && !reading.current && !is_limited(reading)) continue;
    std::string name{resource.name};
    if (!resource.alias.empty()) name += fmt::format(" ({})", resource.alias);
    table.add_row(
        {name, value_text(resource, reading.current), value_text(resource, reading.maximum),
         value_text(resource, reading.soft), value_text(resource, reading.hard),
         reading.hits ? std::to_string(*reading.hits) : "-", std::string{holder_text(resource)}});
  }
  fmt::print("{}", table.text());
}

std::string seconds(std::uint64_t us) {
  return fmt::format("{}.{:02}s", us / 1'000'000, us / 10'000 % 100);
}

void print_accounting(const LimitReport& report) {
  auto const& a = report.accounting;
  auto const& s = report.shares;
  auto const bound =
      s.quota_us && s.period_us != 0
          ? fmt::format("{}% (burst {} ms)", *s.quota_us * 100 / s.period_us, s.burst_us / 1000)
          : std::string{"inf"};
  fmt::print("\nprocessor  {} used ({} user, {} system), limit {}, weight {}, processors {}\n",
             seconds(a.usage_us), seconds(a.user_us), seconds(a.system_us), bound, s.weight,
             s.cpus.empty() ? "all" : s.cpus);
  fmt::print("           held back {} times for {}{}\n", a.throttled, seconds(a.throttled_us),
             a.paused ? ", paused" : "");
  fmt::print("threads    {} ({} running, {} uninterruptible)\n", a.threads, a.running,
             a.uninterruptible);
  fmt::print("disk       {} read, {} written\n", format_bytes(a.read_bytes),
             format_bytes(a.written_bytes));
  fmt::print("memory     {} killed\n", a.oom_kills);
  auto const pressure = [](std::string_view name, const std::optional<Pressure>& p) {
    if (!p) return;
    fmt::print("pressure   {}: some {:.2f}%, all {:.2f}% of the last 10 s\n", name, p->some_avg10,
               p->full_avg10);
  };
  pressure("processor", a.cpu);
  pressure("memory", a.memory);
  pressure("disk", a.io);
}

void add(JsonObject& object, std::string_view name, const std::optional<std::uint64_t>& value) {
  if (!value || *value == kUnlimited) {
    object.add_null(name);
  } else {
    object.add(name, *value);
  }
}

JsonObject pressure_json(const Pressure& p) {
  JsonObject out;
  out.add("some_avg10", p.some_avg10).add("full_avg10", p.full_avg10);
  out.add("some_us", p.some_us).add("full_us", p.full_us);
  return out;
}

JsonObject accounting_json(const LimitReport& report) {
  auto const& a = report.accounting;
  JsonObject cpu;
  cpu.add("usage_us", a.usage_us).add("user_us", a.user_us).add("system_us", a.system_us);
  cpu.add("periods", a.periods).add("throttled", a.throttled).add("throttled_us", a.throttled_us);
  cpu.add("bursts", a.bursts).add("burst_us", a.burst_us).add("paused", a.paused);
  add(cpu, "quota_us", report.shares.quota_us);
  cpu.add("period_us", report.shares.period_us).add("max_burst_us", report.shares.burst_us);
  cpu.add("weight", report.shares.weight).add("cpus", report.shares.cpus);
  JsonObject io;
  io.add("read_bytes", a.read_bytes).add("written_bytes", a.written_bytes);
  io.add("reads", a.reads).add("writes", a.writes);
  JsonObject out;
  out.add("cpu", std::move(cpu)).add("io", std::move(io));
  out.add("threads", a.threads).add("running", a.running);
  out.add("uninterruptible", a.uninterruptible).add("oom_kills", a.oom_kills);
  JsonObject pressure;
  if (a.cpu) pressure.add("cpu", pressure_json(*a.cpu));
  if (a.memory) pressure.add("memory", pressure_json(*a.memory));
  if (a.io) pressure.add("io", pressure_json(*a.io));
  out.add("pressure", std::move(pressure));
  return out;
}

void print_json(const std::string& guest, const LimitReport& report) {
  JsonArray limits;
  for (auto const& reading : report.readings) {
    JsonObject row;
    row.add("resource", reading.resource->name);
    bool const bytes =
        reading.resource->unit == Unit::Pages || reading.resource->unit == Unit::Bytes;
    row.add("unit", bytes ? "bytes" : "count");
    add(row, "current", reading.current);
    add(row, "maximum", reading.maximum);
    add(row, "min", reading.min);
    add(row, "soft", reading.soft);
    add(row, "hard", reading.hard);
    add(row, "hits", reading.hits);
    row.add("held_by", holder_text(*reading.resource)).add("note", reading.resource->note);
    limits.add(std::move(row));
  }
  JsonObject out;
  out.add("guest", guest).add("limits", std::move(limits));
  out.add("accounting", accounting_json(report)).add("not_kept", report.refused);
  fmt::print("{}\n", out.text());
}

Result<int> run_limits(const Parsed& args) {
  auto const guest = VS_TRY(resolve_guest(args.operands[0]));
  if (args.has("reset-hits")) {
    VS_TRY(reset_hits(guest));
    return 0;
  }
  auto const report = VS_TRY(report_limits(guest));
  if (args.has("json")) {
    print_json(guest, report);
    return 0;
  }
  print_readings(report, args.has("all"));
  print_accounting(report);
  for (auto const& text : report.refused)
    fmt::print("not kept   {}\n", text);
  return 0;
}

Result<int> run_set(const Parsed& args) {
  auto const guest = VS_TRY(resolve_guest(args.operands[0]));
  if (args.has("now") && args.has("next-start"))
    return Error::make(Errc::Usage, "--now and --next-start exclude each other");
  if (args.operands.size() % 2 == 0) {
    return Error::make(Errc::Usage, "'{}' has no value", args.operands.back())
        .hint("for example: vserver NAME set memory 512M cpu 50% pids 500");
  }
  auto const whole = static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) *
                     static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  std::vector<WantedLimit> wanted;
  for (std::size_t i = 1; i + 1 < args.operands.size(); i += 2)
    wanted.push_back(VS_TRY(parse_wanted(args.operands[i], args.operands[i + 1], whole)));
  Where const where = args.has("now")          ? Where::Now
                      : args.has("next-start") ? Where::NextStart
                                               : Where::Both;
  std::vector<std::string> notes;
  VS_TRY(change_limits(guest, wanted, where, notes));
  for (auto const& note : notes)
    warn("{}", note);
  return 0;
}

Result<int> run_pause(const Parsed& args) {
  return for_each_guest(args, [](const std::string& g) { return pause_guest(g, true); });
}

Result<int> run_resume(const Parsed& args) {
  return for_each_guest(args, [](const std::string& g) { return pause_guest(g, false); });
}

}  // namespace

constexpr Command kLimits{
    .name = "limits",
    .operands = "GUEST",
    .summary = "A guest's limits, use, maximum and how often each limit was hit",
    .options = kLimitsOptions,
    .min_operands = 1,
    .max_operands = 1,
    .run = run_limits,
    .details =
        "MAXIMUM is the most since the start; for limits of each process CURRENT is the\n"
        "most that one of them has. '-' is what the kernel does not tell.",
    .program = "vserver",
    .common = kCommonOptions};

constexpr Command kSet{
    .name = "set",
    .operands = "GUEST NAME VALUE [NAME VALUE]...",
    .summary = "Change limits of a guest: at once and for its next starts",
    .options = kSetOptions,
    .min_operands = 3,
    .max_operands = kAnyNumber,
    .run = run_set,
    .details =
        "Names: memory, swap, pids, cpu (50% is half of one processor), cpu-weight,\n"
        "cpu-burst, cpus, mems, io-weight, io-max, and all resources of rlimits/ such as\n"
        "nofile, memlock, as, msgqueue, shmem. NAME.soft and NAME.min are the other two\n"
        "limits. Amounts take K, M, G, T (1024), memory also a percentage; inf is none.\n"
        "All changes are made or none.",
    .program = "vserver",
    .common = kCommonOptions};

constexpr Command kPause{.name = "pause",
                         .operands = "GUEST...",
                         .summary = "Stop all processes of guests until 'resume'",
                         .min_operands = 1,
                         .max_operands = kAnyNumber,
                         .run = run_pause,
                         .program = "vserver",
                         .common = kCommonOptions};

constexpr Command kResume{.name = "resume",
                          .operands = "GUEST...",
                          .summary = "Let paused guests run on",
                          .min_operands = 1,
                          .max_operands = kAnyNumber,
                          .run = run_resume,
                          .program = "vserver",
                          .common = kCommonOptions};

}  // namespace vs
