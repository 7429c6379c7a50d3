// SPDX-License-Identifier: GPL-2.0-or-later
// Calls by way of io_uring(7) without its library: one request at a time.
#pragma once

#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>

namespace vs::rig {

class Uring {
 public:
  // With a thread of the kernel that looks for requests, or without. `state()` is an errno.
  explicit Uring(bool polled) {
    io_uring_params p{};
    if (polled) p.flags = IORING_SETUP_SQPOLL;
    fd_ = static_cast<int>(::syscall(SYS_io_uring_setup, 4, &p));
    if (fd_ < 0) {
      state_ = errno;
      return;
    }
    polled_ = polled;
    auto const size = std::max<std::size_t>(p.sq_off.array + p.sq_entries * sizeof(std::uint32_t),
                                            p.cq_off.cqes + p.cq_entries * sizeof(io_uring_cqe));
    auto* const ring = static_cast<char*>(map(size, IORING_OFF_SQ_RING));
    entries_ =
        static_cast<io_uring_sqe*>(map(p.sq_entries * sizeof(io_uring_sqe), IORING_OFF_SQES));
    tail_ = reinterpret_cast<std::atomic<std::uint32_t>*>(ring + p.sq_off.tail);
    array_ = reinterpret_cast<std::uint32_t*>(ring + p.sq_off.array);
    mask_ = *reinterpret_cast<std::uint32_t*>(ring + p.sq_off.ring_mask);
    head_ = reinterpret_cast<std::atomic<std::uint32_t>*>(ring + p.cq_off.head);
    ready_ = reinterpret_cast<std::atomic<std::uint32_t>*>(ring + p.cq_off.tail);
    results_ = reinterpret_cast<io_uring_cqe*>(ring + p.cq_off.cqes);
    result_mask_ = *reinterpret_cast<std::uint32_t*>(ring + p.cq_off.ring_mask);
  }
  Uring(const Uring&) = delete;
  Uring& operator=(const Uring&) = delete;
  ~Uring() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int state() const { return state_; }

  // The result of the call: as of the system call, or -errno.
  int call(const io_uring_sqe& request) {
    auto const at = tail_->load() & mask_;
    entries_[at] = request;
    array_[at] = at;
    tail_->fetch_add(1);
    unsigned const flags =
        IORING_ENTER_GETEVENTS | (polled_ ? static_cast<unsigned>(IORING_ENTER_SQ_WAKEUP) : 0U);
    while (head_->load() == ready_->load()) {
      if (::syscall(SYS_io_uring_enter, fd_, 1, 1, flags, nullptr, 0) < 0 && errno != EINTR)
        return -errno;
    }
    int const result = results_[head_->load() & result_mask_].res;
    head_->fetch_add(1);
    return result;
  }

 private:
  void* map(std::size_t size, std::uint64_t offset) const {
    return ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd_,
                  static_cast<off_t>(offset));
  }
  int fd_ = -1;
  int state_ = 0;
  bool polled_ = false;
  io_uring_sqe* entries_ = nullptr;
  io_uring_cqe* results_ = nullptr;
  std::atomic<std::uint32_t>* tail_ = nullptr;
  std::atomic<std::uint32_t>* head_ = nullptr;
  std::atomic<std::uint32_t>* ready_ = nullptr;
  std::uint32_t* array_ = nullptr;
  std::uint32_t mask_ = 0;
  std::uint32_t result_mask_ = 0;
};

}  // namespace vs::rig
