# SPDX-License-Identifier: GPL-2.0-or-later
"""Many idle guests: time to start each, what each keeps, and how long a list of them takes."""

import shutil
import statistics
import time
from pathlib import Path

from cases import BASE, have, lxc_config
from rig import Rig
from run import Row, Worker, interleave

LIST_FEW = "vserver list, of a tenth"
KEPT = ("Slab", "PageTables", "KernelStack", "Percpu", "AnonPages")


def memory_kib() -> dict[str, int]:
    out = {}
    for line in Path("/proc/meminfo").read_text().splitlines():
        name, value = line.split(":")
        if name in KEPT:
            out[name] = int(value.split()[0])
    return out


def pss_kib(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0


class Fleet:
    """One tool's N idle guests: rows that start and stop number i."""

    def __init__(self, name: str, start: list[Row], stop: list[Row], list_argv: list[str]):
        self.name, self.start, self.stop, self.list_argv = name, start, stop, list_argv


def vserver_fleet(rig: Rig, count: int) -> Fleet:
    names = [rig.add_guest(f"{rig.tag}-{i}") for i in range(count)]

    def rows(verb):
        return [Row(n, [rig.vserver, "--silent", n, verb], view="unified") for n in names]
    return Fleet("vserver", rows("start"), rows("stop"), [rig.vserver, "list", "--running"])


def crun_fleet(rig: Rig, count: int) -> Fleet:
    bundle = rig.bundle("idle")
    rig.set_args(bundle, ["/bin/micro", "idle"])
    crun = [shutil.which("crun"), "--cgroup-manager=disabled", "--root", f"{rig.run_dir}-crun"]
    ids = [f"{rig.tag}-{i}" for i in range(count)]
    start = [Row(i, ["/bin/sh", "-c", f"{' '.join(crun)} create -b {bundle} {i} && "
                     f"{' '.join(crun)} start {i}"], view="unified") for i in ids]
    stop = [Row(i, [*crun, "delete", "-f", i], view="unified") for i in ids]
    return Fleet("crun", start, stop, [*crun, "list"])


def lxc_fleet(rig: Rig, count: int) -> Fleet:
    ids = [f"{rig.tag}-{i}" for i in range(count)]
    paths = {lxc_config(rig, i, "/bin/micro idle") for i in ids}
    where = ["-P", paths.pop()]
    start = [Row(i, [shutil.which("lxc-start"), *where, "-n", i], view="unified") for i in ids]
    stop = [Row(i, [shutil.which("lxc-stop"), *where, "-k", "-n", i], view="unified") for i in ids]
    return Fleet("lxc", start, stop, [shutil.which("lxc-ls"), *where, "-f"])


def floor_fleet(rig: Rig, count: int) -> Fleet:
    group = Path("/sys/fs/cgroup") / rig.make_group(rig.v2_mount()).name
    program = str(rig.bench / "bench-floor")
    start = [Row(str(i), [program, "-d", "-n", "-u", BASE, "-2", str(group / f"idle{i}"),
                          str(rig.root), "/bin/micro", "idle"], view="unified")
             for i in range(count)]
    stop = [Row(str(i), ["/bin/sh", "-c", f"echo 1 >{group}/idle{i}/cgroup.kill; until rmdir "
                         f"{group}/idle{i} 2>/dev/null; do sleep 0.01; done"], view="unified")
            for i in range(count)]
    return Fleet("floor", start, stop, [])


def run_rows(rows: list[Row], env: dict[str, str]) -> list[float]:
    worker = Worker("unified", rows, env)
    times = []
    try:
        for index, row in enumerate(rows):
            code, sample = worker.measure(index)
            if code != 0:
                raise SystemExit(f"bench: {' '.join(row.argv)}: exit status {code}")
            times.append(sample.wall_ms)
    finally:
        worker.close()
    return times


def start_fleet(fleet: Fleet, env: dict[str, str]) -> dict:
    time.sleep(1)
    before = memory_kib()
    times = run_rows(fleet.start, env)
    time.sleep(2)
    after = memory_kib()
    tenth = max(1, len(times) // 10)
    return {"name": fleet.name, "count": len(times),
            "start_ms": statistics.median(times),
            "start_first_ms": statistics.median(times[:tenth]),
            "start_last_ms": statistics.median(times[-tenth:]),
            "kib": {kind: (after[kind] - before[kind]) / len(times) for kind in KEPT}}


def list_rows(rig: Rig, fleets: list[Fleet]) -> list[Row]:
    """Like for like: what runs and since when; and beside it our list of what each guest uses."""
    rows = [Row(f"{f.name} list", f.list_argv, "crun list", "unified") for f in fleets if f.list_argv]
    few = rig.work / "conf-few"
    few.mkdir()
    for name in rig.guests[:len(rig.guests) // 10]:
        (few / name).symlink_to(rig.work / "conf" / name)
    return rows + [
        Row(LIST_FEW, [rig.vserver, "list", "--running"], "crun list", "unified",
            env={"VSERVER_CONFDIR": str(few)}),
        Row("vserver-stat", [str(rig.bin / "vserver-stat")], "crun list", "unified",
            note="with use of resources")]


def guard_pss(rig: Rig) -> int:
    values = []
    for state in (rig.run_dir / "guests").glob("*/state"):
        for line in state.read_text().splitlines():
            if line.startswith("guard "):
                values.append(pss_kib(int(line.split()[1])))
    return int(statistics.median(values)) if values else 0


def measure(rig: Rig, quick: bool) -> dict:
    count = 20 if quick else 1000
    fleets = [vserver_fleet(rig, count), floor_fleet(rig, count)]
    if have("crun", "runc"):
        fleets.append(crun_fleet(rig, count))
    if have("lxc-start"):
        fleets.append(lxc_fleet(rig, count))
    out = {"density": [], "rows": [], "left_out": []}
    started: list[Fleet] = []
    try:
        for fleet in fleets:
            started.append(fleet)
            out["density"].append(start_fleet(fleet, rig.env))
        out["guard_pss_kib"] = guard_pss(rig)
        out["rows"], out["left_out"] = interleave(list_rows(rig, fleets), 3 if quick else 15, rig.env)
    finally:
        for fleet in started:
            worker = Worker("unified", fleet.stop, rig.env)
            times = [worker.measure(i)[1].wall_ms for i in range(len(fleet.stop))]
            worker.close()
            for entry in out["density"]:
                if entry["name"] == fleet.name:
                    entry["stop_ms"] = statistics.median(times)
    return out
