# SPDX-License-Identifier: GPL-2.0-or-later
"""Rows that are timed round-robin, so that a busy machine slows all of them alike."""

import ctypes
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field

CLONE_NEWNS = 0x00020000


@dataclass
class Row:
    """One command line to time, in one view of the host's cgroups."""

    name: str
    argv: list[str]
    base: str = ""  # the row that its ratio is against
    view: str = "host"
    before: list[str] = field(default_factory=list)  # run before each round, not timed
    after: list[str] = field(default_factory=list)
    note: str = ""
    env: dict[str, str] = field(default_factory=dict)  # beside the rig's


@dataclass
class Sample:
    wall_ms: float
    cpu_ms: float  # of the process and what it waited for


def sh(command: str) -> None:
    subprocess.run(["sh", "-ec", command], check=True, stdout=subprocess.DEVNULL)


# How a worker's mount namespace shows the host's cgroups. Some hosts have the v1 controllers
# and cgroup2 beside each other; not every tool takes that.
V1_MOUNTS = "awk '$3 == \"cgroup\" {print $2}' /proc/self/mounts"
VIEWS = {
    "host": "true",
    # A pure cgroup2 host without controllers: what remains when v1 is out of sight.
    "unified": f"""for m in $({V1_MOUNTS}); do umount -l "$m"; done
        two=$(awk '$3 == "cgroup2" {{print $2; exit}}' /proc/self/mounts)
        [ "$two" = /sys/fs/cgroup ] || mount --move "$two" /sys/fs/cgroup""",
    # A pure v1 host.
    "legacy": """two=$(awk '$3 == "cgroup2" {print $2; exit}' /proc/self/mounts)
        [ "$two" = /sys/fs/cgroup ] || mount -t tmpfs none "$two" """,
}


def enter_view(view: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) != 0:
        sys.exit("bench: unshare: " + os.strerror(ctypes.get_errno()))
    sh("mount --make-rprivate /")
    sh(VIEWS[view])


def run_once(argv: list[str], env: dict[str, str]) -> tuple[int, Sample]:
    null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    actions = [(os.POSIX_SPAWN_DUP2, null, fd) for fd in (0, 1, 2)]
    start = time.perf_counter_ns()
    pid = os.posix_spawn(argv[0], argv, env, file_actions=actions)
    _, status, usage = os.wait4(pid, 0)
    wall = (time.perf_counter_ns() - start) / 1e6
    os.close(null)
    code = os.waitstatus_to_exitcode(status)
    return code, Sample(wall, (usage.ru_utime + usage.ru_stime) * 1e3)


class Worker:
    """A process in a mount namespace of its own that runs one view's rows."""

    _asks: list[int] = []

    def __init__(self, view: str, rows: list[Row], env: dict[str, str]):
        ask_r, self._ask = os.pipe()
        self._answer, answer_w = os.pipe()
        self._pid = os.fork()
        if self._pid:
            os.close(ask_r)
            os.close(answer_w)
            Worker._asks.append(self._ask)
            return
        # Also the other workers' ends: each ends when nobody can ask it any more.
        for fd in (self._ask, self._answer, *Worker._asks):
            os.close(fd)
        try:
            self._serve(view, rows, env, ask_r, answer_w)
        finally:
            os._exit(1)

    @staticmethod
    def _serve(view, rows, env, ask, answer):
        enter_view(view)
        while word := os.read(ask, 64):
            row = rows[int(word)]
            if row.before:
                run_once(row.before, env)
            code, sample = run_once(row.argv, {**env, **row.env})
            if row.after:
                run_once(row.after, env)
            os.write(answer, f"{code} {sample.wall_ms} {sample.cpu_ms}".ljust(64).encode())
        os._exit(0)

    def measure(self, index: int) -> tuple[int, Sample]:
        os.write(self._ask, str(index).encode())
        code, wall, cpu = os.read(self._answer, 64).decode().split()
        return int(code), Sample(float(wall), float(cpu))

    def close(self) -> None:
        Worker._asks.remove(self._ask)
        os.close(self._ask)
        os.close(self._answer)
        os.waitpid(self._pid, 0)


def interleave(rows, rounds, env, pause_s=0.0, say=lambda text: None):
    """Times every row once a round. Rows that do not work here are left out, and named."""
    workers = {view: Worker(view, rows, env) for view in sorted({row.view for row in rows})}
    samples: dict[str, list[Sample]] = {}
    left_out = []
    try:
        for index, row in enumerate(rows):  # once to warm up, and to see what works
            code, _ = workers[row.view].measure(index)
            if code == 0:
                samples[row.name] = []
            else:
                left_out.append(f"{row.name} (exit status {code})")
        for number in range(rounds):
            say(f"round {number + 1} of {rounds}")
            for index, row in enumerate(rows):
                if row.name not in samples:
                    continue
                time.sleep(pause_s)
                code, sample = workers[row.view].measure(index)
                if code == 0:
                    samples[row.name].append(sample)
    finally:
        for worker in workers.values():
            worker.close()
    return summary(rows, samples), left_out


def quantile(values: list[float], q: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]


def summary(rows, samples):
    """Medians, spread, and the ratio to the base row: of medians, and the median of the pairs'."""
    out = []
    for row in rows:
        mine = samples.get(row.name)
        if not mine:
            continue
        walls = [s.wall_ms for s in mine]
        entry = {
            "name": row.name,
            "note": row.note,
            "rounds": len(mine),
            "median_ms": statistics.median(walls),
            "p10_ms": quantile(walls, 0.1),
            "p90_ms": quantile(walls, 0.9),
            "cpu_ms": statistics.fmean(s.cpu_ms for s in mine),
        }
        base = samples.get(row.base)
        if base:
            base_walls = [s.wall_ms for s in base]
            entry["cpu_ratio"] = entry["cpu_ms"] / statistics.fmean(s.cpu_ms for s in base)
            pairs = [a / b for a, b in zip(walls, base_walls)]
            entry["base"] = row.base
            entry["ratio"] = entry["median_ms"] / statistics.median(base_walls)
            entry["ratio_p10"] = quantile(pairs, 0.1)
            entry["ratio_p90"] = quantile(pairs, 0.9)
        out.append(entry)
    return out
