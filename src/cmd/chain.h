// SPDX-License-Identifier: GPL-2.0-or-later
// What the original's chain tools share: each does one thing and becomes the rest of its line.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/command.h"

namespace vs {

// Prints an error as the program's, and gives this exit status instead of the program's usual one.
int fail_with(const Error& error, int code);

// Becomes the words; returns only when that failed.
Error become(const std::vector<std::string>& words);
// The same when there are any; else exit status 0.
Result<int> become_rest(const Parsed& args);

// A context on the command line: "self", a number, ":NAME", or a guest's name. Gives the name of
// its run: of a guest, or of a context without one. Fails with Errc::NotFound.
Result<std::string> resolve_context(std::string_view word);
// The number for it, running or not; kHostXid and kSpectatorXid as they are.
Result<std::uint32_t> resolve_xid(std::string_view word);

// An unsigned number in C's notation. Fails with Errc::Usage naming `what`.
Result<std::uint64_t> number_of(std::string_view text, std::string_view what);

}  // namespace vs
