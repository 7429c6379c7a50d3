// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/vps.h"

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>

#include "base/text.h"
#include "cmd/commands.h"
#include "guest/context.h"
#include "guest/status.h"
#include "sys/file.h"
#include "sys/process.h"

namespace vs {

namespace {

constexpr std::size_t kColumn = 20;  // width of the column that is put in

// The whole output of ps and its wait status.
struct Output {
  std::string text;
  int status = 0;
};

Result<Output> run_ps(const std::vector<std::string>& options) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return Error::system(errno, "pipe");
  Fd const read_end{ends[0]};
  Fd write_end{ends[1]};
  Fd const null = VS_TRY(open_path("/dev/null", O_RDONLY));
  Fd const ps = VS_TRY(open_path("/bin/ps", O_PATH));
  SpawnPlan plan;
  plan.exe = ps.get();
  plan.argv = {"ps"};
  plan.argv.insert(plan.argv.end(), options.begin(), options.end());
  for (char** e = environ; *e != nullptr; ++e)
    plan.envp.emplace_back(*e);
  plan.fds = {{null.get(), STDIN_FILENO}, {write_end.get(), STDOUT_FILENO}};
  Child child = VS_TRY(spawn(plan), "run /bin/ps");
  write_end.reset();
  Output out{VS_TRY(read_all(read_end, 256U << 20U)), 0};
  int const pid = child.detach();
  while (::waitpid(pid, &out.status, 0) < 0 && errno == EINTR) {
  }
  return out;
}

// Where the PID column ends: behind the blank that follows the heading.
std::optional<std::size_t> pid_column(std::string_view heading) {
  for (auto at = heading.find("PID"); at != std::string_view::npos;
       at = heading.find("PID", at + 1)) {
    // Not the end of PPID, nor the start of another word.
    if ((at == 0 || heading[at - 1] == ' ') && (at + 3 == heading.size() || heading[at + 3] == ' '))
      return at + 4;
  }
  return std::nullopt;
}

std::string context_text(const ContextOf& context) {
  auto const text = fmt::format("{:>5} {}", context.xid, context.name);
  // A longer one is followed by one blank.
  return text.size() < kColumn ? fmt::format("{:<20}", text) : text + ' ';
}

void append_line(std::string& out, std::string_view line, std::size_t column,
                 std::string_view context) {
  out += line.substr(0, column);
  if (line.size() < column) out.append(column - line.size(), ' ');
  out += context;
  if (line.size() > column) out += line.substr(column);
  out += '\n';
}

}  // namespace

std::optional<std::string> with_contexts(std::string_view text,
                                         const std::function<ContextOf(int pid)>& find) {
  auto const lines = split_lines(text);
  auto const column = lines.empty() ? std::nullopt : pid_column(lines[0]);
  if (!column) return std::nullopt;
  std::string out;
  append_line(out, lines[0], *column, fmt::format("{:<20}", "CONTEXT"));
  for (std::size_t i = 1; i < lines.size(); ++i) {
    auto const words = split_words(lines[i].substr(0, *column));
    auto const pid = words.empty() ? std::nullopt : parse_decimal(words.back());
    append_line(out, lines[i], *column, context_text(find(static_cast<int>(pid.value_or(0)))));
  }
  return out;
}

namespace {

Result<int> run_vps(const Parsed& args) {
  auto const ps = VS_TRY(run_ps(args.operands));
  ContextMap contexts;
  auto const out = with_contexts(ps.text, [&](int pid) {
    auto context = contexts.find(pid);
    if (context.xid > kSpectatorXid) context.name = display_name(context.name);
    return context;
  });
  if (!out && WIFEXITED(ps.status) && WEXITSTATUS(ps.status) != 0) return WEXITSTATUS(ps.status);
  if (!out) return Error::make(Errc::Usage, "the output of ps has no PID column");
  std::fwrite(out->data(), 1, out->size(), stdout);
  std::fflush(stdout);
  if (!WIFSIGNALED(ps.status)) return WEXITSTATUS(ps.status);
  ::raise(WTERMSIG(ps.status));
  return 128 + WTERMSIG(ps.status);
}

}  // namespace

constexpr Command kVps{
    .name = "vps",
    .operands = "[PS'S OPTION]...",
    .summary = "Report processes with the context that each is in",
    .max_operands = kAnyNumber,
    .verbatim = true,
    .run = run_vps,
    .details =
        "Runs ps with these options and puts the column CONTEXT behind PID: the context id\n"
        "and the guest's name; MAIN for the host, ERR when the process is gone.\n"
        "Exit status: that of ps; 254 when it shows no PID column.",
    .failure = 254};

}  // namespace vs
