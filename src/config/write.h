// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace vs {

// What set_entry would write for a text, newline included. Fails with Errc::Usage when the path
// is no entry of a guest's tree, or the text none of its kind.
Result<std::string> entry_content(std::string_view path, std::string_view text);

// Writes DIR/PATH, making directories on the way; no reader sees half of it, and a failure leaves
// no new directory. A flag takes no text.
Status set_entry(const std::string& dir, const std::string& path, std::string_view text);

// Removes DIR/PATH, an entry or a directory of entries such as interfaces/0. No reader sees half of
// it. Nothing there is success. Links such as vdir are refused: they are more than a value.
Status unset_entry(const std::string& dir, const std::string& path);

// Takes away what a command left below DIR that was killed while it did one of the two: names that
// no reader looks at. Gives the entries they were for; the old or the new value of those holds.
Result<std::vector<std::string>> sweep_entries(const std::string& dir);

}  // namespace vs
