// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/error.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace vs {

Error Error::context(std::string_view outer) && {
  text_.insert(0, ": ");
  text_.insert(0, outer);
  return std::move(*this);
}

Error Error::hint(std::string_view text) && {
  if (hint_.empty()) hint_ = text;
  return std::move(*this);
}

Error Error::with_code(Errc code) && {
  code_ = code;
  return std::move(*this);
}

std::string Error::message() const {
  if (sys_ == 0) return text_;
  return text_ + ": " + ::strerrordesc_np(sys_);
}

void check_failed(const char* condition, const char* file, int line) noexcept {
  std::fprintf(stderr, "vserver: internal error: %s (%s:%d)\n", condition, file, line);
  std::abort();
}

}  // namespace vs
