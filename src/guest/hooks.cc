// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/hooks.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/log.h"
#include "base/text.h"
#include "guest/paths.h"
#include "sys/cgroup.h"
#include "sys/file.h"

namespace vs {

namespace {

// Requests (file, hook, directory) come in on 3, answers go out on 4, each word ended by a NUL.
// Neither descriptor is there while a script runs: what it leaves running keeps nobody waiting.
//   $1 guest, $2 its configuration, $3 name of the command's array, then the command
constexpr const char* kDriver = R"(
VSERVER_NAME=$1 VSERVER_DIR=$2 __command=$3
declare -n __words=$__command
__words=("${@:4}")
export VSERVER_NAME VSERVER_DIR
if [ -r "$UTIL_VSERVER_VARS" ]; then
  . "$UTIL_VSERVER_VARS"
  [ ! -r "$_LIB_FUNCTIONS" ] || . "$_LIB_FUNCTIONS"
fi
set --
[ "$__command" != INITCMD_START ] || set -e
while IFS= read -r -d '' -u 3 __file && IFS= read -r -d '' -u 3 __hook && IFS= read -r -d '' -u 3 __dir; do
  cd "$__dir"
  if [ -x "$__file" ]; then
    "$__file" "$__hook" "$VSERVER_NAME" 3<&- 4>&-
  else
    . "$__file" "$__hook" "$VSERVER_NAME" 3<&- 4>&-
  fi
  printf '%s\0' "$?" "${DONT_SKIP_DEFAULTS:+1}" "${#VSERVER_EXTRA_CMDS[@]}" "${#__words[@]}" "${__words[@]}" >&4
done
)";

constexpr std::array<std::string_view, 4> kStartPoints{"initialize", "prepre-start", "pre-start",
                                                       "post-start"};

bool is_start(std::string_view point) {
  return std::find(kStartPoints.begin(), kStartPoints.end(), point) != kStartPoints.end();
}

// The text up to the next NUL.
Result<std::string> read_word(FdRef fd) {
  std::string out;
  for (;;) {
    char c = 0;
    auto const n = ::read(fd.get(), &c, 1);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Error::system(errno, "read the hooks' shell");
    if (n == 0) return Error::system(EPIPE, "the hooks' shell has ended");
    if (c == '\0') return out;
    out.push_back(c);
  }
}

Result<std::size_t> read_count(FdRef fd) {
  return static_cast<std::size_t>(parse_decimal(VS_TRY(read_word(fd))).value_or(0));
}

// A regular file that can be read; whatever else stands there is no script.
bool is_script(const std::string& file) {
  struct stat st {};
  return ::stat(file.c_str(), &st) == 0 && S_ISREG(st.st_mode) && ::access(file.c_str(), R_OK) == 0;
}

std::vector<std::string> shell_environment() {
  std::vector<std::string> out;
  for (char** e = environ; *e != nullptr; ++e)
    out.emplace_back(*e);
  std::array<char, 4096> cwd{};
  if (::getenv("INIT_CWD") == nullptr && ::getcwd(cwd.data(), cwd.size()) != nullptr)
    out.push_back(fmt::format("INIT_CWD={}", cwd.data()));
  if (::getenv("UTIL_VSERVER_VARS") == nullptr)
    out.push_back(fmt::format("UTIL_VSERVER_VARS={}/util-vserver-vars", Paths::get().libexec));
  return out;
}

}  // namespace

Hooks::Hooks(const GuestConfig& config, Phase phase, std::vector<std::string> command)
    : name_{config.name},
      dir_{fmt::format("{}/{}", Paths::get().conf, config.name)},
      vdir_{config.vdir},
      phase_{phase},
      command_{std::move(command)} {
  for (auto const& hook : config.hooks) {
    if (is_start(hook.point) == (phase == Phase::Start) && is_script(hook.file))
      files_.push_back(hook);
  }
}

bool Hooks::any() const {
  return !files_.empty();
}

