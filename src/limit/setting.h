// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "limit/plan.h"

namespace vs {

// A setting beside the resources that people change by name: `vserver GUEST set cpu 50%`.
struct Setting {
  std::string_view name;
  std::string_view knob;  // of cgroup v2; kept in CONF/GUEST/cgroup/KNOB
  std::string_view form;  // what its value looks like
  std::string_view help;
  // The knob's text for what people write. Fails with Errc::Usage.
  Result<std::string> (*to_text)(std::string_view value);
};
std::span<const Setting> settings();
const Setting* find_setting(std::string_view name);

// One change that somebody wants: either a limit of a resource, or a knob.
struct WantedLimit {
  std::optional<LimitSetting> limit;
  std::string knob;  // its v2 name, if a knob
  std::string text;
  std::string entry;       // where the guest's tree keeps it: "rlimits/rss.hard"
  std::string entry_text;  // what stands there; "inf" for no limit
};

// A pair of `set`: "memory" "512M", "nofile.soft" "1024", "cpu" "50%". `whole` is what a
// percentage of memory is part of. Fails with Errc::Usage, with Errc::Unsupported when nothing can
// hold it.
Result<WantedLimit> parse_wanted(std::string_view name, std::string_view value,
                                 std::uint64_t whole_memory);

// What a new guest is given, as entries of its configuration: a fork bomb, a memory hog or a leak
// of descriptors must not be felt outside. `whole_memory` in bytes.
std::vector<std::pair<std::string, std::string>> default_limits(std::uint64_t whole_memory);

}  // namespace vs
