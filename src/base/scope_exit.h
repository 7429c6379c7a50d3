// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <type_traits>
#include <utility>

namespace vs {

// Runs an action at the end of the scope unless release() was called: arm it before the risk,
// release it as the last line.
template <class Action>
class [[nodiscard]] ScopeExit {
  static_assert(std::is_nothrow_invocable_v<Action>, "the action is an undo: it cannot fail");

 public:
  explicit ScopeExit(Action action) : action_{std::move(action)} {}
  ScopeExit(const ScopeExit&) = delete;
  ScopeExit& operator=(const ScopeExit&) = delete;
  ScopeExit(ScopeExit&&) = delete;
  ScopeExit& operator=(ScopeExit&&) = delete;
  ~ScopeExit() {
    if (armed_) action_();
  }
  void release() noexcept { armed_ = false; }

 private:
  Action action_;
  bool armed_ = true;
};

}  // namespace vs
