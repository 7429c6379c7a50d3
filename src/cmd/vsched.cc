// SPDX-License-Identifier: GPL-2.0-or-later
#include <cerrno>
#include <cstdio>

#include "base/log.h"
#include "base/text.h"
#include "cmd/chain.h"
#include "cmd/commands.h"
#include "guest/change.h"
#include "sys/file.h"

namespace vs {

namespace {

constexpr std::array kOptions{
    Option{0, "xid", "GUEST", "The guest: its name or context id"},
    Option{0, "ctx", "GUEST", "The same"},
    Option{0, "fill-rate", "N", "Tokens that each processor gets ..."},
    Option{0, "interval", "N", "... in so many ticks of 4 ms"},
    Option{0, "fill-rate2", "N", "The same in idle time"},
    Option{0, "interval2", "N", "The same in idle time"},
    Option{0, "tokens", "N", "Tokens there are now"},
    Option{0, "tokens-min", "N", "A guest on hold runs again with so many"},
    Option{0, "tokens-max", "N", "Unused tokens are kept up to this"},
    Option{0, "tokens_min", "N", "The same as --tokens-min"},
    Option{0, "tokens_max", "N", "The same as --tokens-max"},
    Option{0, "prio-bias", "N", "Niceness of the guest among guests, -20 to 20"},
    Option{0, "prio_bias", "N", "The same"},
    Option{0, "priority-bias", "N", "The same"},
    Option{0, "priority_bias", "N", "The same"},
    Option{0, "cpu-id", "N", "One processor only: refused, the kernel bounds their sum"},
    Option{0, "bucket-id", "N", "Refused: there is one bucket"},
    Option{0, "idle-time", "",
           "Feed at the second rate in idle time; to be given with every change"},
    Option{0, "force", "", "Accepted: changes are made at once"},
    Option{0, "cpu_mask", "N", "Deprecated, ignored"},
    Option{0, "dir", "DIR", "Read the values from files of these names"},
    Option{0, "missingok", "", "DIR need not be there"},
};
static_assert(is_option_table(kOptions));

struct Field {
  std::string_view name;
  std::int64_t Bucket::*member;
};
constexpr std::array kFields{
    Field{"fill-rate", &Bucket::fill_rate},     Field{"interval", &Bucket::interval},
    Field{"fill-rate2", &Bucket::fill_rate2},   Field{"interval2", &Bucket::interval2},
    Field{"tokens", &Bucket::tokens},           Field{"tokens-min", &Bucket::tokens_min},
    Field{"tokens_min", &Bucket::tokens_min},   Field{"tokens-max", &Bucket::tokens_max},
    Field{"tokens_max", &Bucket::tokens_max},   Field{"prio-bias", &Bucket::prio_bias},
    Field{"prio_bias", &Bucket::prio_bias},     Field{"priority-bias", &Bucket::prio_bias},
    Field{"priority_bias", &Bucket::prio_bias},
};

// k, K, m and M as everywhere in the original.
Result<std::int64_t> token_number(std::string_view text, std::string_view what) {
  std::int64_t factor = 1;
  if (text.ends_with('k')) factor = 1000;
  if (text.ends_with('K')) factor = 1024;
  if (text.ends_with('m')) factor = 1'000'000;
  if (text.ends_with('M')) factor = 1 << 20;
  auto const n = parse_base0(factor == 1 ? text : text.substr(0, text.size() - 1));
  std::int64_t out = 0;
  if (!n || __builtin_mul_overflow(*n, factor, &out))
    return Error::make(Errc::Usage, "{}: '{}' is not a number", what, text);
  return out;
}

Status read_dir(Bucket& bucket, const std::string& path, bool missing_ok) {
  auto const dir = open_path(path, O_RDONLY | O_DIRECTORY);
  if (!dir) return missing_ok && dir.error().sys() == ENOENT ? Status{} : Status{dir.error()};
  for (auto const& field : kFields) {
    auto const text = read_file_at(*dir, std::string{field.name}, Resolve::Free);
    if (!text) continue;
    bucket.*field.member =
        VS_TRY(token_number(trim(*text), fmt::format("{}/{}", path, field.name)));
  }
  return {};
}

Result<int> run_vsched(const Parsed& args) {
  auto xid = args.get("xid") ? args.get("xid") : args.get("ctx");
  if (!xid && !args.operands.empty()) xid = "self";
  if (!xid) return Error::make(Errc::Usage, "no context is given").hint("vsched --xid GUEST ...");
  for (std::string_view const name : {"cpu-id", "bucket-id"}) {
    if (args.has(name)) {
      return Error::make(Errc::Unsupported, "--{}: the kernel bounds the sum over all processors",
                         name);
    }
  }
  if (args.has("cpu_mask")) warn("--cpu_mask is deprecated and ignored");
  auto const guest = VS_TRY(resolve_context(*xid));
  Bucket bucket = VS_TRY(bucket_of(guest));
  if (auto const dir = args.get("dir"))
    VS_TRY(read_dir(bucket, std::string{*dir}, args.has("missingok")));
  for (auto const& field : kFields) {
    if (auto const text = args.get(field.name))
      bucket.*field.member = VS_TRY(token_number(*text, field.name));
  }
  if (args.has("idle-time")) bucket.idle_time = true;
  VS_TRY(change_bucket(guest, bucket));
  return become_rest(args);
}

}  // namespace

constexpr Command kVsched{
    .name = "vsched",
    .operands = "[PROGRAM [ARGUMENT]...]",
    .summary = "The token bucket of a running guest",
    .options = kOptions,
    .max_operands = kAnyNumber,
    .stop_at_operand = true,
    .run = run_vsched,
    .details =
        "What is not given is as the guest's sched/ has it. The bucket holds guests with the\n"
        "flag sched_hard; the bias holds for all. Changes last until the guest stops.",
    .failure = 255};

}  // namespace vs