Status Hooks::start_shell() {
  std::array<int, 2> to{};
  std::array<int, 2> from{};
  if (::pipe2(to.data(), O_CLOEXEC) != 0) return Error::system(errno, "pipe");
  Fd const their_requests{to[0]};
  Fd requests{to[1]};
  if (::pipe2(from.data(), O_CLOEXEC) != 0) return Error::system(errno, "pipe");
  Fd answers{from[0]};
  Fd const their_answers{from[1]};
  Fd const bash = VS_TRY(open_path("/bin/bash", O_PATH));
  SpawnPlan plan;
  plan.exe = bash.get();
  plan.argv = {"bash",
               "-c",
               kDriver,
               "vserver-hooks",
               name_,
               dir_,
               phase_ == Phase::Start ? "INITCMD_START" : "INITCMD_STOP"};
  plan.argv.insert(plan.argv.end(), command_.begin(), command_.end());
  plan.envp = shell_environment();
  plan.fds = {{their_requests.get(), 3}, {their_answers.get(), 4}};
  // What a script leaves running must not keep the guard's cgroup from going. Under systemd that is
  // the guard's unit, which copes with it.
  Fd top;
  if (!exists("/run/systemd/system")) {
    top = VS_TRY(open_path(VS_TRY(CgroupHost::find()).v2(), O_RDONLY | O_DIRECTORY));
    plan.cgroup = top.get();
  }
  shell_.emplace(Shell{VS_TRY(spawn(plan), "hooks"), std::move(requests), std::move(answers)});
  return {};
}

Result<Hooks::Answer> Hooks::ask(const std::string& file, std::string_view point) {
  if (!shell_) VS_TRY(start_shell());
  bool const early = point == "initialize" || point == "prepre-start";
  std::string request;
  for (std::string_view const text :
       {std::string_view{file}, point, std::string_view{early ? dir_ : vdir_}})
    request.append(text).push_back('\0');
  VS_TRY(write_all(shell_->requests, request, "the hooks' shell"));
  Answer answer;
  answer.status = static_cast<int>(VS_TRY(read_count(shell_->answers)));
  answer.with_defaults = !VS_TRY(read_word(shell_->answers)).empty();
  answer.extra_commands = VS_TRY(read_count(shell_->answers));
  std::vector<std::string> command(VS_TRY(read_count(shell_->answers)));
  for (auto& text : command)
    text = VS_TRY(read_word(shell_->answers));
  command_ = std::move(command);
  return answer;
}

// True when there was a script.
Result<bool> Hooks::run_files(std::string_view point, bool own) {
  bool found = false;
  for (auto const& hook : files_) {
    if (hook.point != point || hook.own != own) continue;
    found = true;
    info("hook {}", hook.file);
    auto answer = ask(hook.file, point);
    // A shell that went away took the script's status along.
    if (!answer && answer.error().sys() == EPIPE && shell_) {
      int const status = VS_TRY(shell_->child.wait());
      shell_.reset();
      if (status == 0) {
        answer =
            Error::make(Errc::System, "hook {} ended the shell that runs the hooks", hook.file);
      } else {
        answer = Answer{status, false, 0};
      }
    }
    if (!answer) return std::move(answer).error();
    with_defaults_ = with_defaults_ || answer->with_defaults;
    if (answer->extra_commands != 0)
      warn("hook {}: not yet applied: VSERVER_EXTRA_CMDS", hook.file);
    if (answer->status == 0) continue;
    if (phase_ == Phase::Start)
      return Error::make(Errc::System, "hook {} failed with status {}", hook.file, answer->status);
    warn("guest '{}': hook {} failed with status {}", name_, hook.file, answer->status);
  }
  return found;
}

Status Hooks::run(std::string_view point) {
  if (!any()) return {};
  auto ran = [&]() -> Status {
    bool const found = VS_TRY(run_files(point, true));
    if (!found || with_defaults_) VS_TRY(run_files(point, false));
    return {};
  }();
  if (ran || phase_ == Phase::Start) return ran;
  warn("guest '{}': {}", name_, ran.error().message());
  return {};
}

Result<Fd> private_mounts() {
  Fd old = VS_TRY(open_path("/proc/self/ns/mnt", O_RDONLY));
  if (::unshare(CLONE_NEWNS) != 0) return Error::system(errno, "mount namespace for hooks");
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0)
    return Error::system(errno, "mount namespace for hooks: make / a slave");
  return old;
}

}  // namespace vs
