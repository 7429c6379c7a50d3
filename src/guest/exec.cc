// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/exec.h"

#include <sched.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <optional>

#include "base/log.h"
#include "base/text.h"
#include "context/flags.h"
#include "context/seccomp.h"
#include "guest/config.h"
#include "guest/paths.h"
#include "guest/stage_plan.h"
#include "guest/state.h"
#include "limit/apply.h"
#include "sys/file.h"

namespace vs {

namespace {

Result<StagePlan> plan_exec(const GuestConfig& config, const RunState& state,
                            const ExecRequest& request, const Stdio& stdio) {
  StagePlan plan;
  plan.cwd = request.cwd;
  plan.argv = request.argv;
  plan.envp = config.environment;
  const char* term = std::getenv("TERM");
  plan.envp.push_back(fmt::format("TERM={}", term != nullptr ? term : "linux"));
  plan.envp.push_back(fmt::format("HOME={}", request.user.home));
  for (const char* key : {"USER", "LOGNAME"})
    plan.envp.push_back(fmt::format("{}={}", key, request.user.name));
  plan.envp.emplace_back("container=vserver");
  plan.envp.insert(plan.envp.end(), request.env.begin(), request.env.end());
  auto& header = plan.header;
  header.mode = stage::Mode::Exec;
  header.flags = state.userns ? stage::kUserNs : 0U;
  if (request.must_cwd) header.flags |= stage::kMustCwd;
  if (auto const mask = stdio.terminal_mask(); mask != 0) {
    header.flags |= stage::kTerminal | mask * stage::kTerminal0;
    header.window = Stdio::window();
  }
  header.base_id = state.userns ? state.xid << 16U : 0;
  header.uid = request.user.uid;
  header.gid = request.user.gid;
  plan.groups = request.user.groups;
  header.ns_flags = state.ns_flags;
  if (request.spaces) header.ns_flags &= *request.spaces | CLONE_NEWUSER;
  header.capabilities = config.capabilities;
  for (auto const& limit : limits_of_process(state.init.pid))
    plan.limits.push_back({static_cast<std::uint32_t>(limit.resource), 0, limit.soft, limit.hard});
  if (config.seccomp) {
    plan.filter = VS_TRY(cached_seccomp(Paths::get().cache, !config.userns, config.context_flags,
                                        config.context_capabilities));
  }
  return plan;
}

// The program inherits it from us: what init has, so that entering is no way around a bias.
Status take_oom_score(int init) {
  auto const score = VS_TRY(read_file(fmt::format("/proc/{}/oom_score_adj", init)));
  auto const own = VS_TRY(read_file("/proc/self/oom_score_adj"));
  return score == own ? Status{} : write_knob("/proc/self/oom_score_adj", trim(score));
}

}  // namespace

Result<int> relay_console(FdRef socket) {
  constexpr int kCtrlBracket = 0x1d;
  RelayOptions options;
  options.stop = kCtrlBracket;
  options.raw = ::isatty(STDIN_FILENO) == 1;
  std::vector<Stream> streams;
  streams.push_back({STDIN_FILENO, socket.get(), Fd{}, true, false});
  streams.push_back({socket.get(), STDOUT_FILENO, Fd{}, false, false});
  auto const signal = VS_TRY(relay(std::move(streams), options));
  return signal == 0 ? 0 : 128 + signal;
}

Result<int> exec_in_guest(const std::string& name, const ExecRequest& request) {
  auto const state = VS_TRY(RunDir::read_state(name));
  ContextCgroup const cgroup{VS_TRY(CgroupHost::find()), name};
  if (!state || !cgroup.populated()) {
    return Error::make(Errc::NotRunning, "guest '{}' is not running", name)
        .hint(fmt::format("vserver {} start", name));
  }
  auto const config = VS_TRY(load_config(name));
  if ((config.context_flags & cflag::kPrivate) != 0) {
    return Error::make(Errc::Unsupported, "guest '{}' is private: nobody enters it", name)
        .hint("the flag 'private' in its cflags says so");
  }
  Fd const init = VS_TRY(open_process(state->init), "guest '{}': its init", name);
  Fd const group = VS_TRY(cgroup.open_beside(state->init.pid));
  std::uint32_t const base = state->userns ? state->xid << 16U : 0;
  auto stdio = VS_TRY(Stdio::open(request.terminal, request.no_input, base + request.user.uid,
                                  base + request.user.gid));
  StageFds fds;
  fds.cgroup = group.get();
  fds.init = init.get();
  fds.v1_procs = VS_TRY(cgroup.open_v1_procs(false));
  // Its own session: what our terminal sends comes to us, and we pass it on.
  fds.new_session = true;
  auto plan = VS_TRY(plan_exec(config, *state, request, stdio));
  plan.stdio = stdio.inner();
  VS_TRY(take_oom_score(state->init.pid));
  auto stage = VS_TRY(run_stage(plan, fds));
  auto reports = follow_stage(stage.reports, [](int) { return Status{}; });
  if (!reports) {
    auto error = std::move(reports).error().context(fmt::format("guest '{}'", name));
    // The helper ends by itself and reaps its child; killed before, it would leave a zombie.
    VS_TRY(stage.child.wait());
    // On its way down a guest has no program any more; what was looked for is of no interest then.
    if (!read_link_at(FdRef::cwd(), fmt::format("/proc/{}/exe", state->init.pid))) {
      return Error::make(Errc::NotRunning, "guest '{}' is not running: its init has ended", name);
    }
    if (error.code() != Errc::NotFound) return error;
    write_log(Level::Quiet, error.message());
    return error.sys() == ENOENT ? 127 : 126;
  }
  Fd master;
  if (!reports->descriptors.empty()) master = std::move(reports->descriptors[0]);
  auto const signal = VS_TRY(stdio.relay(std::move(master), stage.child.pidfd(), [&](int number) {
    if (auto done = signal_process(stage.child.pidfd(), number); !done)
      debug("{}", done.error().message());
  }));
  if (signal == 0) return stage.child.wait();
  stage.child.detach();
  return 128 + signal;
}

Result<std::vector<std::string>> login_shell(const std::string& name) {
  auto const config = VS_TRY(load_config(name));
  if (!config.shell.empty()) return config.shell;
  Fd const root = VS_TRY(open_path(config.vdir, O_PATH | O_DIRECTORY));
  if (open_at(root, "bin/bash", O_PATH, Resolve::InRoot))
    return std::vector<std::string>{"/bin/bash", "-login"};
  return std::vector<std::string>{"/bin/sh", "-l"};
}

}  // namespace vs
