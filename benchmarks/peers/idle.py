"""Idle latency: one request at a time, from before its row is stored until a client sees it completed.

The client looks at the row every 0.2 ms, for all contestants alike. Being told (LISTEN and NOTIFY) would be finer, and
would put work into the commit that is measured.
"""

import random
import time
from collections.abc import Callable

from benchmarks.peers.report.rows import Rows

LOOK_S = 0.0002
WARM_UP = 20
# Between two requests, so that the second does not find workers still busy with the first, nor polling workers in step.
LONGEST_PAUSE_S = 0.05
LIMIT_S = 60.0

Send = Callable[[int], str]


def measure(send: Send, rows: Rows, count: int) -> list[float]:
    """Milliseconds of each request. send: stores a request with this number in its event, rings, and gives its id.

    Raises TimeoutError when a request does not complete.
    """
    pauses = random.Random(0)
    for number in range(WARM_UP):
        _one(send, rows, number)
    latencies_ms = []
    for number in range(count):
        time.sleep(pauses.uniform(0, LONGEST_PAUSE_S))
        latencies_ms.append(_one(send, rows, number))
    return latencies_ms


def _one(send: Send, rows: Rows, number: int) -> float:
    began = time.perf_counter()
    request_id = send(number)
    while not rows.is_completed(request_id):
        if time.perf_counter() - began > LIMIT_S:
            raise TimeoutError(f"request {request_id} was not completed within {LIMIT_S:g} s")
        time.sleep(LOOK_S)
    return (time.perf_counter() - began) * 1000
