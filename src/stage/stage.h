// SPDX-License-Identifier: GPL-2.0-or-later
// vs-stage: what runs between clone and the guest's program. Single-threaded, static, started from
// a sealed memfd, speaks to the command by reports only.
#pragma once

#include <cstdint>

#include "stage/plan.h"

namespace vs::stage {

// A cursor over NUL-terminated strings inside the plan.
struct Strings {
  const char* at;
  const char* end;
  // Next string; a truncated plan ends the program.
  const char* next();
};

struct Plan {
  const Header* header;
  Strings strings;  // stands behind the last string that was read
  const Rlimit* rlimits;
  const void* filter;
};

// Ends the program: reports step, detail and err to the command.
[[noreturn]] void fail(const char* step, const char* detail, int err);
// fail() with errno when result is negative, else result.
int must(int result, const char* step, const char* detail = "");
// Sends a report; with up to two descriptors.
void report(Report::Kind kind, int value, const char* step, const char* detail,
            const int* fds = nullptr, unsigned n_fds = 0);
// Waits for the command's byte after an Await report.
void await(const char* step);

// Maps the plan from kPlanFd and checks its frame.
Plan load_plan();

// The tree as host root: tmpfs, binds, nodes, masks (see plan.h); `userns` for idmapped mounts,
// `proc` and `sys` are detached mounts made in the guest's namespaces (or -1).
void apply_ops(Plan& plan, int root, int userns, int proc, int sys);

// rlimits, bounding set, ids, seccomp; the last things before exec.
void become_guest(const Plan& plan);
// execve with argv and envp of the plan; does not return.
[[noreturn]] void exec_program(Plan& plan);
// A terminal of the guest's own devpts: returns the slave, sends the master to the command.
// extra, if not -1, travels with it.
int open_terminal(const char* step, int extra);

[[noreturn]] void start(Plan& plan);
[[noreturn]] void exec_in_guest(Plan& plan);

}  // namespace vs::stage
