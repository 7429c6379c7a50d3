// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <utility>
#include <variant>

#include "base/error.h"

namespace vs {

namespace detail {
template <class P>
auto& present(P* half) noexcept {
  VS_CHECK(half != nullptr);
  return *half;
}
}  // namespace detail

// A value or the Error that prevented it. The attribute sits on the class, so no call site can
// drop an error. The interface is a subset of std::expected's.
template <class T>
class [[nodiscard]] Result {
 public:
  // Implicit on purpose: "return value;" and "return error;" are the interface.
  // NOLINTNEXTLINE(google-explicit-constructor)
  Result(T value) : v_{std::in_place_index<0>, std::move(value)} {}
  // NOLINTNEXTLINE(google-explicit-constructor)
  Result(Error error) : v_{std::in_place_index<1>, std::move(error)} {}

  [[nodiscard]] bool has_value() const noexcept { return v_.index() == 0; }
  explicit operator bool() const noexcept { return has_value(); }

  T& value() & noexcept { return detail::present(std::get_if<0>(&v_)); }
  const T& value() const& noexcept { return detail::present(std::get_if<0>(&v_)); }
  T value() && noexcept { return std::move(detail::present(std::get_if<0>(&v_))); }
  const Error& error() const& noexcept { return detail::present(std::get_if<1>(&v_)); }
  Error error() && noexcept { return std::move(detail::present(std::get_if<1>(&v_))); }

  T& operator*() & noexcept { return value(); }
  const T& operator*() const& noexcept { return value(); }
  T operator*() && noexcept { return std::move(*this).value(); }
  T* operator->() noexcept { return &value(); }
  const T* operator->() const noexcept { return &value(); }

 private:
  std::variant<T, Error> v_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : v_{std::move(error)} {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool has_value() const noexcept { return v_.index() == 0; }
  explicit operator bool() const noexcept { return has_value(); }
  void value() const noexcept { VS_CHECK(has_value()); }
  const Error& error() const& noexcept { return detail::present(std::get_if<1>(&v_)); }
  Error error() && noexcept { return std::move(detail::present(std::get_if<1>(&v_))); }

 private:
  std::variant<std::monostate, Error> v_;
};

using Status = Result<void>;

}  // namespace vs

// The value of `expr`, or return its error from the enclosing function, with the formatted context
// (optional further arguments) in front. The context is built only on failure.
#define VS_TRY(expr, ...) VS_TRY_1_(VS_CAT_(vs_try_, __COUNTER__), expr __VA_OPT__(, ) __VA_ARGS__)
#define VS_TRY_1_(name, expr, ...)                                                     \
  __extension__({                                                                      \
    auto name = (expr);                                                                \
    if (!name) [[unlikely]]                                                            \
      return std::move(name).error() __VA_OPT__(.context(::fmt::format(__VA_ARGS__))); \
    std::move(name).value();                                                           \
  })
#define VS_CAT_(a, b) VS_CAT_2_(a, b)
#define VS_CAT_2_(a, b) a##b
