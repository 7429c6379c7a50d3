// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/chain.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "base/text.h"
#include "cmd/commands.h"
#include "guest/config.h"
#include "guest/context.h"
#include "guest/state.h"

namespace vs {

int fail_with(const Error& error, int code) {
  report_error(error);
  return code;
}

Error become(const std::vector<std::string>& words) {
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (auto const& word : words)
    argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  std::fflush(nullptr);
  ::execvp(argv[0], argv.data());
  return Error::system(errno, "exec {}", words[0]);
}

Result<int> become_rest(const Parsed& args) {
  if (args.operands.empty()) return 0;
  return become(args.operands);
}

Result<std::string> resolve_context(std::string_view word) {
  if (word == "self") {
    auto own = VS_TRY(own_context());
    if (!own.empty()) return own;
    return Error::make(Errc::Usage, "the caller is on the host, in no context");
  }
  std::string text{trim(word)};
  if (text.starts_with(':')) return resolve_guest(text.substr(1));
  if (auto const number = parse_decimal(text); number && *number <= Xid::kMax) {
    if (auto const name = guest_of(static_cast<std::uint32_t>(*number))) return *name;
  }
  return resolve_guest(text);
}

Result<std::uint32_t> resolve_xid(std::string_view word) {
  if (word == "self") return own_xid();
  if (auto const number = parse_decimal(trim(word))) {
    if (*number <= kSpectatorXid) return static_cast<std::uint32_t>(*number);
    return VS_TRY(Xid::make(*number)).value();
  }
  auto const name = VS_TRY(resolve_context(word));
  if (auto const state = VS_TRY(RunDir::read_state(name))) return state->xid;
  auto const config = VS_TRY(load_config(name));
  if (config.xid) return config.xid->value();
  return Error::make(Errc::NotRunning, "guest '{}' does not run and has no fixed context id", name);
}

Result<std::uint64_t> number_of(std::string_view text, std::string_view what) {
  auto const n = parse_base0(text);
  if (!n || *n < 0) return Error::make(Errc::Usage, "{}: '{}' is not a number", what, text);
  return static_cast<std::uint64_t>(*n);
}

}  // namespace vs
