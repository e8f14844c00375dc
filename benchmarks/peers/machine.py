"""What a run ran on: figures mean nothing without it."""

import os
import platform
import statistics
import time
from importlib.metadata import version
from pathlib import Path

from benchmarks.peers.runners import peer
from benchmarks.peers.servers import Servers

BLOCK = b"\0" * 8192
SYNCS = 200


def described(servers: Servers, folder: Path) -> dict[str, str]:
    """Label → value, in the order in which a reader wants them. folder: on the disk that PostgreSQL's data is on."""
    peers = ", ".join(f"{name} {found}" for name, found in peer.versions().items())
    here = f"localfn {version('localfn')}, " + ", ".join(
        f"{name} {version(name)}" for name in ("rq", "redis", "psycopg")
    )
    return {
        "cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
        "processor": _processor(),
        "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
        "write of 8 kB and fsync": f"{_sync_ms(folder):.2f} ms",
        "load before the run": f"{os.getloadavg()[0]:.1f}",
        "niceness": str(os.nice(0)),
        **servers.versions(),
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "ours": here,
        "peers": peers,
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _sync_ms(folder: Path) -> float:
    """What a durable commit waits for at least: median milliseconds until a page is on the disk, or said to be."""
    took = []
    with (folder / "synced").open("wb", buffering=0) as file:
        for _ in range(SYNCS):
            began = time.perf_counter()
            file.seek(0)
            file.write(BLOCK)
            os.fsync(file.fileno())
            took.append(time.perf_counter() - began)
    return statistics.median(took) * 1000
