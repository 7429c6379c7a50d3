// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/stage_plan.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/log.h"
#include "guest/paths.h"
#include "sys/file.h"

namespace vs {

namespace {

void add(std::string& blob, std::string_view text) {
  blob.append(text).push_back('\0');
}

template <class T>
void add_bytes(std::string& out, const T& value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

}  // namespace

std::string encode(StagePlan plan) {
  std::string strings;
  for (auto const* text : {&plan.root, &plan.hostname, &plan.domainname, &plan.cwd})
    add(strings, *text);
  for (auto const& op : plan.ops) {
    for (auto const& word : op)
      add(strings, word);
  }
  for (auto const& word : plan.argv)
    add(strings, word);
  for (auto const& word : plan.envp)
    add(strings, word);
  auto& header = plan.header;
  header.magic = stage::kPlanMagic;
  header.n_ops = static_cast<std::uint32_t>(plan.ops.size());
  header.n_late = static_cast<std::uint32_t>(
      std::count_if(plan.ops.begin(), plan.ops.end(),
                    [](const TreeOp& op) { return op[0].find('@') != std::string::npos; }));
  header.n_argv = static_cast<std::uint32_t>(plan.argv.size());
  header.n_envp = static_cast<std::uint32_t>(plan.envp.size());
  header.n_rlimits = static_cast<std::uint32_t>(plan.limits.size());
  header.n_groups = static_cast<std::uint32_t>(plan.groups.size());
  header.n_filter = static_cast<std::uint32_t>(plan.filter.size() / 8);
  header.strings_size = static_cast<std::uint32_t>(strings.size());
  std::string out;
  add_bytes(out, header);
  out += strings;
  out.resize((out.size() + 7) & ~std::size_t{7});
  for (auto const& limit : plan.limits)
    add_bytes(out, limit);
  out += plan.filter;
  for (auto const gid : plan.groups)
    add_bytes(out, gid);
  return out;
}

namespace {

// A copy that nobody can write to: from inside a guest its program could be reached by /proc.
Result<Fd> sealed_helper(const std::string& path) {
  Fd const file = VS_TRY(open_path(path, O_RDONLY));
  struct stat st {};
  if (::fstat(file.get(), &st) != 0) return Error::system(errno, "stat {}", path);
  return seal_copy("vs-stage", file, static_cast<std::size_t>(st.st_size));
}

}  // namespace

Result<Stage> run_stage(const StagePlan& plan, const StageFds& fds) {
  Fd const helper = VS_TRY(sealed_helper(Paths::get().libexec + "/vs-stage"));
  StagePlan wired = plan;
  wired.header.n_v1 = static_cast<std::uint32_t>(fds.v1_procs.size());
  Fd const text = VS_TRY(make_sealed("vs-plan", encode(std::move(wired))));
  Fd const proc = VS_TRY(open_path("/proc", O_RDONLY | O_DIRECTORY));
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0)
    return Error::system(errno, "socketpair");
  Fd ours{ends[0]};
  Fd const theirs{ends[1]};
  SpawnPlan spawn_plan;
  spawn_plan.exe = helper.get();
  spawn_plan.argv = {"vs-stage"};
  spawn_plan.fds = {
      {text.get(), stage::kPlanFd}, {theirs.get(), stage::kReportFd}, {proc.get(), stage::kProcFd}};
  for (int i = 0; i < 3; ++i) {
    if (int const fd = plan.stdio.at(static_cast<std::size_t>(i)); fd >= 0)
      spawn_plan.fds.emplace_back(fd, i);
  }
  spawn_plan.new_session = fds.new_session;
  if (fds.cgroup >= 0) spawn_plan.fds.emplace_back(fds.cgroup, stage::kCgroupFd);
  if (fds.init >= 0) spawn_plan.fds.emplace_back(fds.init, stage::kInitFd);
  if (fds.net_ns >= 0) spawn_plan.fds.emplace_back(fds.net_ns, stage::kNetNsFd);
  for (std::size_t i = 0; i < fds.v1_procs.size(); ++i)
    spawn_plan.fds.emplace_back(fds.v1_procs[i].get(), stage::kFirstV1Fd + static_cast<int>(i));
  Child child = VS_TRY(spawn(spawn_plan), "start vs-stage");
  return Stage{std::move(child), std::move(ours)};
}

namespace {

struct Received {
  stage::Report report{};
  std::vector<Fd> fds;
  bool end = false;
};

Result<Received> receive(FdRef socket) {
  Received out;
  iovec io{&out.report, sizeof out.report};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(4 * sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &io;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ssize_t n = -1;
  do {
    n = ::recvmsg(socket.get(), &message, MSG_CMSG_CLOEXEC);
  } while (n < 0 && errno == EINTR);
  if (n < 0) return Error::system(errno, "read vs-stage's report");
  out.end = n == 0;
  if (n != 0 && n != sizeof out.report)
    return Error::make(Errc::Internal, "vs-stage's report is broken");
  for (cmsghdr* head = CMSG_FIRSTHDR(&message); head != nullptr;
       head = CMSG_NXTHDR(&message, head)) {
    if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS) continue;
    for (std::size_t i = 0; i < (head->cmsg_len - CMSG_LEN(0)) / sizeof(int); ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(head) + i * sizeof(int), sizeof fd);
      out.fds.emplace_back(fd);
    }
  }
  return out;
}

Error stage_error(const stage::Report& report) {
  std::string const detail = report.detail;
  auto error = detail.empty() ? Error::system(report.value, "{}", report.step)
                              : Error::system(report.value, "{} {}", report.step, detail);
  if (std::string_view{report.step} == "exec") return std::move(error).with_code(Errc::NotFound);
  return error;
}

}  // namespace

Result<StageReports> follow_stage(FdRef reports, const std::function<Status(int pid)>& on_init) {
  StageReports out;
  Status answered;  // what on_init said
  for (;;) {
    auto got = VS_TRY(receive(reports));
    // An init that the helper gave up while it was set up from here: the helper knows why.
    bool const over = got.end || got.report.kind == stage::Report::Kind::Await;
    if (over && !answered) return std::move(answered).error();
    if (got.end) return out;
    switch (got.report.kind) {
      case stage::Report::Kind::Error: return stage_error(got.report);
      case stage::Report::Kind::Warning:
        warn("{} {}: {}", got.report.step, got.report.detail, ::strerrordesc_np(got.report.value));
        break;
      case stage::Report::Kind::Init:
        // While the helper goes on: it waits for the answer to Await before init is let go.
        out.pid = got.report.value;
        answered = on_init(out.pid);
        break;
      case stage::Report::Kind::Descriptors:
        for (auto& fd : got.fds)
          out.descriptors.push_back(std::move(fd));
        break;
      case stage::Report::Kind::Await:
        if (::send(reports.get(), "g", 1, MSG_NOSIGNAL) != 1)
          return Error::system(errno, "release vs-stage");
        break;
    }
  }
}

}  // namespace vs
