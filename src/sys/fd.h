// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <fcntl.h>

#include <utility>

namespace vs {

// Owns a descriptor.
class Fd {
 public:
  Fd() noexcept = default;
  explicit Fd(int fd) noexcept : fd_{fd} {}
  Fd(Fd&& o) noexcept : fd_{o.release()} {}
  Fd& operator=(Fd&& o) noexcept {
    if (this != &o) reset(o.release());
    return *this;
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() { reset(); }

  [[nodiscard]] int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }
  [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }
  void reset(int fd = -1) noexcept;

 private:
  int fd_ = -1;
};

// Borrows a descriptor: the type of every parameter that does not take ownership.
class FdRef {
 public:
  FdRef(const Fd& fd) noexcept : n_{fd.get()} {}  // NOLINT(google-explicit-constructor)
  FdRef(Fd&&) = delete;                           // would dangle
  static FdRef cwd() noexcept { return FdRef{AT_FDCWD}; }
  // A descriptor that somebody else owns by number: 0..2, or one that was handed over.
  static FdRef raw(int n) noexcept { return FdRef{n}; }
  [[nodiscard]] int get() const noexcept { return n_; }

 private:
  explicit FdRef(int n) noexcept : n_{n} {}
  int n_;
};

}  // namespace vs
