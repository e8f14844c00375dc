"""Run a long chaos run, `python -m tests.chaos --minutes N --seed S`; exit code 1 if a promise is broken."""

import argparse
import secrets
import signal
import sys
from pathlib import Path

from tests.chaos.run import run


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev chaos", description="Breaks everything while requests run.")
    parser.add_argument("--minutes", type=float, default=5.0, help="how long faults are injected (default 5)")
    parser.add_argument("--seed", type=int, default=None, help="of the schedule of faults; the same seed, the same run")
    parser.add_argument("--lease", type=float, default=8.0, help="LOCALFN_LEASE_SECONDS (default 8)")
    parser.add_argument("--keep", type=Path, default=None, help="a new folder with a short path, to keep data and logs")
    wanted = parser.parse_args()
    # SIGTERM ends a run like Ctrl-C, with all cleanup.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    seed = secrets.randbelow(1_000_000) if wanted.seed is None else wanted.seed
    print(f"seed {seed}, {wanted.minutes:g} minutes", flush=True)
    report = run(seed, wanted.minutes * 60, wanted.lease, wanted.keep)
    print(report.table())
    if not report.violations:
        return 0
    print(report.findings())
    print(*report.timelines, sep="\n\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
