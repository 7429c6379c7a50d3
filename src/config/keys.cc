// SPDX-License-Identifier: GPL-2.0-or-later
// size: one table
#include "config/keys.h"

#include <algorithm>
#include <array>
#include <vector>

#include "base/text.h"

namespace vs {

namespace {

// The first match wins: specific patterns stand before "*".
constexpr auto kKeys = std::to_array<Key>({
    Key{"name", Kind::Scalar, "", "name of the directory", "name shown in listings", true},
    Key{"context", Kind::Scalar, "", "chosen at start", "fixed context id, 2 to 49151", true},
    Key{"ncontext", Kind::Scalar, "", "context", "id of the network context", true},
    Key{"vdir", Kind::Link, "", "", "the guest's root directory; makes the tree a guest", true},
    Key{"run", Kind::Link, "", "", "the guest's run file", true},
    Key{"disabled", Kind::Flag, "", "", "commands for all guests skip this one", true},
    Key{"shell", Kind::Scalar, "", "the guest's own", "shell of enter, one word", true},
    Key{"nice", Kind::Integer, "", "0", "niceness of the guest's processes", true},
    Key{"userns", Kind::Scalar, "", "on", "on or off: an own user namespace; not of util-vserver",
        true},
    Key{"seccomp", Kind::Scalar, "", "on", "on or off: the system call filter; not of util-vserver",
        true},
    Key{"net/mode", Kind::Scalar, "", "private",
        "private (own network namespace) or host; not of util-vserver", true},
    Key{"fstab", Kind::Fstab, "", "", "mounts made in the host's network context", true},
    Key{"fstab.remote", Kind::Fstab, "", "", "mounts made in the guest's network context", true},
    Key{"fstab.local", Kind::Fstab, "", "", "deprecated: use fstab", true},
    Key{"bcapabilities", Kind::List, "", "a secure set", "capabilities added or (with ~) removed",
        true},
    Key{"cflags", Kind::List, "", "", "context flags", true},
    Key{"flags", Kind::List, "", "", "old name of cflags; read when there is no cflags", true},
    Key{"uts/nodename", Kind::Raw, "", "the guest's name", "host name", true},
    Key{"uts/domainname", Kind::Raw, "", "", "NIS domain name", true},
    Key{"apps/init/style", Kind::Scalar, "", "sysv", "how the guest is started", true},
    Key{"apps/init/cmd.start", Kind::Array, "", "by style",
        "command that starts the guest, one argument per line", true},
    Key{"apps/init/cmd.stop", Kind::Array, "", "by style",
        "command that stops the guest, one argument per line", true},
    Key{"apps/init/killseq", Kind::Array, "", "15 5 9",
        "last signals and the waits between them, one per line", true},
    Key{"apps/init/environment", Kind::Array, "", "a PATH",
        "VAR=VALUE, one per line; replaces the default", true},
    Key{"apps/init/mark", Kind::Array, "", "none", "boot groups, one per line", true},
    Key{"apps/init/depends", Kind::List, "", "none", "guests to start before this one", true},
    Key{"apps/vshelper/sync-timeout", Kind::Integer, "s", "30",
        "how long stop waits before SIGKILL", true},
    Key{"interfaces/dev", Kind::Scalar, "", "", "host device for the interfaces that have none",
        true},
    Key{"interfaces/*/dev", Kind::Scalar, "", "interfaces/dev", "host device", true},
    Key{"interfaces/prefix", Kind::Scalar, "", "",
        "prefix length for the interfaces that have none", true},
    Key{"interfaces/*/prefix", Kind::Scalar, "", "interfaces/prefix", "prefix length", true},
    Key{"interfaces/mask", Kind::Scalar, "", "", "dotted mask for the interfaces that have none",
        true},
    Key{"interfaces/*/mask", Kind::Scalar, "", "interfaces/mask", "dotted mask", true},
    Key{"interfaces/bcast", Kind::Scalar, "", "",
        "broadcast address for the interfaces that have none", true},
    Key{"interfaces/*/bcast", Kind::Scalar, "", "interfaces/bcast", "broadcast address", true},
    Key{"interfaces/*/ip", Kind::Scalar, "", "", "IPv4 or IPv6 address; required", true},
    Key{"interfaces/*/name", Kind::Scalar, "", "", "label of the address, after 'dev:'", true},
    Key{"interfaces/*/nodev", Kind::Flag, "", "", "the address is on the host already", true},
    Key{"interfaces/*/only_ip", Kind::Flag, "", "", "deprecated: use nodev", true},
    Key{"interfaces/*/down", Kind::Flag, "", "", "do not set the link up", true},
    Key{"interfaces/*/disabled", Kind::Flag, "", "", "skip this interface", true},
    Key{"ulimits/as", Kind::Limit, "bytes", "", "soft and hard limit per process: address space",
        true},
    Key{"ulimits/as.soft", Kind::Limit, "bytes", "", "soft limit per process: address space", true},
    Key{"ulimits/as.hard", Kind::Limit, "bytes", "", "hard limit per process: address space", true},
    Key{"ulimits/core", Kind::Limit, "bytes", "", "soft and hard limit per process: core dump size",
        true},
    Key{"ulimits/core.soft", Kind::Limit, "bytes", "", "soft limit per process: core dump size",
        true},
    Key{"ulimits/core.hard", Kind::Limit, "bytes", "", "hard limit per process: core dump size",
        true},
    Key{"ulimits/cpu", Kind::Limit, "s", "", "soft and hard limit per process: processor time",
        true},
    Key{"ulimits/cpu.soft", Kind::Limit, "s", "", "soft limit per process: processor time", true},
    Key{"ulimits/cpu.hard", Kind::Limit, "s", "", "hard limit per process: processor time", true},
    Key{"ulimits/data", Kind::Limit, "bytes", "", "soft and hard limit per process: data segment",
        true},
    Key{"ulimits/data.soft", Kind::Limit, "bytes", "", "soft limit per process: data segment",
        true},
    Key{"ulimits/data.hard", Kind::Limit, "bytes", "", "hard limit per process: data segment",
        true},
    Key{"ulimits/fsize", Kind::Limit, "bytes", "", "soft and hard limit per process: file size",
        true},
    Key{"ulimits/fsize.soft", Kind::Limit, "bytes", "", "soft limit per process: file size", true},
    Key{"ulimits/fsize.hard", Kind::Limit, "bytes", "", "hard limit per process: file size", true},
    Key{"ulimits/locks", Kind::Limit, "", "", "soft and hard limit per process: file locks", true},
    Key{"ulimits/locks.soft", Kind::Limit, "", "", "soft limit per process: file locks", true},
    Key{"ulimits/locks.hard", Kind::Limit, "", "", "hard limit per process: file locks", true},
    Key{"ulimits/memlock", Kind::Limit, "bytes", "",
        "soft and hard limit per process: locked memory", true},
    Key{"ulimits/memlock.soft", Kind::Limit, "bytes", "", "soft limit per process: locked memory",
        true},
    Key{"ulimits/memlock.hard", Kind::Limit, "bytes", "", "hard limit per process: locked memory",
        true},
    Key{"ulimits/nofile", Kind::Limit, "", "", "soft and hard limit per process: open files", true},
    Key{"ulimits/nofile.soft", Kind::Limit, "", "", "soft limit per process: open files", true},
    Key{"ulimits/nofile.hard", Kind::Limit, "", "", "hard limit per process: open files", true},
    Key{"ulimits/nproc", Kind::Limit, "", "", "soft and hard limit per process: processes", true},
    Key{"ulimits/nproc.soft", Kind::Limit, "", "", "soft limit per process: processes", true},
    Key{"ulimits/nproc.hard", Kind::Limit, "", "", "hard limit per process: processes", true},
    Key{"ulimits/rss", Kind::Limit, "bytes", "", "soft and hard limit per process: resident memory",
        true},
    Key{"ulimits/rss.soft", Kind::Limit, "bytes", "", "soft limit per process: resident memory",
        true},
    Key{"ulimits/rss.hard", Kind::Limit, "bytes", "", "hard limit per process: resident memory",
        true},
    Key{"ulimits/stack", Kind::Limit, "bytes", "", "soft and hard limit per process: stack", true},
    Key{"ulimits/stack.soft", Kind::Limit, "bytes", "", "soft limit per process: stack", true},
    Key{"ulimits/stack.hard", Kind::Limit, "bytes", "", "hard limit per process: stack", true},
    Key{"rlimits/cpu", Kind::Limit, "s", "", "limit of the whole guest: processor time", true},
    Key{"rlimits/cpu.min", Kind::Limit, "s", "", "guarantee of the whole guest: processor time",
        true},
    Key{"rlimits/cpu.soft", Kind::Limit, "s", "", "soft limit of the whole guest: processor time",
        true},
    Key{"rlimits/cpu.hard", Kind::Limit, "s", "", "hard limit of the whole guest: processor time",
        true},
    Key{"rlimits/fsize", Kind::Limit, "bytes", "", "limit of the whole guest: file size", true},
    Key{"rlimits/fsize.min", Kind::Limit, "bytes", "", "guarantee of the whole guest: file size",
        true},
    Key{"rlimits/fsize.soft", Kind::Limit, "bytes", "", "soft limit of the whole guest: file size",
        true},
    Key{"rlimits/fsize.hard", Kind::Limit, "bytes", "", "hard limit of the whole guest: file size",
        true},
    Key{"rlimits/data", Kind::Limit, "bytes", "", "limit of the whole guest: data segment", true},
    Key{"rlimits/data.min", Kind::Limit, "bytes", "", "guarantee of the whole guest: data segment",
        true},
    Key{"rlimits/data.soft", Kind::Limit, "bytes", "",
        "soft limit of the whole guest: data segment", true},
    Key{"rlimits/data.hard", Kind::Limit, "bytes", "",
        "hard limit of the whole guest: data segment", true},
    Key{"rlimits/stack", Kind::Limit, "bytes", "", "limit of the whole guest: stack", true},
    Key{"rlimits/stack.min", Kind::Limit, "bytes", "", "guarantee of the whole guest: stack", true},
    Key{"rlimits/stack.soft", Kind::Limit, "bytes", "", "soft limit of the whole guest: stack",
        true},
    Key{"rlimits/stack.hard", Kind::Limit, "bytes", "", "hard limit of the whole guest: stack",
        true},
    Key{"rlimits/core", Kind::Limit, "bytes", "", "limit of the whole guest: core dump size", true},
    Key{"rlimits/core.min", Kind::Limit, "bytes", "",
        "guarantee of the whole guest: core dump size", true},
    Key{"rlimits/core.soft", Kind::Limit, "bytes", "",
        "soft limit of the whole guest: core dump size", true},
    Key{"rlimits/core.hard", Kind::Limit, "bytes", "",
        "hard limit of the whole guest: core dump size", true},
    Key{"rlimits/rss", Kind::Limit, "pages", "", "limit of the whole guest: resident memory",
        false},
    Key{"rlimits/rss.min", Kind::Limit, "pages", "",
        "guarantee of the whole guest: resident memory", false},
    Key{"rlimits/rss.soft", Kind::Limit, "pages", "",
        "soft limit of the whole guest: resident memory", false},
    Key{"rlimits/rss.hard", Kind::Limit, "pages", "",
        "hard limit of the whole guest: resident memory", false},
    Key{"rlimits/nproc", Kind::Limit, "", "", "limit of the whole guest: processes", true},
    Key{"rlimits/nproc.min", Kind::Limit, "", "", "guarantee of the whole guest: processes", true},
    Key{"rlimits/nproc.soft", Kind::Limit, "", "", "soft limit of the whole guest: processes",
        true},
    Key{"rlimits/nproc.hard", Kind::Limit, "", "", "hard limit of the whole guest: processes",
        true},
    Key{"rlimits/nofile", Kind::Limit, "", "", "limit of the whole guest: open files", true},
    Key{"rlimits/nofile.min", Kind::Limit, "", "", "guarantee of the whole guest: open files",
        true},
    Key{"rlimits/nofile.soft", Kind::Limit, "", "", "soft limit of the whole guest: open files",
        true},
    Key{"rlimits/nofile.hard", Kind::Limit, "", "", "hard limit of the whole guest: open files",
        true},
    Key{"rlimits/memlock", Kind::Limit, "pages", "", "limit of the whole guest: locked memory",
        true},
    Key{"rlimits/memlock.min", Kind::Limit, "pages", "",
        "guarantee of the whole guest: locked memory", true},
    Key{"rlimits/memlock.soft", Kind::Limit, "pages", "",
        "soft limit of the whole guest: locked memory", true},
    Key{"rlimits/memlock.hard", Kind::Limit, "pages", "",
        "hard limit of the whole guest: locked memory", true},
    Key{"rlimits/as", Kind::Limit, "pages", "", "limit of the whole guest: address space", false},
    Key{"rlimits/as.min", Kind::Limit, "pages", "", "guarantee of the whole guest: address space",
        false},
    Key{"rlimits/as.soft", Kind::Limit, "pages", "", "soft limit of the whole guest: address space",
        false},
    Key{"rlimits/as.hard", Kind::Limit, "pages", "", "hard limit of the whole guest: address space",
        false},
    Key{"rlimits/locks", Kind::Limit, "", "", "limit of the whole guest: file locks", false},
    Key{"rlimits/locks.min", Kind::Limit, "", "", "guarantee of the whole guest: file locks",
        false},
    Key{"rlimits/locks.soft", Kind::Limit, "", "", "soft limit of the whole guest: file locks",
        false},
    Key{"rlimits/locks.hard", Kind::Limit, "", "", "hard limit of the whole guest: file locks",
        false},
    Key{"rlimits/msgqueue", Kind::Limit, "", "", "limit of the whole guest: message queue bytes",
        false},
    Key{"rlimits/msgqueue.min", Kind::Limit, "", "",
        "guarantee of the whole guest: message queue bytes", false},
    Key{"rlimits/msgqueue.soft", Kind::Limit, "", "",
        "soft limit of the whole guest: message queue bytes", false},
    Key{"rlimits/msgqueue.hard", Kind::Limit, "", "",
        "hard limit of the whole guest: message queue bytes", false},
    Key{"rlimits/nsock", Kind::Limit, "", "", "limit of the whole guest: sockets", false},
    Key{"rlimits/nsock.min", Kind::Limit, "", "", "guarantee of the whole guest: sockets", false},
    Key{"rlimits/nsock.soft", Kind::Limit, "", "", "soft limit of the whole guest: sockets", false},
    Key{"rlimits/nsock.hard", Kind::Limit, "", "", "hard limit of the whole guest: sockets", false},
    Key{"rlimits/openfd", Kind::Limit, "", "", "limit of the whole guest: open descriptors", false},
    Key{"rlimits/openfd.min", Kind::Limit, "", "", "guarantee of the whole guest: open descriptors",
        false},
    Key{"rlimits/openfd.soft", Kind::Limit, "", "",
        "soft limit of the whole guest: open descriptors", false},
    Key{"rlimits/openfd.hard", Kind::Limit, "", "",
        "hard limit of the whole guest: open descriptors", false},
    Key{"rlimits/anon", Kind::Limit, "pages", "", "limit of the whole guest: anonymous memory",
        false},
    Key{"rlimits/anon.min", Kind::Limit, "pages", "",
        "guarantee of the whole guest: anonymous memory", false},
    Key{"rlimits/anon.soft", Kind::Limit, "pages", "",
        "soft limit of the whole guest: anonymous memory", false},
    Key{"rlimits/anon.hard", Kind::Limit, "pages", "",
        "hard limit of the whole guest: anonymous memory", false},
    Key{"rlimits/shmem", Kind::Limit, "pages", "", "limit of the whole guest: shared memory",
        false},
    Key{"rlimits/shmem.min", Kind::Limit, "pages", "",
        "guarantee of the whole guest: shared memory", false},
    Key{"rlimits/shmem.soft", Kind::Limit, "pages", "",
        "soft limit of the whole guest: shared memory", false},
    Key{"rlimits/shmem.hard", Kind::Limit, "pages", "",
        "hard limit of the whole guest: shared memory", false},
    Key{"rlimits/semary", Kind::Limit, "", "", "limit of the whole guest: semaphore arrays", false},
    Key{"rlimits/semary.min", Kind::Limit, "", "", "guarantee of the whole guest: semaphore arrays",
        false},
    Key{"rlimits/semary.soft", Kind::Limit, "", "",
        "soft limit of the whole guest: semaphore arrays", false},
    Key{"rlimits/semary.hard", Kind::Limit, "", "",
        "hard limit of the whole guest: semaphore arrays", false},
    Key{"rlimits/nsems", Kind::Limit, "", "", "limit of the whole guest: semaphores", false},
    Key{"rlimits/nsems.min", Kind::Limit, "", "", "guarantee of the whole guest: semaphores",
        false},
    Key{"rlimits/nsems.soft", Kind::Limit, "", "", "soft limit of the whole guest: semaphores",
        false},
    Key{"rlimits/nsems.hard", Kind::Limit, "", "", "hard limit of the whole guest: semaphores",
        false},
    Key{"rlimits/dentry", Kind::Limit, "", "", "limit of the whole guest: directory entries",
        false},
    Key{"rlimits/dentry.min", Kind::Limit, "", "",
        "guarantee of the whole guest: directory entries", false},
    Key{"rlimits/dentry.soft", Kind::Limit, "", "",
        "soft limit of the whole guest: directory entries", false},
    Key{"rlimits/dentry.hard", Kind::Limit, "", "",
        "hard limit of the whole guest: directory entries", false},
    Key{"cache", Kind::Link, "", "", "cached data of the guest", false},
    Key{"tag", Kind::Scalar, "", "context", "tag of the guest's files", false},
    Key{"noncontext", Kind::Flag, "", "", "no network context", false},
    Key{"nonamespace", Kind::Flag, "", "", "no mount namespace", false},
    Key{"namespace", Kind::Flag, "", "", "a mount namespace against the default", false},
    Key{"namespace-cleanup", Kind::Flag, "", "", "clean the mount namespace against the default",
        false},
    Key{"nonamespace-cleanup", Kind::Flag, "", "", "do not clean the mount namespace", false},
    Key{"noisy", Kind::Flag, "", "", "context tools print their messages", false},
    Key{"keepfds", Kind::Flag, "", "", "keep descriptors open", false},
    Key{"nocgroup", Kind::Flag, "", "", "ignore the global control group settings", false},
    Key{"nonetns", Kind::Flag, "", "", "ignore network namespace settings", false},
    Key{"legacy", Kind::Flag, "", "", "start with the legacy script", false},
    Key{"namespace-cleanup-skip", Kind::Array, "", "", "mount points that the clean-up leaves",
        false},
    Key{"ccapabilities", Kind::List, "", "a secure set", "context capabilities", false},
    Key{"ncapabilities", Kind::List, "", "raw_icmp", "network capabilities", false},
    Key{"nflags", Kind::List, "", "hide_netif", "network context flags", false},
    Key{"umask", Kind::List, "", "", "namespaces that guest processes may unshare", false},
    Key{"capabilities", Kind::List, "", "", "capabilities for Linux 2.4", false},
    Key{"personality", Kind::List, "", "", "execution domain, then its flags", false},
    Key{"schedule", Kind::Array, "", "", "old token bucket, six values", false},
    Key{"badness", Kind::Integer, "", "", "bias of the out-of-memory killer", false},
    Key{"hostname", Kind::Scalar, "", "", "deprecated: use uts/nodename", false},
    Key{"domainname", Kind::Scalar, "", "", "deprecated: use uts/domainname", false},
    Key{"apps/init/runlevel", Kind::Scalar, "", "by style", "start run level", true},
    Key{"apps/init/runlevel.start", Kind::Scalar, "", "", "start run level, before runlevel",
        false},
    Key{"apps/init/runlevel.stop", Kind::Scalar, "", "by style", "stop run level", false},
    Key{"apps/init/cmd.prepare", Kind::Array, "", "by style",
        "command before the start, one argument per line", false},
    Key{"apps/init/cmd.start-sync", Kind::Array, "", "", "host command after the start", false},
    Key{"apps/init/cmd.stop-sync", Kind::Array, "", "", "host command while waiting for the stop",
        false},
    Key{"apps/init/sync", Kind::Flag, "", "", "run the sync commands", false},
    Key{"apps/init/tty", Kind::Link, "", "/dev/null", "terminal of the init", false},
    Key{"apps/init/mtab", Kind::Copy, "", "", "the guest's first /etc/mtab", false},
    Key{"apps/vshelper/action", Kind::Scalar, "", "restart", "handler of kernel events", false},
    Key{"apps/vshelper/disabled", Kind::Flag, "", "", "ignore kernel events", false},
    Key{"apps/vshelper/debug", Kind::Flag, "", "", "log events", false},
    Key{"apps/vshelper/warning-disabled", Kind::Flag, "", "", "no warnings about the helper",
        false},
    Key{"apps/vshelper/restart", Kind::Executable, "", "",
        "handler of the event restart, instead of action", false},
    Key{"apps/vshelper/halt", Kind::Executable, "", "",
        "handler of the event halt, instead of action", false},
    Key{"apps/vshelper/poweroff", Kind::Executable, "", "",
        "handler of the event poweroff, instead of action", false},
    Key{"apps/vshelper/restart2", Kind::Executable, "", "",
        "handler of the event restart2, instead of action", false},
    Key{"apps/vshelper/swsusp", Kind::Executable, "", "",
        "handler of the event swsusp, instead of action", false},
    Key{"apps/vshelper/shutdown", Kind::Executable, "", "",
        "handler of the event shutdown, instead of action", false},
    Key{"apps/vshelper-methods/*", Kind::Executable, "", "", "an event handler", false},
    Key{"apps/pkgmgmt", Kind::Directory, "", "",
        "package management is outside the guest, unless internal", false},
    Key{"apps/pkgmgmt/internal", Kind::Flag, "", "", "package management is inside the guest",
        false},
    Key{"apps/pkgmgmt/style", Kind::Scalar, "", "guessed", "package manager family", false},
    Key{"apps/pkgmgmt/base", Kind::Link, "", "", "directory of the package data", false},
    Key{"apps/pkgmgmt/aptetc", Kind::Link, "", "below base", "package manager directory", false},
    Key{"apps/pkgmgmt/aptstate", Kind::Link, "", "below base", "package manager directory", false},
    Key{"apps/pkgmgmt/aptcache", Kind::Link, "", "below base", "package manager directory", false},
    Key{"apps/pkgmgmt/aptarchives", Kind::Link, "", "below base", "package manager directory",
        false},
    Key{"apps/pkgmgmt/rpmetc", Kind::Link, "", "below base", "package manager directory", false},
    Key{"apps/pkgmgmt/rpmstate", Kind::Link, "", "below base", "package manager directory", false},
    Key{"apps/pkgmgmt/rpmlib", Kind::Link, "", "below base", "package manager directory", false},
    Key{"apps/pkgmgmt/yumetc", Kind::Link, "", "below base", "package manager directory", false},
    Key{"apps/pkgmgmt/yumcache", Kind::Link, "", "below base", "package manager directory", false},
    Key{"apps/pkgmgmt/urpmietc", Kind::Link, "", "below base", "package manager directory", false},
    Key{"apps/pkgmgmt/urpmistate", Kind::Link, "", "below base", "package manager directory",
        false},
    Key{"apps/pkgmgmt/execdir", Kind::Link, "", "below base", "package manager directory", false},
    Key{"apps/vunify", Kind::Directory, "", "", "the guest takes part in unification", false},
    Key{"apps/vunify/exclude", Kind::Raw, "", "", "files never unified", false},
    Key{"apps/vunify/refserver.*", Kind::Link, "", "", "a reference guest", false},
    Key{"apps/vunify/pkgmgmt-ignore", Kind::Flag, "", "", "do not ask the package manager", false},
    Key{"apps/vunify/pkgmgmt-force", Kind::Flag, "", "", "always ask the package manager", false},
    Key{"apps/vunify/hash", Kind::Directory, "", "", "stores of hashed files", false},
    Key{"apps/vunify/hash/method", Kind::Scalar, "", "sha1", "hash function", false},
    Key{"apps/vunify/hash/*", Kind::Link, "", "", "a store of hashed files", false},
    Key{"apps/vdevmap/*/device", Kind::Scalar, "", "", "device node", false},
    Key{"apps/vdevmap/*/target", Kind::Scalar, "", "", "device to use instead", false},
    Key{"apps/vdevmap/*/flags", Kind::Integer, "", "", "raw flags", false},
    Key{"apps/vdevmap/*/open", Kind::Flag, "", "", "the guest may open the device", false},
    Key{"apps/vdevmap/*/create", Kind::Flag, "", "", "the guest may create the device", false},
    Key{"apps/vdevmap/*/remap", Kind::Flag, "", "", "use target instead", false},
    Key{"scripts/initialize", Kind::Executable, "", "", "hook, run or sourced", false},
    Key{"scripts/initialize.d/*", Kind::Executable, "", "", "hook, run or sourced", false},
    Key{"scripts/prepre-start", Kind::Executable, "", "", "hook, run or sourced", false},
    Key{"scripts/prepre-start.d/*", Kind::Executable, "", "", "hook, run or sourced", false},
    Key{"scripts/pre-start", Kind::Executable, "", "", "hook, run or sourced", false},
    Key{"scripts/pre-start.d/*", Kind::Executable, "", "", "hook, run or sourced", false},
    Key{"scripts/post-start", Kind::Executable, "", "", "hook, run or sourced", false},
    Key{"scripts/post-start.d/*", Kind::Executable, "", "", "hook, run or sourced", false},
    Key{"scripts/pre-stop", Kind::Executable, "", "", "hook, run or sourced", false},
    Key{"scripts/pre-stop.d/*", Kind::Executable, "", "", "hook, run or sourced", false},
    Key{"scripts/post-stop", Kind::Executable, "", "", "hook, run or sourced", false},
    Key{"scripts/post-stop.d/*", Kind::Executable, "", "", "hook, run or sourced", false},
    Key{"scripts/postpost-stop", Kind::Executable, "", "", "hook, run or sourced", false},
    Key{"scripts/postpost-stop.d/*", Kind::Executable, "", "", "hook, run or sourced", false},
    Key{"interfaces/scope", Kind::Scalar, "", "", "address scope", false},
    Key{"interfaces/extip", Kind::Scalar, "", "", "external address", false},
    Key{"interfaces/lback", Kind::Scalar, "", "", "loopback address of the guest", false},
    Key{"interfaces/vlandev", Kind::Flag, "", "", "make VLAN devices", false},
    Key{"interfaces/*/vlandev", Kind::Flag, "", "", "make VLAN devices", false},
    Key{"interfaces/novlandev", Kind::Flag, "", "", "do not make VLAN devices", false},
    Key{"interfaces/*/novlandev", Kind::Flag, "", "", "do not make VLAN devices", false},
    Key{"interfaces/*/scope", Kind::Scalar, "", "", "read and never used", false},
    Key{"interfaces/*/peer", Kind::Scalar, "", "", "point-to-point peer", false},
    Key{"interfaces/*/linktype", Kind::Scalar, "", "", "link type of the tun device", false},
    Key{"interfaces/*/mac", Kind::Scalar, "", "", "hardware address", false},
    Key{"interfaces/*/extip", Kind::Scalar, "", "", "external address", false},
    Key{"interfaces/*/uid", Kind::Integer, "", "", "owner of the tun device", false},
    Key{"interfaces/*/gid", Kind::Integer, "", "", "group of the tun device", false},
    Key{"interfaces/*/tun", Kind::Flag, "", "", "make a tun device", false},
    Key{"interfaces/*/tap", Kind::Flag, "", "", "make a tap device", false},
    Key{"interfaces/*/nocsum", Kind::Flag, "", "", "no checksums", false},
    Key{"interfaces/*/shared", Kind::Flag, "", "", "do not tie the device to the guest", false},
    Key{"interfaces/*/indirect", Kind::Flag, "", "", "experimental dummy device", false},
    Key{"uts/sysname", Kind::Raw, "", "the host's", "field of uname", false},
    Key{"uts/release", Kind::Raw, "", "the host's", "field of uname", false},
    Key{"uts/version", Kind::Raw, "", "the host's", "field of uname", false},
    Key{"uts/machine", Kind::Raw, "", "the host's", "field of uname", false},
    Key{"uts/context", Kind::Raw, "", "the host's", "overwritten at start", false},
    Key{"dlimits/*/directory", Kind::Scalar, "", "", "disk limit: directory", false},
    Key{"dlimits/*/space_total", Kind::Integer, "KiB", "", "disk limit: space", false},
    Key{"dlimits/*/inodes_total", Kind::Integer, "inodes", "", "disk limit: inodes", false},
    Key{"dlimits/*/reserved", Kind::Integer, "%", "", "disk limit: reserved", false},
    Key{"dlimits/*/disabled", Kind::Flag, "", "", "skip this disk limit", false},
    Key{"sysctl/*/setting", Kind::Scalar, "", "", "name below /proc/sys", false},
    Key{"sysctl/*/value", Kind::Raw, "", "", "what is written there", false},
    Key{"cpuset/name", Kind::Scalar, "", "", "directory of the processor set", false},
    Key{"cpuset/nocreate", Kind::Flag, "", "", "the processor set exists already", false},
    Key{"cpuset/cpus", Kind::Copy, "", "", "written to the same file of the set", false},
    Key{"cpuset/mems", Kind::Copy, "", "", "written to the same file of the set", false},
    Key{"cpuset/cpu_exclusive", Kind::Copy, "", "", "written to the same file of the set", false},
    Key{"cpuset/mem_exclusive", Kind::Copy, "", "", "written to the same file of the set", false},
    Key{"cpuset/cpus_exclusive", Kind::Copy, "", "", "written to the same file of the set", false},
    Key{"cpuset/mems_exclusive", Kind::Copy, "", "", "written to the same file of the set", false},
    Key{"cpuset/virtualized", Kind::Copy, "", "", "written to the same file of the set", false},
    Key{"sched/tokens", Kind::Integer, "", "", "token bucket: tokens", false},
    Key{"sched/tokens-min", Kind::Integer, "", "", "token bucket: tokens-min", false},
    Key{"sched/tokens-max", Kind::Integer, "", "", "token bucket: tokens-max", false},
    Key{"sched/fill-rate", Kind::Integer, "", "", "token bucket: fill-rate", false},
    Key{"sched/interval", Kind::Integer, "", "", "token bucket: interval", false},
    Key{"sched/priority-bias", Kind::Integer, "", "", "token bucket: priority-bias", false},
    Key{"sched/prio-bias", Kind::Integer, "", "", "token bucket: prio-bias", false},
    Key{"sched/fill-rate2", Kind::Integer, "", "", "token bucket: fill-rate2", false},
    Key{"sched/interval2", Kind::Integer, "", "", "token bucket: interval2", false},
    Key{"sched/idle-time", Kind::Flag, "", "", "token bucket: skip idle time", false},
    Key{"sched/*/tokens", Kind::Integer, "", "", "token bucket: tokens", false},
    Key{"sched/*/tokens-min", Kind::Integer, "", "", "token bucket: tokens-min", false},
    Key{"sched/*/tokens-max", Kind::Integer, "", "", "token bucket: tokens-max", false},
    Key{"sched/*/fill-rate", Kind::Integer, "", "", "token bucket: fill-rate", false},
    Key{"sched/*/interval", Kind::Integer, "", "", "token bucket: interval", false},
    Key{"sched/*/priority-bias", Kind::Integer, "", "", "token bucket: priority-bias", false},
    Key{"sched/*/prio-bias", Kind::Integer, "", "", "token bucket: prio-bias", false},
    Key{"sched/*/fill-rate2", Kind::Integer, "", "", "token bucket: fill-rate2", false},
    Key{"sched/*/interval2", Kind::Integer, "", "", "token bucket: interval2", false},
    Key{"sched/*/idle-time", Kind::Flag, "", "", "token bucket: skip idle time", false},
    Key{"sched/*/cpu-id", Kind::Integer, "", "", "token bucket: cpu-id", false},
    Key{"sched/*/bucket-id", Kind::Integer, "", "", "token bucket: bucket-id", false},
    Key{"spaces/pid", Kind::Scalar, "", "", "namespace sharing: pid", false},
    Key{"spaces/net", Kind::Scalar, "", "", "namespace sharing: net", false},
    Key{"spaces/mask", Kind::Scalar, "", "", "namespace sharing: mask", false},
    Key{"ionice/class", Kind::Integer, "", "2", "I/O class", false},
    Key{"ionice/priority", Kind::Integer, "", "", "I/O priority", false},
    Key{"cgroup/name", Kind::Scalar, "", "the guest's name", "control group directory", false},
    Key{"cgroup/*", Kind::Copy, "", "", "written to the same file of the control group", false},
    Key{"netns/name", Kind::Scalar, "", "the guest's name", "name of the network namespace", false},
    Key{"netns/shared", Kind::Flag, "", "", "the namespace is made elsewhere", false},
    Key{"netns/interfaces/*/host", Kind::Scalar, "", "", "host end of a link pair", false},
    Key{"netns/interfaces/*/guest", Kind::Scalar, "", "geth0, geth1, ...", "guest end", false},
    Key{"netns/interfaces/*/type", Kind::Scalar, "", "veth", "link type", false},
});

bool matches_part(std::string_view pattern, std::string_view part) {
  if (!pattern.ends_with('*')) return pattern == part;
  pattern.remove_suffix(1);
  return part.size() > pattern.size() && part.starts_with(pattern);
}

// How many components match, from the first on.
std::size_t matching_parts(std::string_view pattern, std::string_view path) {
  for (std::size_t n = 0;; ++n) {
    auto const pattern_end = std::min(pattern.find('/'), pattern.size());
    auto const path_end = std::min(path.find('/'), path.size());
    if (!matches_part(pattern.substr(0, pattern_end), path.substr(0, path_end))) return n;
    if (pattern_end == pattern.size() || path_end == path.size()) return n + 1;
    pattern.remove_prefix(pattern_end + 1);
    path.remove_prefix(path_end + 1);
  }
}

std::size_t count_parts(std::string_view path) {
  return static_cast<std::size_t>(std::count(path.begin(), path.end(), '/')) + 1;
}

}  // namespace

std::span<const Key> config_keys() {
  return kKeys;
}

const Key* find_key(std::string_view path) {
  auto const parts = count_parts(path);
  for (auto const& key : kKeys) {
    if (count_parts(key.path) == parts && matching_parts(key.path, path) == parts) return &key;
  }
  return nullptr;
}

bool is_key_directory(std::string_view path) {
  if (path.empty()) return true;
  auto const parts = count_parts(path);
  return std::any_of(kKeys.begin(), kKeys.end(), [&](const Key& key) {
    return count_parts(key.path) > parts && matching_parts(key.path, path) == parts;
  });
}

std::optional<std::string> nearest_key(std::string_view path) {
  auto const parts = split(path, '/');
  std::size_t known = 0;  // components before the one that no pattern has
  for (auto const& key : kKeys)
    known = std::max(known, matching_parts(key.path, path));
  if (known >= parts.size()) return std::nullopt;
  std::vector<std::string_view> names;
  for (auto const& key : kKeys) {
    auto const patterns = split(key.path, '/');
    if (patterns.size() <= known || matching_parts(key.path, path) < known) continue;
    if (!patterns[known].ends_with('*')) names.push_back(patterns[known]);
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  auto const near = nearest(parts[known], names);
  if (!near) return std::nullopt;
  std::string out;
  for (std::size_t i = 0; i < known; ++i)
    out.append(parts[i]).append("/");
  return out.append(*near);
}

std::string_view kind_name(Kind kind) {
  switch (kind) {
    case Kind::Flag: return "flag";
    case Kind::Scalar: return "scalar";
    case Kind::Array: return "array";
    case Kind::List: return "list";
    case Kind::Raw: return "raw text";
    case Kind::Limit: return "limit";
    case Kind::Integer: return "integer";
    case Kind::Fstab: return "fstab";
    case Kind::Copy: return "copied file";
    case Kind::Link: return "link";
    case Kind::Directory: return "directory";
    case Kind::Executable: return "program";
  }
  return "unknown";
}

}  // namespace vs
