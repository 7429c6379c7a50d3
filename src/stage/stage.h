// SPDX-License-Identifier: GPL-2.0-or-later
// vs-stage: what runs between clone and the guest's program. Single-threaded, static, started from
// a sealed memfd, speaks to the command by reports only.
#pragma once

#include <cstddef>
#include <cstdint>

#include "stage/plan.h"

namespace vs::stage {

// A cursor over NUL-terminated strings inside the plan. check_plan() counted them: next() is called
// no more often than the header says.
struct Strings {
  char* at;
  char* next();
};

struct Plan {
  const Header* header;
  Strings strings;  // stands behind the last string that was read
  const Rlimit* rlimits;
  const void* filter;
  const std::uint32_t* groups;
};

// Checks every count of a plan against its size and finds its parts; `bytes` is aligned to 8.
// Returns what is wrong, or nullptr.
const char* check_plan(char* bytes, std::size_t size, Plan* out);

// Ends the program: reports step, detail and err to the command.
[[noreturn]] void fail(const char* step, const char* detail, int err);
// fail() with errno when result is negative, else result.
int must(int result, const char* step, const char* detail = "");
// Sends a report; with up to two descriptors.
void report(Report::Kind kind, int value, const char* step, const char* detail,
            const int* fds = nullptr, unsigned n_fds = 0);
// Waits for the command's byte after an Await report.
void await(const char* step);

// Maps the plan from kPlanFd, privately and writable: strings are split in place.
Plan load_plan();

// What operations on the tree work with: descriptors, -1 where there is none.
struct OpContext {
  int root;
  int userns;  // for idmapped mounts
  int proc;    // detached mounts made in the guest's namespaces
  int sys;
};
// Does the next `count` operations of the plan as host root (see plan.h).
void apply_ops(Plan& plan, std::uint32_t count, const OpContext& context);

// Bounding set, ids, seccomp, and without a user namespace the other capability sets: afterwards
// the process has nothing that the guest's root has not.
void become_guest(const Plan& plan);
// Closes all descriptors but 0, 1, 2, the reports and `but` (-1: none). Not left to exec: a
// script's interpreter "/proc/self/fd/N/..." is looked up before exec closes anything.
void close_descriptors(int but);
// Process 1 of a guest without an init of its own: runs the program of the plan as a child, ends
// with its status if that is not 0, else with the last process of the guest.
[[noreturn]] void run_and_reap(Plan& plan);
// execve with argv and envp of the plan; does not return.
[[noreturn]] void exec_program(Plan& plan);
// A terminal of the guest's own devpts: returns the slave, sends the master to the command.
// extra, if not -1, travels with it.
int open_terminal(const char* step, int extra);

[[noreturn]] void start(Plan& plan);
[[noreturn]] void exec_in_guest(Plan& plan);

}  // namespace vs::stage
