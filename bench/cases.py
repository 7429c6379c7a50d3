# SPDX-License-Identifier: GPL-2.0-or-later
"""What is timed: rows of starts and of programs run in a running guest, ours and the peers'."""

import re
import shutil
from pathlib import Path

from rig import FIRST_XID, Rig
from run import Row

BASE = str(FIRST_XID << 16)


def have(*programs: str) -> bool:
    return all(shutil.which(p) for p in programs)



def add_guests(rig: Rig) -> dict[str, str]:
    """With the filter's cache filled, as any guest that ever started leaves it."""
    if rig.guests:
        return rig.named
    guests = rig.named = {
        "plain": rig.add_guest(f"{rig.tag}-plain", seccomp=False),
        "secured": rig.add_guest(f"{rig.tag}-secured"),
        "host": rig.add_guest(f"{rig.tag}-host", net="host", seccomp=False),
        "shared": rig.add_guest(f"{rig.tag}-shared", net="shared", seccomp=False),
        "other": rig.add_guest(f"{rig.tag}-other", net="shared"),
    }
    rig.run(rig.vserver, guests["secured"], "run", "/bin/true")
    return guests


def floor(rig: Rig, name: str, *options: str, view: str = "unified") -> Row:
    program = str(rig.bench / "bench-floor")
    return Row(name, [program, *options, str(rig.root), "/bin/true"], "floor+net", view)


def ours(rig: Rig, name: str, guest: str, base: str, view: str = "unified", note="") -> Row:
    return Row(name, [rig.vserver, guest, "run", "/bin/true"], base, view, note=note)


def shared_row(rig: Rig, guests: dict[str, str]) -> Row:
    """With another guest on the shared network: the first one also loads its programs."""
    row = ours(rig, "vserver run, shared network", guests["shared"], "floor+user+cgroup",
               note="not the first guest")
    row.before = [rig.vserver, "--silent", guests["other"], "start"]
    return row


def filter_file(rig: Rig) -> str:
    return str(next(Path(rig.env["VSERVER_CACHEDIR"]).glob("seccomp-*.bpf")))


def start_rows(rig: Rig) -> list[Row]:
    """Start, /bin/true, everything taken away again; no v1 controllers in sight."""
    guests = add_guests(rig)
    group = rig.make_group(rig.v2_mount())
    # In the view's own mount namespace cgroup2 stands elsewhere.
    group = Path("/sys/fs/cgroup") / group.name / "floor"
    all_of = ["-n", "-u", BASE, "-2", str(group)]
    rows = [
        floor(rig, "fork + chroot + exec", "-b"),
        floor(rig, "floor"),
        floor(rig, "floor+net", "-n"),
        floor(rig, "floor+user+cgroup", "-u", BASE, "-2", str(group)),
        floor(rig, "floor+net+user+cgroup", *all_of),
        floor(rig, "floor+net+user+cgroup+seccomp", *all_of, "-s", filter_file(rig)),
        ours(rig, "vserver run, host's network", guests["host"], "floor+user+cgroup"),
        shared_row(rig, guests),
        ours(rig, "vserver run", guests["plain"], "floor+net+user+cgroup"),
        ours(rig, "vserver run, seccomp", guests["secured"], "floor+net+user+cgroup+seccomp"),
    ]
    start, stop = ([rig.vserver, guests["secured"], verb] for verb in ("start", "stop"))
    base = "floor+net+user+cgroup+seccomp"
    rows.append(Row("vserver start, seccomp", start, base, "unified", after=stop, note="detached"))
    rows.append(Row("vserver stop, seccomp", stop, base, "unified", before=start,
                    note="init ends at SIGINT"))
    return rows + peer_rows(rig, "unified", "floor+net+user+cgroup", "no cgroup")


def v1_start_rows(rig: Rig) -> list[Row]:
    """The same where the v1 controllers have to be joined: each start waits for the kernel."""
    groups = [option for mount in rig.v1_mounts()
              for option in ("-1", str(rig.make_group(mount) / "floor"))]
    guests = add_guests(rig)
    name = "floor+net+user+v1 cgroups"
    two = ["-2", str(rig.make_group(rig.v2_mount()) / "floor")]
    rows = [floor(rig, name, "-n", "-u", BASE, *two, *groups, view="host"),
            ours(rig, "vserver run, v1", guests["plain"], name, "host"),
            ours(rig, "vserver run, seccomp, v1", guests["secured"], name, "host")]
    rows[0].base = name
    procs = floor(rig, "floor, v1 by cgroup.procs", "-n", "-p", "-u", BASE, *two, *groups,
                  view="host")
    procs.base = name
    rows.insert(1, procs)
    return rows + peer_rows(rig, "legacy", name, "")


