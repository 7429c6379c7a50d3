# SPDX-License-Identifier: GPL-2.0-or-later
"""What a program inside a guest pays, against the same program on the host."""

import shutil
import statistics
import subprocess

from cases import add_guests
from rig import Rig
from run import enter_view


def parse(text: str) -> dict[str, float]:
    return {name: float(value) for name, value in (line.split() for line in text.splitlines())}


def measure(rig: Rig, quick: bool) -> dict:
    guests = add_guests(rig)
    bundle = rig.bundle("micro", seccomp="deny")
    rig.set_args(bundle, ["/bin/micro"])
    places = {
        "host": ("host", [str(rig.root / "bin/micro")]),
        "guest, no seccomp": ("host", [rig.vserver, guests["plain"], "run", "/bin/micro"]),
        "guest": ("host", [rig.vserver, guests["secured"], "run", "/bin/micro"]),
    }
    if shutil.which("runc"):
        places["runc, the same filter"] = (
            "unified", [shutil.which("runc"), "run", "-b", bundle, f"{rig.tag}-micro"])
    runs: dict[str, list[dict[str, float]]] = {place: [] for place in places}
    for _ in range(2 if quick else 11):
        for place, (view, argv) in places.items():
            done = subprocess.run(argv, env=rig.env, check=True, capture_output=True, text=True,
                                  preexec_fn=lambda view=view: enter_view(view))
            runs[place].append(parse(done.stdout))
    host = runs["host"]
    rows = []
    for place, mine in runs.items():
        row = {"name": place}
        for case in host[0]:
            pairs = [m[case] / h[case] for m, h in zip(mine, host)]
            row[case] = (statistics.median(m[case] for m in mine) if place == "host"
                         else statistics.median(pairs))
        rows.append(row)
    return {"micro": rows}
