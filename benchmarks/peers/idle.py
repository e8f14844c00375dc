"""Measure idle latency: one request at a time, from before its row is stored until a client sees it completed.

The client polls the row every 0.2 ms, for each contestant. LISTEN and NOTIFY would be finer, and would add work to the
measured commit.
"""

import random
import time
from collections.abc import Callable

from benchmarks.peers.report.rows import Rows

POLL_S = 0.0002
WARM_UP = 20
# Random pause before each request: workers have ended the request before, and polling workers are out of step.
LONGEST_PAUSE_S = 0.05
LIMIT_S = 60.0

Send = Callable[[int], str]


def measure(send: Send, rows: Rows, count: int) -> list[float]:
    """Return the milliseconds of each request.

    send: stores a request with this number in its event, enqueues it, and returns its id.

    Raises TimeoutError if a request does not complete.
    """
    pauses = random.Random(0)
    for number in range(WARM_UP):
        _measure_request(send, rows, number)
    latencies_ms = []
    for number in range(count):
        time.sleep(pauses.uniform(0, LONGEST_PAUSE_S))
        latencies_ms.append(_measure_request(send, rows, number))
    return latencies_ms


def _measure_request(send: Send, rows: Rows, number: int) -> float:
    started_at = time.perf_counter()
    request_id = send(number)
    while not rows.is_completed(request_id):
        if time.perf_counter() - started_at > LIMIT_S:
            raise TimeoutError(f"request {request_id} was not completed within {LIMIT_S:g} s")
        time.sleep(POLL_S)
    return (time.perf_counter() - started_at) * 1000
