"""Use more memory than allowed: at once, slowly, in a child, and in threads."""

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from localfn import Context, function


@function(memory_mb=96)
def hoard(event: Any, context: Context) -> Any:
    """Use memory slowly enough for the check of resident memory."""
    kept = []
    while True:
        kept.append(bytearray(1024 * 1024))
        time.sleep(0.001)


@function(memory_mb=96)
def hoard_at_once(event: Any, context: Context) -> Any:
    return len(bytearray(4 * 1024**3))


@function(memory_mb=96)
def hoard_in_child(event: Any, context: Context) -> Any:
    code = "import time\nkept = bytearray(300 * 1024 * 1024)\nkept[::4096] = b'x' * len(kept[::4096])\ntime.sleep(3600)"
    subprocess.run([sys.executable, "-c", code], check=False)


@function(memory_mb=512)
def start_threads(event: Any, context: Context) -> Any:
    """Run the given number of threads at once."""
    with ThreadPoolExecutor(event["count"]) as pool:
        barrier = threading.Barrier(event["count"] + 1, timeout=60)
        for _ in range(event["count"]):
            pool.submit(barrier.wait)
        barrier.wait()
    return event["count"]


@function(memory_mb=96)
def hoard_in_threads(event: Any, context: Context) -> Any:
    """Exceed the memory limit within the room for thread stacks."""
    kept: list[bytes] = []
    with ThreadPoolExecutor(20) as pool:
        for _ in range(40):
            pool.submit(lambda: kept.append(b"x" * (8 * 1024 * 1024)))
        time.sleep(60)


@function(memory_mb=64)
def start_too_many_threads(event: Any, context: Context) -> Any:
    over = threading.Event()
    try:
        for _ in range(5_000):
            threading.Thread(target=over.wait, daemon=True).start()
    finally:
        over.set()
