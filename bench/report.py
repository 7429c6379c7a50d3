# SPDX-License-Identifier: GPL-2.0-or-later
"""Tables for people, JSON for programs, and the page that is made of them."""

import json
import os
from pathlib import Path

from density import LIST_FEW

KEPT = ("Slab", "PageTables", "KernelStack", "Percpu", "AnonPages")
TITLES = {
    "start": "Start, /bin/true, stop",
    "start-v1": "The same with v1 controllers",
    "alone": "One start alone",
    "exec": "A program in a running guest",
    "density": "A thousand idle guests",
    "micro": "Inside a guest",
    "trees": "Making a guest's tree",
    "net": "Sockets on the shared network",
    "hogs": "A hog in one guest, and its neighbours",
}


# What was wanted before the first line was written: processor time as a ratio to the row's base.
GOALS = (
    ("start + true + stop, private network", "start", "vserver run", 1.5),
    ("the same with seccomp", "start", "vserver run, seccomp", 1.6),
    ("without a network namespace", "start", "vserver run, host's network", 1.4),
    ("shared network", "start", "vserver run, shared network", 1.4),
    ("with v1 controllers, against a floor that joins them", "start-v1", "vserver run, v1", 1.3),
    ("exec", "exec", "vserver exec", 1.5),
)
GROWTH_GOAL = 1.1
LIST_GOAL = 1 / 3  # of crun's, with a thousand guests
GUARD_KIB = 100


def table(head: list[str], rows: list[list[str]]) -> str:
    widths = [max(len(str(r[i])) for r in [head, *rows]) for i in range(len(head))]

    def line(cells):
        return "| " + " | ".join(str(c).ljust(w) if i == 0 else str(c).rjust(w)
                                 for i, (c, w) in enumerate(zip(cells, widths))) + " |"
    rule = "|" + "|".join(("-" * (w + 1) + (":" if i else "-")) for i, w in enumerate(widths)) + "|"
    return "\n".join([line(head), rule, *map(line, rows)])


def rows_table(rows: list[dict]) -> str:
    out = []
    for r in rows:
        ratio, spread, cpu = ("", "", "") if "ratio" not in r else (
            f"{r['ratio']:.2f}", f"{r['ratio_p10']:.2f}-{r['ratio_p90']:.2f}",
            f"{r['cpu_ratio']:.2f}")
        out.append([r["name"], f"{r['median_ms']:.2f}", f"{r['p10_ms']:.2f}-{r['p90_ms']:.2f}",
                    f"{r['cpu_ms']:.1f}", ratio, spread, cpu, r.get("base", ""), r.get("note", "")])
    return table(["row", "median ms", "p10-p90", "cpu ms", "ratio", "p10-p90", "cpu ratio", "to", "note"], out)


def density_table(entries: list[dict]) -> str:
    out = []
    for e in entries:
        kib = [f"{e['kib'][k]:.0f}" for k in KEPT]
        out.append([e["name"], e["count"], f"{e['start_ms']:.1f}",
                    f"{e['start_last_ms'] / e['start_first_ms']:.2f}", f"{e.get('stop_ms', 0):.1f}",
                    *kib, f"{sum(e['kib'].values()):.0f}"])
    return table(["tool", "guests", "start ms", "last/first tenth", "stop ms",
                  *[f"{k} KiB" for k in KEPT], "sum KiB"], out)


def micro_table(rows: list[dict]) -> str:
    keys = [k for k in rows[0] if k != "name"]
    out = [[r["name"], *[f"{r[k]:.0f} ns" if r["name"] == "host" else f"{r[k]:.2f}" for k in keys]]
           for r in rows]
    return table(["place", *keys], out)


def net_table(result: dict) -> str:
    rows = result["net"]
    cases = list(rows[0]["ns"])
    out = [[r["name"], *[f"{r['ns'][c]:.0f} ns" if r["name"] == "host" else f"{1 / r['ratio'][c]:.2f}"
                         for c in cases]] for r in rows]
    start, add = result["start_ms"], result["add_us"]
    few, many = start
    return table(["place", *cases], out) + f"""

The first row is the time of one operation on the host before anything is loaded (of bulk: for a MiB), the others are its
rate there as a share of the host's, round by round ({result['rounds']} rounds, medians). Client and server on one processor.
A start with {many} contexts: {start[many]:.1f} ms, with {few}: {start[few]:.1f} ms ({start[many] / start[few]:.2f}).
A context with its address is added in {add[many]:.0f} µs when there are {many} ({few}: {add[few]:.0f} µs, with the load of the programs)."""


