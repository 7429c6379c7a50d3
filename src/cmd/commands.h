// SPDX-License-Identifier: GPL-2.0-or-later
// The tables of all commands. Parser, help, manual pages and completion are made from them.
#pragma once

#include <array>
#include <functional>
#include <span>
#include <string>

#include "base/result.h"
#include "cli/command.h"

namespace vs {

// What every verb of `vserver` accepts, in front of it and behind it.
inline constexpr std::array kCommonOptions{
    Option{'v', "verbose", "", "Say what is done; twice: each step"},
    Option{0, "debug", "", "The same as -v -v"},
    Option{0, "silent", "", "No questions, no status text, no warnings"},
    Option{'s', "sync", "", "Accepted: start and stop always wait"},
    Option{0, "defaulttty", "", "Accepted: init always has a console of its own"},
};
static_assert(is_option_table(kCommonOptions));

// Applies them: how much is said, whether questions are asked.
void apply_common(const Parsed& args);
// --silent: no question, no status text.
bool is_silent();

extern const Command kVserver;

// Verbs of vserver.
extern const Command kBuild;
extern const Command kChkconfig;
extern const Command kCondrestart;
extern const Command kConfig;
extern const Command kConsole;
extern const Command kDelete;
extern const Command kDoctor;
extern const Command kEnter;
extern const Command kExec;
extern const Command kLimits;
extern const Command kList;
extern const Command kLogs;
extern const Command kNet;
extern const Command kRepair;
extern const Command kPause;
extern const Command kRestart;
extern const Command kResume;
extern const Command kRun;
extern const Command kRunning;
extern const Command kSet;
extern const Command kShow;
extern const Command kStart;
extern const Command kStatus;
extern const Command kStop;
extern const Command kSuexec;
std::span<const Command* const> all_verbs();

// Options of each build method, behind the `--` of `vserver NAME build`.
std::span<const Command* const> build_methods();

// Programs of their own: other names of the one multi-call program.
extern const Command kCapchroot;
extern const Command kChbind;
extern const Command kChcontext;
extern const Command kExecUlimit;
extern const Command kInfo;
extern const Command kNaddress;
extern const Command kNattribute;
extern const Command kNcontext;
extern const Command kReducecap;
extern const Command kStartAll;
extern const Command kStat;
extern const Command kStopAll;
extern const Command kVattribute;
extern const Command kVcontext;
extern const Command kVkill;
extern const Command kVlimit;
extern const Command kVmemctrl;
extern const Command kVnamespace;
extern const Command kVpstree;
extern const Command kVsched;
extern const Command kVps;
extern const Command kVspace;
extern const Command kVtop;
extern const Command kVuname;
extern const Command kVserverCopy;
extern const Command kVwait;
std::span<const Command* const> all_programs();

// Runs a command with the words behind its name: parses, answers --help and --version.
//   leading   operands known already: the guest of `vserver GUEST VERB`
Result<int> run_command(const Command& command, std::vector<std::string> words,
                        std::vector<std::string> leading = {});
// `vserver [OPTION]... GUEST VERB ...` or `vserver [OPTION]... VERB GUEST...`.
Result<int> run_vserver(const std::vector<std::string>& words);

// The guest that a word of the command line means: its name, the path of its configuration
// (/etc/vservers/NAME, ./NAME), or the xid of a running guest. Fails with Errc::NotFound.
Result<std::string> resolve_guest(const std::string& word);

// Does it for each guest named; one failure does not keep the others from their turn. Prints the
// errors and gives the exit status of the first.
Result<int> for_each_guest(const Parsed& args,
                           const std::function<Status(const std::string& guest)>& action);

// Prints an error and its hint as the program's, and gives the exit status for it.
int report_error(const Error& error);

}  // namespace vs
