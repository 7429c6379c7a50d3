// SPDX-License-Identifier: GPL-2.0-or-later
#include <cstdio>
#include <string_view>

#include "base/log.h"
#include "base/text.h"
#include "cmd/commands.h"
#include "guest/start.h"

namespace {

int exit_code(vs::Errc code) {
  switch (code) {
    case vs::Errc::Usage: return 2;
    case vs::Errc::NotFound: return 5;
    case vs::Errc::Busy: return 4;
    case vs::Errc::Unsupported: return 6;
    case vs::Errc::System:
    case vs::Errc::Config:
    case vs::Errc::Internal: return 1;
  }
  return 1;
}

vs::Result<int> dispatch(std::string_view program, const vs::Words& args) {
  if (program == "vserver-stat") return vs::run_stat(args);
  if (program == "vps") return vs::run_vps(args);
  if (args.size() == 3 && args[0] == "--ended") {
    auto const status = vs::parse_base0(args[2]);
    VS_TRY(vs::guest_ended(args[1], static_cast<int>(status.value_or(-1))));
    return 0;
  }
  return vs::run_vserver(args);
}

}  // namespace

int main(int argc, char** argv) {
  std::string_view program = argc > 0 ? argv[0] : "vserver";
  program.remove_prefix(program.rfind('/') + 1);
  vs::set_log_name(program);
  vs::Words const args{argv + (argc > 0 ? 1 : 0), argv + argc};
  auto const code = dispatch(program, args);
  if (code) return *code;
  fmt::print(stderr, "{}: {}\n", program, code.error().message());
  if (!code.error().hint().empty()) fmt::print(stderr, "hint: {}\n", code.error().hint());
  return exit_code(code.error().code());
}
