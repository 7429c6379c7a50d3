// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/flag_table.h"

#include <optional>

#include "base/text.h"

namespace vs {

namespace {

std::optional<std::uint64_t> item_bits(std::span<const FlagName> table, std::string_view prefix,
                                       std::string_view item) {
  std::string const lower = to_lower(item);
  std::string_view name = lower;
  if (name == "all" || name == "any") return ~std::uint64_t{0};
  if (name == "none") return 0;
  if (name.starts_with('^')) {
    auto const bit = parse_decimal(name.substr(1));
    if (!bit || *bit > 63) return std::nullopt;
    return std::uint64_t{1} << *bit;
  }
  for (auto const& row : table) {
    if (to_lower(row.name) == name) return row.bits;
  }
  if (!prefix.empty() && name.starts_with(to_lower(prefix))) {
    for (auto const& row : table) {
      if (to_lower(row.name) == name.substr(prefix.size())) return row.bits;
    }
  }
  auto const number = parse_base0(name);
  if (!number || *number < 0) return std::nullopt;
  return static_cast<std::uint64_t>(*number);
}

// "none" clears what came before it when positive, and means "everything" when negated, as in the
// original's list parser.
void apply_item(FlagChange& change, std::uint64_t bits, bool negated) {
  if (negated) {
    change.value &= ~bits;
  } else {
    change.value |= bits;
  }
  change.mask |= bits;
}

}  // namespace

Result<FlagChange> parse_flags(std::span<const FlagName> table, std::string_view prefix,
                               std::string_view text) {
  FlagChange change;
  std::size_t position = 0;
  for (auto item : split(text, ',')) {
    std::size_t const start = position;
    position += item.size() + 1;
    item = trim(item);
    bool negated = false;
    bool marked = false;
    while (item.starts_with('~') || item.starts_with('!')) {
      negated = !negated;
      marked = true;
      item.remove_prefix(1);
    }
    if (item.empty() && !marked) continue;
    auto const bits = item_bits(table, prefix, item);
    if (!bits) {
      std::vector<std::string_view> names;
      for (auto const& row : table)
        names.push_back(row.name);
      auto error =
          Error::make(Errc::Usage, "unknown flag '{}' at position {} of '{}'", item, start, text);
      if (auto const near = nearest(to_lower(item), names))
        return std::move(error).hint(fmt::format("did you mean '{}'?", *near));
      return error;
    }
    apply_item(change, *bits, negated);
  }
  return change;
}

std::string format_flags(std::span<const FlagName> table, std::uint64_t bits) {
  std::string out;
  auto const add = [&out](std::string_view part) {
    if (!out.empty()) out.push_back(',');
    out.append(part);
  };
  for (auto const& row : table) {
    if ((bits & row.bits) != row.bits) continue;
    add(row.name);
    bits &= ~row.bits;
  }
  if (bits != 0) add(fmt::format("{:#x}", bits));
  return out;
}

}  // namespace vs
