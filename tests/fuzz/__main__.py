"""Run `./dev fuzz [MINUTES]`: schemathesis against a new runtime, seed after seed, until the time is over."""

import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz.attacking import CODE, attack, faults
from tests.support.runtime import free_port
from tests.support.waiting import wait_until

EXAMPLES = 50
ROUND_LIMIT_S = 1800


def main() -> int:
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 60
    with tempfile.TemporaryDirectory(prefix="lf-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        return fuzz(Path(folder), minutes)


def fuzz(folder: Path, minutes: float) -> int:
    (folder / "functions").mkdir()
    (folder / "functions" / "echo.py").write_text(CODE)
    port = free_port()
    env = os.environ | {
        "PORT": str(port),
        "LOCALFN_HOME": str(folder / "home"),
        "LOCALFN_FUNCTIONS": str(folder / "functions"),
    }
    log = folder / "log"
    with log.open("wb") as output:
        runtime = subprocess.Popen(
            [sys.executable, "-P", "-m", "localfn_runtime", "up"], env=env, stdout=output, stderr=output
        )
    try:
        wait_until(lambda: b"localfn ready" in log.read_bytes(), 120, "the runtime is ready")
        return rounds(f"http://127.0.0.1:{port}", minutes, log)
    finally:
        runtime.send_signal(signal.SIGTERM)
        runtime.wait(30)


def rounds(url: str, minutes: float, log: Path) -> int:
    """Return 1 as soon as a round finds a fault, 0 when the time is over."""
    ends_at, number = time.monotonic() + 60 * minutes, 0
    while time.monotonic() < ends_at:
        seed, number = secrets.randbelow(1 << 32), number + 1
        print(f"round {number}, seed {seed}", flush=True)
        done = attack(url, EXAMPLES, ROUND_LIMIT_S, "--seed", str(seed))
        found = faults(log.read_text(errors="replace"))
        if done.returncode or found:
            print(done.stdout, *found, log.read_text(errors="replace")[-20_000:], sep="\n")
            return 1
    print(f"{number} rounds, nothing found")
    return 0


if __name__ == "__main__":
    sys.exit(main())
