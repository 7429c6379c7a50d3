// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "context/xid.h"
#include "guest/init_style.h"
#include "limit/plan.h"
#include "rootfs/tree_plan.h"

namespace vs {

class Tree;

enum class NetMode : std::uint8_t {
  Shared,   // the host's network stack, and of its addresses only the guest's own
  Private,  // own network namespace, joined by a routed veth pair
  Host,     // the host's without any rule; addresses are added to its devices
};

// Whether a guest is started again when its init has ended.
enum class RestartPolicy : std::uint8_t {
  No,
  OnReboot,   // reboot(2) from inside
  OnFailure,  // also when init failed, or ended while nobody watched
  Always,     // whatever the reason; only a stop ends it
};

struct InterfaceEntry {
  std::string dir;  // name of the directory, for messages
  std::string ip, dev, prefix, mask, bcast, name;
  bool nodev = false;
  bool down = false;
};

struct LimitEntry {
  int resource;
  std::uint64_t soft;
  std::uint64_t hard;
};

// A script of CONF/NAME/scripts or CONF/.defaults/scripts; whether it is one is seen when it runs.
struct HookFile {
  std::string point;  // "pre-start"
  std::string file;
  bool own = true;  // the guest's, not of .defaults
};

// A signal to all processes of a guest, and how long to wait for their end then.
struct KillStep {
  int signal;
  int wait_s;
};

// A guest's configuration, read and checked; what the plan is computed from.
struct GuestConfig {
  std::string name;  // directory below the configuration root
  std::string vdir;  // root directory on the host
  std::optional<Xid> xid;
  bool userns = true;
  bool seccomp = true;
  std::string nodename;
  std::string domainname;
  const InitStyle* style = nullptr;
  std::vector<std::string> init;          // cmd.start; empty: by style (plan_init)
  std::vector<std::string> stop_command;  // cmd.stop; empty: by style
  std::string start_level, stop_level;    // run levels; empty: by style
  std::vector<KillStep> kill_sequence;    // what a stop sends at last
  std::vector<std::string> environment;
  std::uint64_t capabilities = 0;
  std::uint64_t context_flags = 0;         // cflags
  std::uint64_t context_capabilities = 0;  // ccaps
  std::vector<LimitEntry> limits;          // per process
  LimitRequest whole;                      // of the whole guest
  int nice = 0;
  int stop_timeout_s = 30;
  RestartPolicy restart = RestartPolicy::OnReboot;
  std::vector<Fstab> fstabs;       // in the order in which they are mounted
  std::vector<std::string> shell;  // of enter; empty: what the guest has
  NetMode net = NetMode::Private;
  std::vector<InterfaceEntry> interfaces;
  std::vector<HookFile> hooks;           // in the order in which those of one point run
  std::string nflags;                    // list; Shared
  std::string ncapabilities;             // list; Shared
  std::string lback;                     // address behind the guest's 127.0.0.1; empty: by the xid
  std::vector<std::string> warnings;     // "FILE: text": unknown and misplaced entries
  std::vector<std::string> outdated;     // "FILE: deprecated: ..."
  std::vector<std::string> not_applied;  // entries whose feature is not built yet
};

// What a guest's programs may have when its configuration does not say: over a network namespace of
// the host's CAP_NET_RAW of a user namespace reaches nothing, and programs like ping, whose file
// asks for it, would not be executed without it.
std::uint64_t default_bound(const GuestConfig& config);

// Reads CONF/NAME and, for what it does not say, CONF/.defaults. Fails with Errc::NotFound when
// there is no such guest, with Errc::Config and "FILE:LINE: why" when an entry is wrong.
Result<GuestConfig> load_config(const std::string& name);

// The same from trees that are read already, all but vdir: what `config set` asks before it writes.
Result<GuestConfig> interpret(const std::string& name, const Tree& own, const Tree& defaults);

// All that would keep a guest with these trees from starting, "FILE:LINE: why"; of each part the
// first.
std::vector<std::string> find_faults(const std::string& name, const Tree& own,
                                     const Tree& defaults);

// The limits of each process that a directory such as CONF/NAME/ulimits asks for; of resources that
// it does not name the hard limit is out of the way. Nothing there is no error. Fails with
// Errc::Config naming the file.
Result<std::vector<LimitEntry>> read_ulimits(const std::string& dir);

// CONF/.defaults; empty when there is none.
Result<Tree> read_defaults();

// Names of all guests: directories below CONF with a vdir, not starting with a dot.
Result<std::vector<std::string>> list_guests();

// Writes CONF/NAME/ENTRY, making directories on the way.
Status write_entry(const std::string& name, const std::string& entry, const std::string& text);

}  // namespace vs
