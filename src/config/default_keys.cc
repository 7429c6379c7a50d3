// SPDX-License-Identifier: GPL-2.0-or-later
#include <array>

#include "config/keys.h"

namespace vs {

namespace {

using enum Use;

// As the table of a guest's tree.
constexpr auto kKeys = std::to_array<Key>({
    Key{"apps/build/options", Kind::Array, "", "",
        "options put before those of build, one per line", Elsewhere},
    Key{"apps/debootstrap/mirror", Kind::Scalar, "", "http://deb.debian.org/debian",
        "Debian mirror", Elsewhere},
    Key{"apps/debootstrap/options", Kind::Scalar, "", "", "options of debootstrap", Elsewhere},
    Key{"apps/debootstrap/uri", Kind::Scalar, "", "", "where debootstrap comes from", Elsewhere},
    Key{"apps/h2ext/desc", Kind::Copy, "", "", "table of archive types", Elsewhere},
    Key{"apps/init/environment", Kind::Array, "", "a PATH",
        "VAR=VALUE, one per line: environment of every guest's init", Applied},
    Key{"apps/init/mtab", Kind::Copy, "", "", "first /etc/mtab of guests", NotYet},
    Key{"apps/init/restart", Kind::Scalar, "", "on-reboot",
        "start again after an end: no, on-reboot, on-failure, always", Applied},
    Key{"apps/init/tty", Kind::Link, "", "/dev/null", "terminal of inits", NotYet},
    Key{"apps/pkgmgmt/apt.conf", Kind::Copy, "", "", "apt configuration of new guests", Elsewhere},
    Key{"apps/pkgmgmt/base", Kind::Link, "", "", "directory of the package data", Elsewhere},
    Key{"apps/pkgmgmt/vendor.conf", Kind::Copy, "", "", "vendor list of new guests", Elsewhere},
    Key{"apps/vdevmap/*/create", Kind::Flag, "", "", "may be created", NotYet},
    Key{"apps/vdevmap/*/device", Kind::Scalar, "", "", "device node", NotYet},
    Key{"apps/vdevmap/*/flags", Kind::Integer, "", "", "raw flags", NotYet},
    Key{"apps/vdevmap/*/open", Kind::Flag, "", "", "may be opened", NotYet},
    Key{"apps/vdevmap/*/remap", Kind::Flag, "", "", "use target instead", NotYet},
    Key{"apps/vdevmap/*/target", Kind::Scalar, "", "", "device to use instead", NotYet},
    Key{"apps/vlogin/disable", Kind::Flag, "", "", "enter without a terminal of the guest", NotYet},
    Key{"apps/vprocunhide/files", Kind::Copy, "", "", "files of /proc that guests see", NotYet},
    Key{"apps/vshelper/action", Kind::Scalar, "", "restart", "handler of kernel events", NotYet},
    Key{"apps/vshelper/debug", Kind::Flag, "", "", "log events", NotYet},
    Key{"apps/vshelper/disabled", Kind::Flag, "", "", "ignore the events of all guests", NotYet},
    Key{"apps/vshelper/logfile", Kind::Link, "", "/dev/null", "log of the helper", NotYet},
    Key{"apps/vshelper/sync-timeout", Kind::Integer, "s", "30",
        "how long stop waits before SIGKILL", Applied},
    Key{"apps/vshelper/warning-disabled", Kind::Flag, "", "", "no check of the helper at start",
        Elsewhere},
    Key{"apps/vshelper/*", Kind::Executable, "", "", "handler of one event", NotYet},
    Key{"apps/vshelper-delegate/*", Kind::Executable, "", "", "takes an event over", NotYet},
    Key{"apps/vshelper-methods/*", Kind::Executable, "", "", "an event handler", NotYet},
    Key{"apps/vunify", Kind::Directory, "", "", "defaults of unification", Elsewhere},
    Key{"apps/vunify/exclude", Kind::Raw, "", "", "files never unified", Elsewhere},
    Key{"apps/vunify/hash", Kind::Directory, "", "", "stores of hashed files", Elsewhere},
    Key{"apps/vunify/hash/blocks", Kind::Raw, "", "all", "read and never used", Elsewhere},
    Key{"apps/vunify/hash/blocksize", Kind::Integer, "", "", "read and never used", Elsewhere},
    Key{"apps/vunify/hash/method", Kind::Scalar, "", "sha1", "hash function", Elsewhere},
    Key{"apps/vunify/hash/*", Kind::Link, "", "", "a store of hashed files", Elsewhere},
    Key{"apps/vunify/pkgmgmt-force", Kind::Flag, "", "", "always ask the package manager",
        Elsewhere},
    Key{"apps/vunify/pkgmgmt-ignore", Kind::Flag, "", "", "do not ask the package manager",
        Elsewhere},
    Key{"cachebase", Kind::Link, "", "", "where caches of guests are made", Elsewhere},
    Key{"cgroup/*", Kind::Copy, "", "", "settings of control groups", Applied},
    Key{"context.dynamic", Kind::Flag, "", "", "build gives no fixed context id", Elsewhere},
    Key{"context.next", Kind::Integer, "", "", "context id of the next new guest", Elsewhere},
    Key{"files/*", Kind::Copy, "", "", "copied to /etc of new guests", Elsewhere},
    Key{"fstab", Kind::Fstab, "", "", "fstab of new guests", Elsewhere},
    Key{"init/mtab", Kind::Copy, "", "", "first /etc/mtab of guests", NotYet},
    Key{"interfaces/vlandev", Kind::Flag, "", "", "make VLAN devices for all guests", NotYet},
    Key{"keepfds", Kind::Flag, "", "", "keep descriptors open", NotYet},
    Key{"namespace-cleanup-skip", Kind::Array, "", "", "mount points that the clean-up leaves",
        NotYet},
    Key{"netns/name", Kind::Scalar, "", "the guest's name", "name of the network namespace",
        NotYet},
    Key{"netns/shared", Kind::Flag, "", "", "the namespace is made elsewhere", NotYet},
    Key{"netns/interfaces/*/guest", Kind::Scalar, "", "geth0, geth1, ...", "guest end", NotYet},
    Key{"netns/interfaces/*/host", Kind::Scalar, "", "", "host end of a link pair", NotYet},
    Key{"netns/interfaces/*/type", Kind::Scalar, "", "veth", "link type", NotYet},
    Key{"nonamespace", Kind::Flag, "", "", "no mount namespaces", NotYet},
    Key{"nonamespace-cleanup", Kind::Flag, "", "", "do not clean mount namespaces", NotYet},
    Key{"run.rev", Kind::Link, "", "", "links from context ids to guests", Applied},
    Key{"scripts/initialize", Kind::Executable, "", "",
        "hook of guests without one, run or sourced", Applied},
    Key{"scripts/initialize.d/*", Kind::Executable, "", "",
        "hook of guests without one, run or sourced", Applied},
    Key{"scripts/prepre-start", Kind::Executable, "", "",
        "hook of guests without one, run or sourced", Applied},
    Key{"scripts/prepre-start.d/*", Kind::Executable, "", "",
        "hook of guests without one, run or sourced", Applied},
    Key{"scripts/pre-start", Kind::Executable, "", "", "hook of guests without one, run or sourced",
        Applied},
    Key{"scripts/pre-start.d/*", Kind::Executable, "", "",
        "hook of guests without one, run or sourced", Applied},
    Key{"scripts/post-start", Kind::Executable, "", "",
        "hook of guests without one, run or sourced", Applied},
    Key{"scripts/post-start.d/*", Kind::Executable, "", "",
        "hook of guests without one, run or sourced", Applied},
    Key{"scripts/pre-stop", Kind::Executable, "", "", "hook of guests without one, run or sourced",
        Applied},
    Key{"scripts/pre-stop.d/*", Kind::Executable, "", "",
        "hook of guests without one, run or sourced", Applied},
    Key{"scripts/post-stop", Kind::Executable, "", "", "hook of guests without one, run or sourced",
        Applied},
    Key{"scripts/post-stop.d/*", Kind::Executable, "", "",
        "hook of guests without one, run or sourced", Applied},
    Key{"scripts/postpost-stop", Kind::Executable, "", "",
        "hook of guests without one, run or sourced", Applied},
    Key{"scripts/postpost-stop.d/*", Kind::Executable, "", "",
        "hook of guests without one, run or sourced", Applied},
    Key{"shell", Kind::Scalar, "", "the guest's own", "shell of enter", Applied},
    Key{"styles/*", Kind::Copy, "", "", "colours of messages", Elsewhere},
    Key{"vdirbase", Kind::Link, "", "", "where roots of guests are made", Elsewhere},
});
static_assert(is_key_table(kKeys));
constexpr auto kGroups = key_groups<count_key_groups(kKeys)>(kKeys);

}  // namespace

const KeyTable& default_keys() {
  static constexpr KeyTable kTable{kKeys, kGroups};
  return kTable;
}

}  // namespace vs
