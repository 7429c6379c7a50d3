// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "stage/raw.h"
#include "stage/stage.h"

namespace vs::stage {

namespace {

void copy_text(char* to, std::size_t size, const char* from) {
  std::size_t i = 0;
  for (; from[i] != '\0' && i + 1 < size; ++i)
    to[i] = from[i];
  to[i] = '\0';
}

}  // namespace

void report(Report::Kind kind, int value, const char* step, const char* detail, const int* fds,
            unsigned n_fds) {
  Report text{};
  text.kind = kind;
  text.value = value;
  copy_text(text.step, sizeof text.step, step);
  copy_text(text.detail, sizeof text.detail, detail);
  iovec io{&text, sizeof text};
  alignas(cmsghdr) char control[CMSG_SPACE(2 * sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &io;
  message.msg_iovlen = 1;
  if (n_fds != 0) {
    message.msg_control = control;
    message.msg_controllen = static_cast<socklen_t>(CMSG_SPACE(n_fds * sizeof(int)));
    cmsghdr* head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = static_cast<socklen_t>(CMSG_LEN(n_fds * sizeof(int)));
    memcpy(CMSG_DATA(head), fds, n_fds * sizeof(int));
  }
  // Nobody to tell when this fails.
  [[maybe_unused]] auto const n = sendmsg(kReportFd, &message, MSG_NOSIGNAL);
}

void fail(const char* step, const char* detail, int err) {
  report(Report::Kind::Error, err, step, detail);
  _exit(127);
}

int must(int result, const char* step, const char* detail) {
  if (result < 0) fail(step, detail, errno);
  return result;
}

void await(const char* step) {
  report(Report::Kind::Await, 0, step, "");
  char byte = 0;
  auto n = recv(kReportFd, &byte, 1, 0);
  while (n < 0 && errno == EINTR)
    n = recv(kReportFd, &byte, 1, 0);
  if (n != 1) fail(step, "the command went away", n < 0 ? errno : ECANCELED);
}

Plan load_plan() {
  struct stat st {};
  must(fstat(kPlanFd, &st), "read the plan");
  auto const size = static_cast<std::size_t>(st.st_size);
  if (size < sizeof(Header)) fail("read the plan", "too short", EBADMSG);
  void* map = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, kPlanFd, 0);
  if (map == MAP_FAILED) fail("read the plan", "mmap", errno);
  Plan plan{};
  const char* wrong = check_plan(static_cast<char*>(map), size, &plan);
  if (wrong != nullptr) fail("read the plan", wrong, EBADMSG);
  return plan;
}

void close_descriptors(int but) {
  close(kPlanFd);
  unsigned first = kReportFd + 1;
  if (but >= static_cast<int>(first)) {
    if (but > static_cast<int>(first)) close_range(first, static_cast<unsigned>(but) - 1);
    first = static_cast<unsigned>(but) + 1;
  }
  must(close_range(first, ~0U), "close descriptors");
}

}  // namespace vs::stage

int main() {
  using namespace vs::stage;
  // Nobody may look into this process, whatever namespaces it is in.
  must(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), "hide from tracing");
  Plan plan = load_plan();
  switch (plan.header->mode) {
    case Mode::Start: start(plan);
    case Mode::Exec: exec_in_guest(plan);
  }
  fail("read the plan", "unknown mode", EBADMSG);
}
