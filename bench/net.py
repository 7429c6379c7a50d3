# SPDX-License-Identifier: GPL-2.0-or-later
"""Sockets on the shared network, against the host's own and against a link pair with a bridge."""

import ctypes
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time

from inside import parse
from rig import Rig

CLONE_NEWNET = 0x40000000
MANY, FEW = 1000, 10
HOST = ("10.98.0.1", "10.98.0.2")
BRIDGED = ("10.98.1.1", "10.98.1.2")
GUESTS = ("10.98.2.1", "10.98.2.2")


def sh(command: str) -> None:
    subprocess.run(["sh", "-ec", command], check=True, stdout=subprocess.DEVNULL)


def make_network() -> None:
    """A network of our own plays the host's; with a bridge, and two others behind it."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        sys.exit("bench: unshare: " + os.strerror(ctypes.get_errno()))
    sh(f"ip link set lo up; ip addr add {HOST[0]}/32 dev lo; ip addr add {HOST[1]}/32 dev lo")
    sh("ip link add br0 type bridge && ip link set br0 up")


class Place:
    """Where servers and clients run: what stands in front of bench-net."""

    def __init__(self, rig: Rig, server: list[str], client: list[str], addresses: tuple[str, str]):
        self.rig, self.client, self.addresses = rig, client, addresses
        self.process = subprocess.Popen([*server, "serve", addresses[0]], env=rig.env, text=True,
                                        stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        if self.process.stdout.readline() != "up\n":
            raise SystemExit(f"bench: no server by {' '.join(server)}")

    def measure(self, source: str = "0.0.0.0") -> dict[str, float]:
        done = subprocess.run([*self.client, "client", source, self.addresses[0]],
                              env=self.rig.env, check=True, capture_output=True, text=True)
        return parse(done.stdout)

    def close(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


class Namespaces:
    """Two network namespaces on the bridge."""

    def __init__(self) -> None:
        self.holders = []
        for i, address in enumerate(BRIDGED):
            holder = subprocess.Popen(["unshare", "-n", "sleep", "3600"])
            self.holders.append(holder)
            own = os.readlink("/proc/self/ns/net")
            while os.readlink(f"/proc/{holder.pid}/ns/net") == own:
                time.sleep(0.01)
            sh(f"ip link add v{i} type veth peer name eth0 netns {holder.pid}; ip link set v{i} master br0 up;"
               f"nsenter -t {holder.pid} -n sh -ec 'ip link set lo up; ip addr add {address}/24 dev eth0;"
               "ip link set eth0 up'")

    def enter(self, i: int) -> list[str]:
        return ["nsenter", "-t", str(self.holders[i].pid), "-n"]

    def close(self) -> None:
        for holder in self.holders:
            holder.kill()
            holder.wait()


class Loaded:
    """The shared network with two guests and so many contexts."""

    def __init__(self, rig: Rig, guests: list[str], contexts: int):
        self.rig, self.guests = rig, guests
        self.load = subprocess.Popen([str(rig.bench / "bench-net-load"), str(contexts)], env=rig.env,
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.add_us = float(self.load.stdout.readline())
        self.start_ms = []
        for guest in guests:
            began = time.perf_counter()
            rig.run(rig.vserver, guest, "start")
            self.start_ms.append((time.perf_counter() - began) * 1e3)

    def close(self) -> None:
        for guest in self.guests:
            self.rig.run(self.rig.vserver, guest, "stop")
        self.load.stdin.close()
        self.load.wait()


def inside(rig: Rig, guests: list[str]) -> list[list[str]]:
    return [[rig.vserver, guest, "exec", "/bin/net"] for guest in guests]


def one_round(rig: Rig, guests: list[str], on_host: list[str], spaces: Namespaces, out: dict) -> None:
    program = [str(rig.bench / "bench-net")]

    def take(name: str, server: list[str], client: list[str], addresses, source="0.0.0.0") -> None:
        place = Place(rig, server, client, addresses)
        out["rows"].setdefault(name, []).append(place.measure(source))
        place.close()

    take("host", program, program, HOST)
    take("veth + bridge", spaces.enter(0) + program, spaces.enter(1) + program, BRIDGED)
    for guest in on_host:
        rig.run(rig.vserver, guest, "start")
    take("guests with the host's network", *inside(rig, on_host), HOST)
    for guest in on_host:
        rig.run(rig.vserver, guest, "stop")
    for contexts in (FEW, MANY):
        loaded = Loaded(rig, guests, contexts - len(guests))
        out["start_ms"].setdefault(contexts, []).extend(loaded.start_ms)
        out["add_us"].setdefault(contexts, []).append(loaded.add_us)
        take(f"host, {contexts} contexts loaded", program, program, HOST)
        # The server takes what comes for its first address, as a server on 0.0.0.0 does.
        take(f"shared, {contexts} contexts", *inside(rig, guests), GUESTS)
        loaded.close()


def rounds(rig: Rig, count: int) -> dict:
    make_network()
    shutil.copy(rig.bench / "bench-net", rig.root / "bin/net")
    guests = []
    for i, address in enumerate(GUESTS):
        name = rig.add_guest(f"{rig.tag}-net{i}", net="shared")
        entry = rig.work / "conf" / name / "interfaces/0"
        entry.mkdir(parents=True)
        (entry / "ip").write_text(address + "\n")
        (entry / "dev").write_text("lo\n")
        guests.append(name)
    on_host = [rig.add_guest(f"{rig.tag}-host{i}", net="host") for i in range(2)]
    spaces = Namespaces()
    out: dict = {"rows": {}, "start_ms": {}, "add_us": {}}
    try:
        for _ in range(count):
            one_round(rig, guests, on_host, spaces, out)
    finally:
        for guest in guests + on_host:
            rig.run(rig.vserver, "--silent", guest, "stop", check=False)
        spaces.close()
    return out


def in_child(rig: Rig, count: int) -> dict:
    """The network namespace is this child's, and goes with it."""
    readable, writable = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.close(readable)
            with os.fdopen(writable, "w") as stream:
                json.dump(rounds(rig, count), stream)
            code = 0
        finally:
            os._exit(code)
    os.close(writable)
    with os.fdopen(readable) as stream:
        text = stream.read()
    if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) != 0:
        raise SystemExit("bench: net failed")
    return json.loads(text)


def measure(rig: Rig, quick: bool) -> dict:
    taken = in_child(rig, 2 if quick else 15)
    cases = list(taken["rows"]["host"][0])
    rows = []
    for name, mine in taken["rows"].items():
        # Round by round against the host of the same round; the time of one operation.
        ratios = {case: [one[case] / host[case] for one, host in zip(mine, taken["rows"]["host"])]
                  for case in cases}
        rows.append({"name": name,
                     "ns": {c: statistics.median(one[c] for one in mine) for c in cases},
                     "ratio": {c: statistics.median(ratios[c]) for c in cases}})
    few, many = str(FEW), str(MANY)
    return {"net": rows, "rounds": len(taken["rows"]["host"]),
            "start_ms": {n: statistics.median(taken["start_ms"][n]) for n in (few, many)},
            "add_us": {n: statistics.median(taken["add_us"][n]) for n in (few, many)}}
