# SPDX-License-Identifier: GPL-2.0-or-later
"""Making a guest's tree, against the plain tool that does the same work without a guest."""

import subprocess
from pathlib import Path

from rig import Rig
from run import Row, interleave

RELEASE = "bookworm"


def make_source(rig: Rig) -> tuple[Path, Path]:
    """A minimal Debian, as a directory and as an archive."""
    tree, archive = rig.work / "debian", rig.work / "debian.tar.zst"
    subprocess.run(["debootstrap", "--variant=minbase", RELEASE, str(tree)], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    subprocess.run(["tar", "--numeric-owner", "-C", str(tree), "-I", "zstd", "-cf", str(archive), "."],
                   check=True)
    return tree, archive


def pair(rig: Rig, name: str, plain: str, method: list[str]) -> list[Row]:
    """The plain tool, which fills the directory $1, and our build that does the same."""
    target = rig.work / "plain"
    guest = f"{rig.tag}-{method[0]}"
    floor = Row(name, ["/bin/sh", "-c", f"set -e; mkdir $1; {plain}", "sh", str(target)], name,
                after=["/bin/rm", "-rf", str(target)])
    ours = Row(f"vserver build -m {method[0]}",
               [rig.vserver, "--silent", guest, "build", "-m", method[0], "--", *method[1:]], name,
               after=[rig.vserver, "--silent", guest, "delete"])
    return [floor, ours]


def measure(rig: Rig, quick: bool) -> dict:
    tree, archive = make_source(rig)
    rows = [
        *pair(rig, "tar -x, zstd", f"tar --numeric-owner -C $1 -xf {archive}",
              ["template", "-t", str(archive)]),
        *pair(rig, "cp -a", f"cp -a {tree}/. $1", ["clone", "--source", str(tree)]),
        *pair(rig, "rsync -aHAX", f"rsync -aHAX {tree}/ $1", ["rsync", "--source", str(tree)]),
        *pair(rig, "debootstrap", f"debootstrap --variant=minbase {RELEASE} $1",
              ["debootstrap", "-d", RELEASE, "--tool", "debootstrap"]),
    ]
    entries, left_out = interleave(rows, 1 if quick else 7, rig.env)
    return {"rows": entries, "left_out": left_out}
