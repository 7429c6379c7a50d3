// SPDX-License-Identifier: GPL-2.0-or-later
// Processes of the host and of other guests: seeing, signalling, tracing, reading, joining. The
// victim is this program itself (mode "victim"), so that an address of its memory is known.
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/uio.h>

#include "attack.h"

namespace attack {
namespace {

volatile char secret[16] = "victim's secret";

pid_t victim() {
  return static_cast<pid_t>(atoi(argument("victim").c_str()));
}
std::string proc(const char* entry) {
  return "/proc/" + argument("victim") + "/" + entry;
}
int open_proc(const char* entry) {
  return result(open(proc(entry).c_str(), O_RDONLY));
}

int signal_it() {
  return result(kill(victim(), 0));
}
int signal_thread() {
  return result(syscall(SYS_tgkill, victim(), victim(), 0));
}
int queue_signal() {
  siginfo_t info{};
  info.si_code = SI_QUEUE;
  return result(syscall(SYS_rt_sigqueueinfo, victim(), 0, &info));
}
int open_pidfd() {
  return result(syscall(SYS_pidfd_open, victim(), 0));
}
int take_descriptor() {
  int const fd = static_cast<int>(syscall(SYS_pidfd_open, victim(), 0));
  return fd < 0 ? errno : result(syscall(SYS_pidfd_getfd, fd, 0, 0));
}
int trace() {
  return result(ptrace(PTRACE_SEIZE, victim(), nullptr, nullptr));
}
int read_memory() {
  char text[sizeof secret];
  iovec const mine{text, sizeof text};
  iovec const its{const_cast<char*>(secret), sizeof secret};
  return result(process_vm_readv(victim(), &mine, 1, &its, 1, 0));
}
int compare() {
  return result(syscall(SYS_kcmp, getpid(), victim(), 2 /* KCMP_FILES */, 0, 0));
}
int see_status() {
  return open_proc("status");
}
int see_environment() {
  return open_proc("environ");
}
int see_memory() {
  return open_proc("mem");
}
int walk_its_root() {
  return open_proc("root/etc");
}
int walk_its_cwd() {
  return open_proc("cwd/.");
}
int join_its_mounts() {
  int const fd = open(proc("ns/mnt").c_str(), O_RDONLY);
  return fd < 0 ? errno : result(setns(fd, CLONE_NEWNS));
}
int renice() {
  return result(setpriority(PRIO_PROCESS, static_cast<id_t>(victim()), 5));
}
int move_to_cpu() {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(0, &set);
  return result(sched_setaffinity(victim(), sizeof set, &set));
}
int change_limit() {
  rlimit limit{};
  return result(prlimit(victim(), RLIMIT_NOFILE, nullptr, &limit));
}
int session() {
  return result(getsid(victim()));
}

constexpr std::array kRows{
    Row{"signal", signal_it, Control::Host, {ESRCH}},
    Row{"signal a thread", signal_thread, Control::Host, {ESRCH}},
    Row{"queue a signal", queue_signal, Control::Host, {ESRCH}},
    Row{"pidfd_open", open_pidfd, Control::Host, {ESRCH}},
    Row{"pidfd_getfd", take_descriptor, Control::Host, {ESRCH}},
    Row{"ptrace", trace, Control::Host, {ESRCH}},
    Row{"process_vm_readv", read_memory, Control::Host, {ESRCH}},
    Row{"kcmp", compare, Control::Host, {ESRCH}},
    Row{"/proc/PID/status", see_status, Control::Host, {ENOENT}},
    Row{"/proc/PID/environ", see_environment, Control::Host, {ENOENT}},
    Row{"/proc/PID/mem", see_memory, Control::Host, {ENOENT}},
    Row{"/proc/PID/root", walk_its_root, Control::Host, {ENOENT}},
    Row{"/proc/PID/cwd", walk_its_cwd, Control::Host, {ENOENT}},
    Row{"join its mount namespace", join_its_mounts, Control::Host, {ENOENT}},
    Row{"renice", renice, Control::Host, {ESRCH}},
    Row{"sched_setaffinity", move_to_cpu, Control::Host, {ESRCH}},
    Row{"prlimit", change_limit, Control::Host, {ESRCH}},
    Row{"getsid", session, Control::Host, {ESRCH}},
};

// Looks through every process that appears in this pid namespace, as fast as it can, for a root
// directory where the host's file is. Ids are given in order, so the next ones are known.
int watch(const char* secret, int seconds) {
  alarm(static_cast<unsigned>(seconds));
  signal(SIGALRM, [](int) { _exit(1); });
  char path[4096];
  for (int next = getpid() + 1;;) {
    bool any = false;
    for (int pid = next; pid < next + 4; ++pid) {
      snprintf(path, sizeof path, "/proc/%d/root%s", pid, secret);
      if (open(path, O_RDONLY) >= 0) return 0;
      // Gone on to its own program: the next one will have a higher id.
      if (errno == ENOENT && kill(pid, 0) == 0) any = true;
      if (any && kill(pid, 0) != 0) {
        next = pid + 1;
        break;
      }
    }
  }
}

}  // namespace
}  // namespace attack

int main(int argc, char** argv) {
  if (argc == 4 && strcmp(argv[1], "watch") == 0) return attack::watch(argv[2], atoi(argv[3]));
  if (argc == 2 && strcmp(argv[1], "victim") == 0) {
    pause();
    return 0;
  }
  return attack::main_of(attack::kRows, argc, argv);
}
