# SPDX-License-Identifier: GPL-2.0-or-later
"""A scratch place with guests, bundles and cgroups of its own; gone afterwards."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

APPLETS = "sh true sleep cat ls mkdir echo kill poweroff".split()
FIRST_XID = 30000
V1_CONTROLLERS = {"cpu", "cpuacct", "memory", "pids", "blkio", "cpuset", "devices"}
# What a guest's filter refuses, as an OCI profile: the same work for a peer.
REFUSED = """acct add_key bpf delete_module finit_module init_module io_uring_enter
    io_uring_register io_uring_setup kexec_file_load kexec_load keyctl lookup_dcookie
    open_by_handle_at perf_event_open request_key syslog userfaultfd""".split()
# The usual default profile of container engines is the other way round: a list of what is allowed.
REFUSED_BY_ENGINES = REFUSED + """clock_adjtime clock_settime create_module get_kernel_syms ioperm
    iopl kcmp mbind move_pages nfsservctl pivot_root process_vm_readv process_vm_writev ptrace
    query_module quotactl reboot set_mempolicy setns settimeofday swapoff swapon sysfs umount2
    unshare uselib ustat vm86 vm86old""".split()


def run_memory() -> Path:
    for path in ("/run", "/dev/shm"):
        kind = subprocess.run(["stat", "-f", "-c", "%T", path], capture_output=True, text=True)
        if kind.stdout.strip() == "tmpfs":
            return Path(path)
    return Path("/run")


class Rig:
    def __init__(self, build: Path):
        self.bin = build / "bin"
        self.bench = build / "bench"
        self.work = Path(tempfile.mkdtemp(prefix="vserver-bench.", dir="/var/tmp"))
        self.work.chmod(0o755)  # the roots of user namespaces pass through
        # /run is memory on a normal host; where it is not (a container's), what is is used.
        self.run_dir = run_memory() / f"vserver-bench.{os.getpid()}"
        self.tag = f"bench{os.getpid()}"
        self.env = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "LC_ALL": "C",
            "VSERVER_CONFDIR": str(self.work / "conf"),
            "VSERVER_VDIRBASE": str(self.work / "vdirs"),
            "VSERVER_CACHEDIR": str(self.work / "cache"),
            "VSERVER_RUNDIR": str(self.run_dir),
        }
        self.vserver = str(self.bin / "vserver")
        self.guests: list[str] = []
        self.named: dict[str, str] = {}  # the few guests that the rows share
        self.groups: list[Path] = []
        # Left by some peers at the top of each hierarchy: theirs to make, ours to take away again.
        self.strays = [m / "lxc.pivot" for m in Path("/sys/fs/cgroup").glob("*")
                       if not (m / "lxc.pivot").exists()]
        self.root = self.make_root()

    def make_root(self) -> Path:
        """One busybox tree, which all guests and all peers share."""
        root = self.work / "root"
        for name in "bin dev etc proc root run sbin sys tmp usr var".split():
            (root / name).mkdir(parents=True)
        shutil.copy(shutil.which("busybox"), root / "bin/busybox")
        shutil.copy(self.bench / "bench-micro", root / "bin/micro")
        for applet in APPLETS:
            (root / "bin" / applet).symlink_to("busybox")
        (root / "etc/os-release").write_text("ID=bench\n")
        return root

    def run(self, *argv: str, check: bool = True) -> subprocess.CompletedProcess:
        return subprocess.run(argv, env=self.env, check=check, capture_output=True, text=True)

    def add_guest(self, name: str, net: str = "private", seccomp: bool = True,
                  userns: bool = True, init: str = "/bin/micro\nidle\n") -> str:
        """A guest whose tree is the shared one, seen through its own ids."""
        conf = self.work / "conf" / name
        (conf / "apps/init").mkdir(parents=True)
        (conf / "net").mkdir()
        (conf / "apps/vshelper").mkdir()
        (conf / "vdir").symlink_to(self.root)
        entries = {
            "context": str(FIRST_XID + len(self.guests)), "net/mode": net,
            "seccomp": "on" if seccomp else "off", "userns": "on" if userns else "off",
            "apps/init/style": "plain", "apps/init/cmd.start": init,
            "apps/vshelper/sync-timeout": "1",
        }
        for path, text in entries.items():
            (conf / path).write_text(text.rstrip("\n") + "\n")
        self.guests.append(name)
        return name

    def v1_mounts(self) -> list[Path]:
        out = []
        for line in Path("/proc/mounts").read_text().splitlines():
            words = line.split()
            if words[2] == "cgroup" and V1_CONTROLLERS & set(words[3].split(",")):
                out.append(Path(words[1]))
        return out

    def v2_mount(self) -> Path:
        for line in Path("/proc/mounts").read_text().splitlines():
            words = line.split()
            if words[2] == "cgroup2":
                return Path(words[1])
        raise SystemExit("bench: no cgroup2 mount")

    def make_group(self, mount: Path) -> Path:
        """A parent for the floor's cgroups, in which a new cpuset takes processes at once."""
        group = mount / self.tag
        group.mkdir(exist_ok=True)
        if (group / "cpuset.cpus").exists() and (group / "cgroup.clone_children").exists():
            for knob in ("cpuset.cpus", "cpuset.mems"):
                (group / knob).write_text((mount / knob).read_text())
            (group / "cgroup.clone_children").write_text("1")
        self.groups.append(group)
        return group

    def bundle(self, name: str, net: bool = True, user: bool = True,
               seccomp: str = "") -> str:
        """An OCI bundle with what an equal guest has."""
        path = self.work / "bundle" / name
        path.mkdir(parents=True)
        self.run("runc", "spec", "--bundle", str(path))
        spec = json.loads((path / "config.json").read_text())
        spec["process"].update(terminal=False, args=["/bin/true"])
        spec["root"] = {"path": str(self.root), "readonly": False}
        kinds = [n for n in spec["linux"]["namespaces"] if n["type"] not in ("network", "user")]
        kinds += [{"type": "network"}] if net else []
        kinds += [{"type": "user"}] if user else []
        if user:
            ids = [{"containerID": 0, "hostID": 500000000, "size": 65536}]
            spec["linux"].update(uidMappings=ids, gidMappings=ids)
        spec["linux"]["namespaces"] = kinds
        if seccomp:
            spec["linux"]["seccomp"] = profile(seccomp)
        (path / "config.json").write_text(json.dumps(spec))
        return str(path)

    @staticmethod
    def set_args(bundle: str, args: list[str]) -> None:
        config = Path(bundle) / "config.json"
        spec = json.loads(config.read_text())
        spec["process"]["args"] = args
        config.write_text(json.dumps(spec))

    def close(self) -> None:
        for name in self.guests:
            if (self.run_dir / "guests" / name).exists():
                self.run(self.vserver, "--silent", name, "stop", check=False)
        for group in self.groups:
            for below in [*group.glob("*/"), group]:
                remove_group(below)
        for stray in self.strays:
            if stray.exists():
                os.rmdir(stray)
        self.run("umount", str(self.run_dir / "no-network"), check=False)  # kept for all guests
        shutil.rmtree(self.work, ignore_errors=True)
        for path in (self.run_dir, f"{self.run_dir}-crun", f"{self.run_dir}-runc"):
            shutil.rmtree(path, ignore_errors=True)


