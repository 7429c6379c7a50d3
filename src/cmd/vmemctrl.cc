// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/text.h"
#include "cmd/chain.h"
#include "cmd/commands.h"
#include "guest/config.h"
#include "guest/context.h"
#include "guest/paths.h"
#include "guest/state.h"
#include "limit/apply.h"
#include "sys/cgroup.h"
#include "sys/file.h"

namespace vs {

namespace {

constexpr std::array kOptions{
    Option{0, "set", "", "Change the bias"},
    Option{0, "get", "", "Print it"},
    Option{0, "xid", "XID", "The context; the caller's own without it"},
    Option{0, "badness", "N", "Bias of the out-of-memory killer, -1000 to 1000"},
};
static_assert(is_option_table(kOptions));

Status set_bias(const std::string& context, std::string_view text) {
  auto const n = parse_base0(text);
  if (!n || *n < -1000 || *n > 1000) {
    return Error::make(Errc::Usage, "--badness: '{}' is not between -1000 and 1000", text)
        .hint("the kernel adds it in thousandths of the memory: 1000 is killed first, -1000 never");
  }
  ContextCgroup const cgroup{VS_TRY(CgroupHost::find()), context};
  auto const pids = VS_TRY(cgroup.processes());
  if (pids.empty()) return Error::make(Errc::NotRunning, "'{}' is not running", context);
  VS_TRY(set_oom_score(pids, static_cast<int>(*n)));
  // What joins a context without a guest takes it from process 1; so does what enters a guest.
  return is_context_name(context) ? write_entry(context, "badness", std::to_string(*n)) : Status{};
}

Status print_bias(const std::string& context) {
  auto const state = VS_TRY(RunDir::read_state(context));
  if (!state || !is_running(context))
    return Error::make(Errc::NotRunning, "'{}' is not running", context);
  // The host's number of process 1 says nothing inside.
  int const init = VS_TRY(own_context()) == context ? 1 : state->init.pid;
  fmt::print("{}\n", trim(VS_TRY(read_file(fmt::format("/proc/{}/oom_score_adj", init)))));
  return {};
}

Result<int> run_vmemctrl(const Parsed& args) {
  if (args.has("set") == args.has("get"))
    return Error::make(Errc::Usage, "exactly one of --set and --get is needed");
  auto const context = VS_TRY(resolve_context(args.get("xid").value_or("self")));
  auto const bias = args.get("badness");
  if (args.has("get")) {
    if (bias) return Error::make(Errc::Usage, "--badness belongs to --set");
    VS_TRY(print_bias(context));
  } else if (bias) {
    VS_TRY(set_bias(context, *bias));
  }
  return become_rest(args);
}

}  // namespace

constexpr Command kVmemctrl{
    .name = "vmemctrl",
    .operands = "[PROGRAM [ARGUMENT]...]",
    .summary = "Bias of the out-of-memory killer for a running context",
    .options = kOptions,
    .max_operands = kAnyNumber,
    .stop_at_operand = true,
    .run = run_vmemctrl,
    .details =
        "The bias is set on every process of the context; what they start inherits it.\n"
        "'vserver GUEST config set badness N' keeps it for the next starts.",
    .failure = 255};

}  // namespace vs