def net_goals(result: dict) -> list[list[str]]:
    rows = {r["name"]: r["ratio"] for r in result["net"]}
    few, many = result["start_ms"]
    out = []

    def at_least(what: str, wanted: float, share: float) -> None:
        out.append([what, f"at least {wanted}", f"{share:.2f}", "met" if share >= wanted else "missed"])
    for case in ("tcp_rr", "tcp_connection"):
        at_least(f"shared network, {case}, share of the host's", 0.97,
                 1 / rows[f"shared, {few} contexts"][case])
    for case in ("tcp_rr", "udp_send", "bind", "connect"):
        at_least(f"the host itself with {many} contexts loaded, {case}", 0.99,
                 1 / rows[f"host, {many} contexts loaded"][case])
    for what, growth in (
            ("start", result["start_ms"][many] / result["start_ms"][few]),
            ("bind", rows[f"shared, {many} contexts"]["bind"] / rows[f"shared, {few} contexts"]["bind"])):
        out.append([f"{what}, {many} contexts against {few}", str(GROWTH_GOAL), f"{growth:.2f}",
                    verdict(growth, GROWTH_GOAL)])
    return out


def hogs_table(rows: list[dict]) -> str:
    lines = ["| hog in one guest | felt by | quiet, us | with the hog, us | ratio |", "|---|---|---|---|---|"]
    for row in rows:
        lines.append(f"| {row['hog']} | {row['felt']} | {row['quiet_us']:.1f} | {row['loud_us']:.1f} |"
                     f" {row['ratio']:.2f} |")
    return "\n".join(lines)


def text(name: str, result: dict) -> str:
    parts = []
    if "density" in result:
        parts.append(density_table(result["density"]))
        parts.append(f"A guard keeps {result['guard_pss_kib']} KiB (PSS, median).")
    if result.get("rows"):
        parts.append(rows_table(result["rows"]))
    if "micro" in result:
        parts.append(micro_table(result["micro"]))
    if "net" in result:
        parts.append(net_table(result))
    if "hogs" in result:
        parts.append(hogs_table(result["hogs"]))
    if result.get("left_out"):
        parts.append("Did not work on this machine: " + ", ".join(result["left_out"]) + ".")
    return f"## {TITLES[name]}\n\n" + "\n\n".join(parts) + "\n"


def verdict(measured: float, wanted: float) -> str:
    return "met" if measured <= wanted else "missed"


def density_goals(result: dict) -> list[list[str]]:
    rows = {r["name"]: r for r in result.get("rows", [])}
    out = []
    if "vserver list" in rows and "crun list" in rows:
        ratio = rows["vserver list"]["cpu_ms"] / rows["crun list"]["cpu_ms"]
        out.append(["list of a thousand guests, against crun's", f"{LIST_GOAL:.2f}", f"{ratio:.2f}",
                    verdict(ratio, LIST_GOAL)])
    if "vserver list" in rows and LIST_FEW in rows:
        growth = rows["vserver list"]["cpu_ms"] / rows[LIST_FEW]["cpu_ms"] / 10
        out.append(["time of a list per guest, a thousand against a hundred", str(GROWTH_GOAL),
                    f"{growth:.2f}", verdict(growth, GROWTH_GOAL)])
    guard = result["guard_pss_kib"]
    out.append(["memory of a guard, KiB", str(GUARD_KIB), str(guard), verdict(guard, GUARD_KIB)])
    return out


def goals_table(results: dict[str, dict]) -> str:
    """Computed from the stored results; what was not measured is not listed."""
    out = []
    for what, name, row, wanted in GOALS:
        for r in results.get(name, {}).get("rows", []):
            if r["name"] == row and "cpu_ratio" in r:
                ratio = r["cpu_ratio"]
                out.append([what, str(wanted), f"{ratio:.2f}", verdict(ratio, wanted)])
    if "density" in results:
        out += density_goals(results["density"])
    if "net" in results:
        out += net_goals(results["net"])
    return table(["goal", "at most", "measured", ""], out)


def machine() -> dict:
    cpu = next((line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").open()
                if line.startswith("model name")), os.uname().machine)
    return {"cpu": cpu, "cores": os.cpu_count(), "kernel": os.uname().release}


def store(top: Path, name: str, result: dict) -> None:
    results = top / "bench/results"
    results.mkdir(exist_ok=True)
    result["machine"] = machine()
    (results / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")
    (results / f"{name}.md").write_text(text(name, result))


def write_page(top: Path) -> None:
    """docs/performance.md: the words of bench/page.md around the newest tables."""
    results = {}
    for name in TITLES:
        stored = top / f"bench/results/{name}.json"
        if stored.exists():
            results[name] = json.loads(stored.read_text())
    parts = [text(name, result) for name, result in results.items()]
    here = machine()
    page = (top / "bench/page.md").read_text()
    page = page.replace("@MACHINE@", f"{here['cpu']}, {here['cores']} cores, Linux {here['kernel']}")
    page = page.replace("@TABLES@", "\n".join(parts)).replace("@GOALS@", goals_table(results))
    (top / "docs/performance.md").write_text(page)