def remove_group(group: Path) -> None:
    """Ends what an interrupted run left in it; a killed process leaves some time later."""
    if (group / "cgroup.kill").exists():
        (group / "cgroup.kill").write_text("1")
    for _ in range(100):
        try:
            return os.rmdir(group)
        except FileNotFoundError:
            return None
        except OSError:
            time.sleep(0.05)
    print(f"bench: {group} is left", file=sys.stderr)


def profile(kind: str) -> dict:
    arches = ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"] if os.uname().machine == "x86_64" else []
    if kind == "deny":
        rules = {"names": REFUSED, "action": "SCMP_ACT_ERRNO"}
        return {"defaultAction": "SCMP_ACT_ALLOW", "architectures": arches, "syscalls": [rules]}
    header = subprocess.run(["cc", "-E", "-dM", "-include", "sys/syscall.h", "-x", "c", "/dev/null"],
                            capture_output=True, text=True, check=True).stdout
    names = [line.split()[1][len("__NR_"):] for line in header.splitlines()
             if line.startswith("#define __NR_")]
    rules = {"names": sorted(set(names) - set(REFUSED_BY_ENGINES)), "action": "SCMP_ACT_ALLOW"}
    return {"defaultAction": "SCMP_ACT_ERRNO", "architectures": arches, "syscalls": [rules]}
