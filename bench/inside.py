# SPDX-License-Identifier: GPL-2.0-or-later
"""What a program inside a guest pays, against the same program on the host."""

import shutil
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
    # The best of the rounds: what else the machine does only ever adds.
    best = {place: {case: min(one[case] for one in mine) for case in mine[0]}
            for place, mine in runs.items()}
    rows = []
    for place, mine in best.items():
        values = mine if place == "host" else {c: mine[c] / best["host"][c] for c in mine}
        rows.append({"name": place, **values})
    return {"micro": rows}
