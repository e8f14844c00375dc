"""Measure the health endpoints and the memory of the web processes under each attack: `./dev bench crowd`."""

import asyncio
import json
import multiprocessing
import socket
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import click
import psutil

from benchmarks import client, stack
from benchmarks.crowd import attacks
from benchmarks.crowd.wire import Target

PASSWORD = "correct horse"  # noqa: S105 - of a temporary runtime
SETTINGS = {
    "LOCALFN_AUTH": "required",
    "LOCALFN_TRUSTED_PROXIES": "1",
    "SUPERUSER_USERNAME": "ada",
    "SUPERUSER_PASSWORD": PASSWORD,
}
PROBES = ("/healthz", "/readyz")
EVERY_S, SETTLE_S, GIVEN_UP_S = 0.05, 2.0, 10.0
JSON = "Content-Type: application/json\r\n"


@click.command("crowd")
@click.option("--seconds", default=8.0, show_default=True, help="For each attack.")
@click.option("--only", multiple=True, help="Name of an attack; may be repeated. Default: all.")
def command(seconds: float, only: tuple[str, ...]) -> None:
    """Probe the health endpoints from a separate process, each time on a new connection."""
    chosen = [attack for attack in attacks.ALL if not only or attack.__name__ in only]
    with stack.folder() as folder, stack.up(folder, SETTINGS) as running:
        target = prepare(running.url)
        pids = web_processes(running.pid)
        click.echo(
            f"{'attack':18} {'healthz p99':>12} {'worst':>8} {'readyz p99':>12} {'worst':>8} {'peak memory':>12}"
        )
        for attack in chosen:
            for pid in pids:
                Path(f"/proc/{pid}/clear_refs").write_text("5")  # reset the peak
            found = probed(target, lambda attack=attack: asyncio.run(attack(target, seconds)))  # type: ignore[misc]
            health, ready = (figures(found[path]) for path in PROBES)
            peak = max(peak_mb(pid) for pid in pids)
            click.echo(f"{attack.__name__:18} {health} {ready} {peak:9.0f} MB")
            time.sleep(SETTLE_S)


def prepare(url: str) -> Target:
    """Log in, and store the requests that the attacks read."""
    connection = client.Connection(url)
    cookie = connection.log_in("ada", PASSWORD)
    headers = f"{JSON}Cookie: {cookie}\r\n"
    _, made = connection.request("POST", "/api/functions/enlarge", b"{}", f"{headers}Prefer: wait=30\r\n")
    _, held = connection.request("POST", "/api/functions/noop?delay_s=86400", b"{}", headers)
    connection.close()
    address = urlsplit(url)
    assert address.hostname is not None
    assert address.port is not None
    return Target(address.hostname, address.port, cookie, json.loads(made)["id"], json.loads(held)["id"])


def web_processes(pid: int) -> list[int]:
    """Return the pids of the web processes: the children of `localfn web`."""
    of_up = psutil.Process(pid).children(recursive=True)
    web = next(process for process in of_up if process.cmdline()[-1:] == ["web"])
    return [process.pid for process in web.children()]


def peak_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def probed(target: Target, attack: Callable[[], None]) -> dict[str, list[float]]:
    """Run the attack; return the seconds of each probe by its path."""
    context = multiprocessing.get_context("fork")
    attacker = context.Process(target=attack)
    found: dict[str, list[float]] = {path: [] for path in PROBES}
    attacker.start()
    while attacker.is_alive():
        for path in PROBES:
            found[path].append(probe(target, path))
            time.sleep(EVERY_S)
    attacker.join()
    assert attacker.exitcode == 0, "the attack failed"
    return found


def probe(target: Target, path: str) -> float:
    started_at = time.monotonic()
    try:
        with socket.create_connection((target.host, target.port), timeout=GIVEN_UP_S) as line:
            line.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            answer = line.recv(65_536)
            assert answer.startswith(b"HTTP/1.1 "), answer
            if not answer.startswith(b"HTTP/1.1 200"):
                return GIVEN_UP_S
    except OSError:
        return GIVEN_UP_S
    return time.monotonic() - started_at


def figures(seconds: list[float]) -> str:
    p99 = statistics.quantiles(seconds, n=100)[98] if len(seconds) > 1 else seconds[0]
    return f"{min(p99, max(seconds)) * 1000:9.0f} ms {max(seconds) * 1000:5.0f} ms"
