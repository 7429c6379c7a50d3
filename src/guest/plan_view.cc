// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/plan_view.h"

#include <linux/limits.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "config/tree.h"
#include "context/capability.h"
#include "context/flags.h"
#include "guest/config.h"
#include "guest/limits.h"
#include "guest/network.h"
#include "guest/paths.h"
#include "guest/start.h"

namespace vs {

namespace {

using Section = PlanView::Section;

std::string yes_no(bool value) {
  return value ? "yes" : "no";
}

Section guest_section(const GuestConfig& config) {
  Section out{"guest", {}};
  out.entries.push_back({"name", {config.name}});
  out.entries.push_back(
      {"context", {config.xid ? std::to_string(config.xid->value()) : "chosen at start"}});
  out.entries.push_back({"root", {config.vdir}});
  out.entries.push_back({"host name", {config.nodename}});
  if (!config.domainname.empty()) out.entries.push_back({"domain name", {config.domainname}});
  return out;
}

Section rights_section(const GuestConfig& config) {
  Section out{"rights", {}};
  std::vector<std::string> spaces{"pid", "mnt", "uts", "ipc", "cgroup", "time"};
  if (config.userns) spaces.emplace_back("user");
  if (config.net == NetMode::Private) spaces.emplace_back("net");
  out.entries.push_back({"namespaces", {join(spaces, " ")}});
  if (config.userns && config.xid) {
    out.entries.push_back({"owner ids",
                           {fmt::format("{} to {}", config.xid->base_id(),
                                        config.xid->base_id() + Xid::kIdCount - 1)}});
  }
  out.entries.push_back({"capabilities", {format_flags(capability_table(), config.capabilities)}});
  out.entries.push_back(
      {"context flags", {format_flags(context_flag_names(), config.context_flags)}});
  out.entries.push_back({"context capabilities",
                         {format_flags(context_capability_names(), config.context_capabilities)}});
  out.entries.push_back({"system call filter", {yes_no(config.seccomp)}});
  return out;
}

std::string shell_words(const std::vector<std::string>& words) {
  std::vector<std::string> out;
  for (auto const& word : words) {
    bool const plain = !word.empty() && word.find_first_of(" \t\n'\"\\$") == std::string::npos;
    out.push_back(plain ? word : fmt::format("\"{}\"", word));
  }
  return join(out, " ");
}

Section init_section(const GuestConfig& config, const InitPlan& plan) {
  Section out{"init", {}};
  out.entries.push_back({"style", {std::string{config.style->name}}});
  out.entries.push_back({"start", {shell_words(plan.start)}});
  out.entries.push_back({"process 1", {plan.own_init ? "the guest's" : "ours"}});
  out.entries.push_back(
      {"stop", {plan.stop.empty() ? "a signal to process 1" : shell_words(plan.stop)}});
  out.entries.push_back({"environment", config.environment});
  out.entries.push_back({"nice", {std::to_string(config.nice)}});
  out.entries.push_back({"stop waits", {fmt::format("{} s", config.stop_timeout_s)}});
  return out;
}

// The helper's letters (rootfs/tree_plan.h) in words.
std::string mount_words(std::string_view letters) {
  struct Letter {
    char letter;
    const char* word;
  };
  constexpr std::array kLetters{Letter{'r', "read-only"}, Letter{'s', "nosuid"},
                                Letter{'x', "noexec"},    Letter{'i', "owners shifted"},
                                Letter{'R', "recursive"}, Letter{'D', "device nodes work"}};
  std::vector<std::string> words;
  for (auto const& [letter, word] : kLetters) {
    if (letters.find(letter) != std::string_view::npos) words.emplace_back(word);
  }
  return words.empty() ? std::string{} : fmt::format(" ({})", join(words, ", "));
}

Section mounts_section(const std::vector<TreeOp>& ops) {
  Section out{"mounts", {}};
  std::vector<std::string> masked;
  for (auto const& [kind, target, source, options] : ops) {
    auto const with = source + mount_words(options);
    switch (kind[0]) {
      case 'p': out.entries.push_back({target, {"proc"}}); break;
      case 's': out.entries.push_back({target, {"sysfs"}}); break;
      case 't': out.entries.push_back({target, {"tmpfs " + with}}); break;
      case 'b': out.entries.push_back({target, {"bind " + with}}); break;
      case 'f': out.entries.push_back({target, {with}}); break;
      case 'm': masked.push_back(target); break;
      default: break;
    }
  }
  out.entries.push_back({"hidden", {join(masked, " ")}});
  return out;
}

Section network_section(const GuestConfig& config, const std::vector<std::string>& addresses) {
  Section out{"network", {}};
  const char* mode = config.net == NetMode::Private  ? "private"
                     : config.net == NetMode::Shared ? "shared"
                                                     : "host";
  out.entries.push_back({"mode", {mode}});
  out.entries.push_back({"addresses", addresses});
  return out;
}

struct ResourceName {
  int id;
  std::string_view name;
};

std::string limit_text(std::uint64_t value) {
  return value == RLIM_INFINITY ? "inf" : std::to_string(value);
}

Section limits_section(const GuestConfig& config, const LimitPlan& plan) {
  constexpr std::array kNames{
      ResourceName{RLIMIT_AS, "as"},           ResourceName{RLIMIT_CORE, "core"},
      ResourceName{RLIMIT_CPU, "cpu"},         ResourceName{RLIMIT_DATA, "data"},
      ResourceName{RLIMIT_FSIZE, "fsize"},     ResourceName{RLIMIT_LOCKS, "locks"},
      ResourceName{RLIMIT_MEMLOCK, "memlock"}, ResourceName{RLIMIT_NOFILE, "nofile"},
      ResourceName{RLIMIT_NPROC, "nproc"},     ResourceName{RLIMIT_RSS, "rss"},
      ResourceName{RLIMIT_STACK, "stack"}};
  Section out{"limits", {}};
  for (auto const& write : plan.writes)
    out.entries.push_back({"guest " + write.knob, {write.text}});
  for (auto const& limit : plan.ipc)
    out.entries.push_back({"guest " + limit.sysctl, {std::to_string(limit.value)}});
  for (auto const& limit : process_limits(config, plan)) {
    auto const* name = std::find_if(kNames.begin(), kNames.end(), [&](const ResourceName& one) {
      return one.id == limit.resource;
    });
    if (name == kNames.end()) continue;
    out.entries.push_back(
        {fmt::format("process {}", name->name),
         {fmt::format("{} to {}", limit_text(limit.soft), limit_text(limit.hard))}});
  }
  return out;
}

Section hooks_section(const GuestConfig& config) {
  Section out{"hooks", {}};
  for (std::string_view const point : {"initialize", "prepre-start", "pre-start", "post-start",
                                       "pre-stop", "post-stop", "postpost-stop"}) {
    std::vector<std::string> files;
    auto const has_own = std::any_of(config.hooks.begin(), config.hooks.end(),
                                     [&](const HookFile& h) { return h.own && h.point == point; });
    for (auto const& hook : config.hooks) {
      if (hook.point == point && hook.own == has_own) files.push_back(hook.file);
    }
    if (!files.empty()) out.entries.push_back({std::string{point}, std::move(files)});
  }
  return out;
}

Result<LimitPlan> view_limits(const GuestConfig& config, PlanView& out) {
  auto plan = plan_guest_limits(config, VS_TRY(CgroupHost::find()));
  if (!plan) {
    out.problems.push_back(plan.error().message());
    return LimitPlan{};
  }
  for (auto const& text : plan->refused)
    out.remarks.push_back("limit not kept: " + text);
  return plan;
}

void view_mounts(const GuestConfig& config, const LimitPlan& limits, PlanView& out) {
  // Without a fixed context any will do: what depends on its number is not shown.
  auto const xid = config.xid ? Result<Xid>{*config.xid} : Xid::make(Xid::kFirstNew);
  if (!xid) return;
  auto const plan = plan_start(config, *xid, process_limits(config, limits), {});
  if (plan) {
    out.sections.push_back(mounts_section(plan->ops));
  } else if (config.xid) {
    out.problems.push_back(plan.error().message());
  }
}

}  // namespace

Result<PlanView> view_plan(const std::string& name) {
  PlanView out;
  auto config = load_config(name);
  if (!config) {
    if (config.error().code() != Errc::Config) return std::move(config).error();
    auto const own = read_tree(fmt::format("{}/{}", Paths::get().conf, name));
    auto const defaults = read_defaults();
    if (own && defaults) out.problems = find_faults(name, *own, *defaults);
    if (out.problems.empty()) out.problems.push_back(config.error().message());
    if (own) out.problems.insert(out.problems.end(), own->warnings.begin(), own->warnings.end());
    return out;
  }
  out.sections.push_back(guest_section(*config));
  out.sections.push_back(rights_section(*config));
  if (auto const init = plan_init(*config); init) {
    out.sections.push_back(init_section(*config, *init));
  } else {
    out.problems.push_back(init.error().message());
  }
  auto const limits = VS_TRY(view_limits(*config, out));
  view_mounts(*config, limits, out);
  if (auto const addresses = list_addresses(*config); addresses) {
    out.sections.push_back(network_section(*config, *addresses));
  } else {
    out.problems.push_back(addresses.error().message());
  }
  out.sections.push_back(limits_section(*config, limits));
  out.sections.push_back(hooks_section(*config));
  out.problems.insert(out.problems.end(), config->warnings.begin(), config->warnings.end());
  out.remarks.insert(out.remarks.begin(), config->outdated.begin(), config->outdated.end());
  out.not_applied = config->not_applied;
  return out;
}

}  // namespace vs
