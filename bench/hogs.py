# SPDX-License-Identifier: GPL-2.0-or-later
"""A hog in one guest: what its neighbour and the host feel of it, against quiet moments in between."""

import shutil
import statistics
import subprocess
import time

from rig import Rig

LIMITS = ("memory=256M swap=0 pids=200 nofile=4096 nsock=100 cpu=25% cpu-weight=10").split()
# Each goes on until it is killed.
CHURN = "while :; do /bin/hog {0} >/dev/null & sleep 0.2; kill -9 $!; done"
HOGS = {
    "fork bomb": "b() {{ b | b & }}; b; while :; do sleep 1; b; done",
    "memory hog": "while :; do /bin/hog memory 400 >/dev/null; done",
    "disk writer": "while :; do /bin/hog write /tmp/big 200; done",
    "open files": CHURN.format("files"),
    "terminals": CHURN.format("ptys"),
    "inotify": CHURN.format("inotify"),
    "sockets": CHURN.format("sockets"),
    "busy loops": "/bin/hog burn 8 1000",
}
HOGS["fork bomb"] = HOGS["fork bomb"].replace("{{", "{").replace("}}", "}")


def numbers(text: str) -> dict[str, float]:
    out = {}
    for line in text.splitlines():
        name, median, tail = line.split()
        out[name] = float(median)
        out[f"{name} (99th percentile)"] = float(tail)
    return out


class Places:
    """Where latency is felt: the neighbour, and the host."""

    def __init__(self, rig: Rig, neighbour: str, seconds: float):
        program = [str(rig.bench / "bench-neighbour"), str(seconds)]
        inside = [rig.vserver, "--silent", neighbour, "exec", "--no-stdin", "/bin/neighbour", str(seconds)]
        self.rig, self.commands = rig, {"neighbour": inside, "host": program}

    def measure(self) -> dict[str, float]:
        running = {name: subprocess.Popen(argv, env=self.rig.env, stdout=subprocess.PIPE, text=True)
                   for name, argv in self.commands.items()}
        out = {}
        for name, process in running.items():
            text = process.communicate()[0]
            out.update({f"{name}: {k}": v for k, v in numbers(text).items()})
        return out


def measure(rig: Rig, quick: bool) -> dict:
    rounds, seconds = (1, 0.5) if quick else (7, 2)
    hog = rig.bin.parent / "tests/hog"
    for source, name in ((hog, "hog"), (rig.bench / "bench-neighbour", "neighbour")):
        shutil.copy(source, rig.root / "bin" / name)
    bad, good = rig.add_guest(f"{rig.tag}-hog"), rig.add_guest(f"{rig.tag}-quiet")
    for name in (bad, good):
        rig.run(rig.vserver, "--silent", name, "start")
    words = [w for pair in LIMITS for w in pair.split("=", 1)]
    rig.run(rig.vserver, "--silent", bad, "set", "--now", *words)
    places = Places(rig, good, seconds)
    rows = []
    for name, script in HOGS.items():
        quiet, loud = [], []
        for _ in range(rounds):
            quiet.append(places.measure())
            process = subprocess.Popen([rig.vserver, "--silent", bad, "exec", "--no-stdin", "/bin/sh", "-c", script],
                                       env=rig.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(0.5)
            loud.append(places.measure())
            # Room for the program that ends it.
            rig.run(rig.vserver, "--silent", bad, "set", "--now", "pids", "inf")
            for _ in range(3):
                rig.run(rig.vserver, "--silent", bad, "exec", "--no-stdin", "/bin/sh", "-c", "kill -9 -1",
                        check=False)
            process.kill()
            process.wait()
            rig.run(rig.vserver, "--silent", bad, "set", "--now", "pids", "200")
            time.sleep(0.3)
        for key in quiet[0]:
            calm = statistics.median(r[key] for r in quiet)
            rough = statistics.median(r[key] for r in loud)
            rows.append({"hog": name, "felt": key, "quiet_us": calm, "loud_us": rough, "ratio": rough / calm})
    return {"hogs": rows}
