"""Drive a sandbox as a worker does, in tests and benchmarks."""

import math
from collections.abc import Sequence
from pathlib import Path

from workqueue.sandboxes.connection import SandboxConnection


def send_events(sandbox: SandboxConnection, folder: Path, events: Sequence[str], limit_s: float = 60) -> None:
    """Send requests together, with the ids "0", "1", …; events: as JSON texts."""
    members = [{"request_id": str(n), "attempt": 1, "max_attempts": 1, "files": {}} for n in range(len(events))]
    head = {
        "type": "run",
        "halts": 0,
        "workdir": str(folder),
        "wall_offset": 0.0,
        "limit_s": limit_s,
        "valid_until": math.inf,
    }
    generation = sandbox.start_tokens.grant(len(events))
    sandbox.send(head | {"members": members, "round": generation}, f"[{','.join(events)}]".encode())
