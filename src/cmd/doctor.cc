// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/doctor.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>

#include "cli/table.h"
#include "cmd/commands.h"

namespace vs {

namespace {

constexpr std::array kJson{Option{0, "json", "", "Print JSON"}};

std::string_view verdict_name(Verdict verdict) {
  switch (verdict) {
    case Verdict::Good: return "ok";
    case Verdict::Lost: return "lost";
    case Verdict::Bad: return "BAD";
  }
  return "";
}

Result<int> run_doctor(const Parsed& args) {
  if (::geteuid() != 0)
    return Error::make(Errc::Usage, "doctor tries the kernel's features, which needs root");
  auto const findings = examine_host();
  bool const bad = std::any_of(findings.begin(), findings.end(),
                               [](const Finding& f) { return f.verdict == Verdict::Bad; });
  if (args.has("json")) {
    JsonArray json;
    for (auto const& one : findings) {
      JsonObject row;
      row.add("group", one.group).add("name", one.name);
      row.add("verdict", verdict_name(one.verdict)).add("detail", one.detail);
      json.add(std::move(row));
    }
    fmt::print("{}\n", json.text());
    return bad ? 1 : 0;
  }
  Table table{{{"GROUP"}, {"WHAT"}, {"VERDICT"}, {"DETAIL"}}};
  for (auto const& one : findings)
    table.add_row({one.group, one.name, std::string{verdict_name(one.verdict)}, one.detail});
  fmt::print("{}", table.text());
  return bad ? 1 : 0;
}

}  // namespace

constexpr Command kDoctor{
    .name = "doctor",
    .operands = "",
    .summary = "What this machine offers to guests, and what is lost",
    .options = kJson,
    .run = run_doctor,
    .details =
        "Each feature of the kernel is found out by using it. 'lost' names what guests do\n"
        "without; 'BAD' keeps guests from starting, and the exit status is 1 then.",
    .program = "vserver",
    .common = kCommonOptions};

}  // namespace vs
