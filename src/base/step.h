// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <span>
#include <string_view>

#include "base/log.h"
#include "base/result.h"
#include "base/test_seam.h"

namespace vs {

// One step of a change, with its undo.
template <class Subject>
struct Step {
  std::string_view name;
  Status (*apply)(Subject&);
  void (*undo)(Subject&) noexcept;  // null: nothing to undo
};

// Undoes all steps, last first.
template <class Subject>
void undo_steps(std::span<const Step<Subject>> steps, Subject& subject) noexcept {
  for (std::size_t i = steps.size(); i-- > 0;) {
    if (steps[i].undo != nullptr) steps[i].undo(subject);
  }
}

// Applies steps in order. When one fails, undoes it and those before it, last first: an undo must
// cope with a step that got only half way.
template <class Subject>
Status run_steps(std::span<const Step<Subject>> steps, Subject& subject) {
  for (std::size_t i = 0; i < steps.size(); ++i) {
    debug("step {}", steps[i].name);
    Status done = test_seam(steps[i].name);
    if (done) done = steps[i].apply(subject);
    if (done) continue;
    undo_steps(steps.first(i + 1), subject);
    return std::move(done).error();
  }
  return {};
}

}  // namespace vs
