"""Describe the machine of a run; figures depend on it."""

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
    """Return label -> value, in the order of the report.

    folder: on the disk of PostgreSQL's data.
    """
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
        "localfn": here,
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
    """Return the median milliseconds of a write and fsync of one page, the least wait of a durable commit."""
    durations = []
    with (folder / "synced").open("wb", buffering=0) as file:
        for _ in range(SYNCS):
            started_at = time.perf_counter()
            file.seek(0)
            file.write(BLOCK)
            os.fsync(file.fileno())
            durations.append(time.perf_counter() - started_at)
    return statistics.median(durations) * 1000
