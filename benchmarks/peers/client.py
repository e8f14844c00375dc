"""Call the peers from inside their environment: `python -m benchmarks.peers.client VERB MODULE …`.

fill MODULE FUNCTION COUNT    stores COUNT requests, then enqueues them
idle MODULE FUNCTION COUNT    sends COUNT requests one at a time, and prints their latencies as JSON
versions NAME…                prints the versions of installed packages as JSON
"""

import importlib
import json
import os
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from uuid import uuid4

from benchmarks.peers import durable, idle
from benchmarks.peers.report.rows import PEERS, Rows

Enqueue = Callable[[Sequence[str]], None]

STORE = "INSERT INTO peer_request (id, function, event) VALUES (%s, %s, %s)"


def fill(enqueue: Enqueue, function: str, count: int) -> None:
    connection = durable.connected()
    ids = [str(uuid4()) for _ in range(count)]
    with connection.transaction(), connection.cursor() as cursor:
        cursor.executemany(STORE, [(name, function, _event(number)) for number, name in enumerate(ids)])
    enqueue(ids)


def latencies(enqueue: Enqueue, function: str, count: int) -> list[float]:
    connection = durable.connected()

    def send(number: int) -> str:
        request_id = str(uuid4())
        connection.execute(STORE, (request_id, function, _event(number)))
        enqueue([request_id])
        return request_id

    rows = Rows(os.environ[durable.DATABASE_URL], PEERS)
    return idle.measure(send, rows, count)


def _event(number: int) -> str:
    return json.dumps({"n": number})


def main(verb: str, *words: str) -> None:
    if verb == "versions":
        print(json.dumps({name: version(name) for name in words}))
        return
    module, function, count = words
    enqueue: Enqueue = importlib.import_module(module).enqueue
    if verb == "fill":
        fill(enqueue, function, int(count))
    else:
        print(json.dumps(latencies(enqueue, function, int(count))))


if __name__ == "__main__":
    main(*sys.argv[1:])