def alone_rows(rig: Rig) -> list[Row]:
    """What one start costs when nothing was started just before (timed with pauses)."""
    rows = start_rows(rig)
    wanted = ("floor+net", "floor+net+user+cgroup", "vserver run", "crun run", "runc run",
              "bwrap --unshare-all")
    return [row for row in rows if row.name in wanted] + v1_only(rig)


def v1_only(rig: Rig) -> list[Row]:
    return [row for row in v1_start_rows(rig) if "seccomp" not in row.name]


def peer_rows(rig: Rig, view: str, base: str, crun_note: str) -> list[Row]:
    rows = []
    tail = "" if view == "unified" else ", v1"
    bundles = [("", "plain", ""), (", seccomp (same list)", "deny", "deny"),
               (", seccomp (engines' profile)", "allow", "allow")]
    for tool in ("crun", "runc"):
        if not have("runc", tool):
            continue
        for suffix, bundle, kind in bundles:
            path = rig.work / "bundle" / bundle
            if not path.exists():
                rig.bundle(bundle, seccomp=kind)
            # crun cannot raise the locked-memory limit that its device filter wants on every host.
            extra = ["--cgroup-manager=disabled"] if tool == "crun" and view == "unified" else []
            rows.append(Row(f"{tool} run{suffix}{tail}",
                            [shutil.which(tool), *extra, "--root", f"{rig.run_dir}-{tool}",
                             "run", "-b", str(path),
                             f"{rig.tag}-{tool}-{bundle}"],
                            base, view, note=crun_note if extra else ""))
    if have("lxc-execute"):
        rows.append(Row(f"lxc-execute{tail}", lxc_execute(rig), base, view, note="no user namespace"))
    return rows if view != "unified" else rows + small_peer_rows(rig, base, view)


def small_peer_rows(rig: Rig, base: str, view: str) -> list[Row]:
    rows = []
    root = str(rig.root)
    if have("unshare"):
        rows.append(Row("unshare", [shutil.which("unshare"), "-fpmiuCnr", "--mount-proc",
                                    f"--root={root}", "/bin/true"], base, view, note="no cgroup"))
    if have("bwrap"):
        rows.append(Row("bwrap --unshare-all",
                        [shutil.which("bwrap"), "--unshare-all", "--bind", root, "/", "--proc",
                         "/proc", "--dev", "/dev", "/bin/true"], base, view, note="no cgroup"))
    if have("systemd-nspawn"):
        rows.append(Row("systemd-nspawn",
                        [shutil.which("systemd-nspawn"), "-q", "-D", root, "--register=no",
                         "--keep-unit", "--private-network", "--as-pid2", "/bin/true"],
                        base, view, note="no user namespace"))
    return rows


def lxc_config(rig: Rig, name: str, init: str) -> str:
    path = rig.work / "lxc" / name
    if not path.exists():
        path.mkdir(parents=True)
        (path / "config").write_text(
            f"lxc.uts.name = {name}\nlxc.rootfs.path = dir:{rig.root}\n"
            "lxc.net.0.type = empty\nlxc.mount.auto = proc:mixed sys:ro\nlxc.autodev = 1\n"
            f"lxc.init.cmd = {init}\n")
    return str(path.parent)


def lxc_execute(rig: Rig) -> list[str]:
    where = lxc_config(rig, rig.tag, "/bin/true")
    return [shutil.which("lxc-execute"), "-P", where, "-n", rig.tag, "--", "/bin/true"]


def init_pid(rig: Rig, guest: str) -> str:
    state = (rig.run_dir / "guests" / guest / "state").read_text()
    return re.search(r"^init (\d+)", state, re.MULTILINE).group(1)


def exec_rows(rig: Rig) -> list[Row]:
    """A program in a guest that runs."""
    guest = add_guests(rig)["secured"]
    group = f"vserver.slice/{guest}/guest"
    rows = []
    rig.run(rig.vserver, guest, "start")
    attach = [str(rig.bench / "bench-attach"), "-s", filter_file(rig)]
    tail = [init_pid(rig, guest), "/bin/true"]
    v1 = [option for mount in rig.v1_mounts()
          for option in ("-1", str(mount / "vserver.slice" / guest))]
    rows.append(Row("setns floor", [*attach, "-2", f"/sys/fs/cgroup/{group}", *tail], "setns floor",
                    "unified"))
    rows.append(Row("vserver exec", [rig.vserver, guest, "exec", "/bin/true"], "setns floor",
                    "unified"))
    if v1:
        rows.append(Row("setns floor, v1",
                        [*attach, "-2", str(rig.v2_mount() / group), *v1, *tail],
                        "setns floor, v1"))
        rows.append(Row("vserver exec, v1", [rig.vserver, guest, "exec", "/bin/true"],
                        "setns floor, v1"))
    if have("nsenter"):
        rows.append(Row("nsenter -a", [shutil.which("nsenter"), "-t", tail[0], "-a", "/bin/true"],
                        "setns floor", "unified", note="no cgroup, no seccomp"))
    return rows
