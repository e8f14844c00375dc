"""Clients that post, cancel and retry while things break, and remember every promise they were given."""

import json
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from random import Random
from typing import Any

import httpx

from tests.chaos import workload
from tests.chaos.workload import Order

PAUSE_S = 0.6  # between two calls of one client, on average
KEY_TRIES_S = 60.0  # so long a post with a key is tried again; no outage of the schedule is longer
AGAIN_S = 0.5
REMEMBERED = 12  # accepted requests that may still be cancelled: lately, else they have ended
NO_ROOM = 507
# A server that is being replaced, or away, and a disk that is full: what a client has to live with.
EXCUSED = frozenset({503, NO_ROOM})


@dataclass
class Promises:
    """Hold what the runtime answered. ids: of every 202. keys: Idempotency-Key → the ids it was answered with.

    cancelled, retried: id → when that was answered 202. full_at: when a 507 came.
    oddities: answers that nothing excuses.
    """

    ids: set[str] = field(default_factory=set)
    keys: dict[str, set[str]] = field(default_factory=dict)
    cancelled: dict[str, float] = field(default_factory=dict)
    retried: dict[str, float] = field(default_factory=dict)
    oddities: list[str] = field(default_factory=list)
    full_at: list[float] = field(default_factory=list)
    refusals: int = 0
    unreachable: int = 0
    given_up: int = 0
    recent: deque[tuple[str, str]] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    lock: threading.Lock = field(default_factory=threading.Lock)

    def accepted(self, order: Order, ids: list[str]) -> None:
        with self.lock:
            self.ids.update(ids)
            self.recent.extend((id, order.function) for id in ids)
            if order.key is not None:
                self.keys.setdefault(order.key, set()).update(ids)

    def note(self, answer: httpx.Response | None, expected: tuple[int, ...]) -> None:
        """Count what was no success, and keep what nothing excuses."""
        with self.lock:
            if answer is None:
                self.unreachable += 1
            elif answer.status_code in EXCUSED:
                self.refusals += 1
                if answer.status_code == NO_ROOM:
                    self.full_at.append(time.monotonic())
                if "Retry-After" not in answer.headers:
                    self.oddities.append(
                        f"{answer.status_code} without Retry-After: {answer.request.method} {answer.request.url}"
                    )
            elif answer.status_code not in expected:
                self.oddities.append(
                    f"{answer.status_code} to {answer.request.method} {answer.request.url}: {answer.text[:300]}"
                )


class Client:
    """One client in a thread of its own."""

    def __init__(self, url: str, seed: int, longest_s: float, promises: Promises, stopping: threading.Event) -> None:
        self.random = Random(seed)
        self.longest_s = longest_s
        self.promises = promises
        self.stopping = stopping
        self.http = httpx.Client(base_url=url, timeout=15)
        self.thread = threading.Thread(target=self._run, name=f"client {seed}", daemon=True)

    def _run(self) -> None:
        with self.http:
            while not self.stopping.wait(self.random.expovariate(1 / PAUSE_S)):
                chance = self.random.random()
                if chance < 0.12:
                    self._cancel()
                elif chance < 0.2:
                    self._retry()
                else:
                    self._post(workload.draw(self.random, self.longest_s))

    def _post(self, order: Order) -> None:
        """With a key until it is accepted; without one a second try would be a second request."""
        ends_at = time.monotonic() + KEY_TRIES_S
        while not self._post_once(order) and order.key is not None:
            if time.monotonic() > ends_at:
                self.promises.given_up += 1
                return
            threading.Event().wait(AGAIN_S)
        # A careful client that did not see its answer asks once more.
        if order.key is not None and self.random.random() < 0.2:
            self._post_once(order)

    def _post_once(self, order: Order) -> bool:
        answer = self._send("POST", f"/api/functions/{order.function}" + "/batch" * order.is_batch, **_body(order))
        self.promises.note(answer, (202,))
        if answer is None or answer.status_code != 202:
            return False
        body = answer.json()
        self.promises.accepted(order, body["ids"] if order.is_batch else [body["id"]])
        return True

    def _cancel(self) -> None:
        id = self._pick()
        if id is None:
            return
        answer = self._send("POST", f"/api/requests/{id}/cancel")
        self.promises.note(answer, (202, 409))
        if answer is not None and answer.status_code == 202:
            self.promises.cancelled[id] = time.monotonic()

    def _retry(self) -> None:
        """Never one that must not start twice."""
        answer = self._send("GET", "/api/requests?status=failed&limit=50")
        self.promises.note(answer, (200,))
        if answer is None or answer.status_code != 200:
            return
        failed = [item["id"] for item in answer.json()["items"] if item["function"] != "once"]
        if failed:
            id = self.random.choice(failed)
            # Before the answer: the retry may be accepted although its answer gets lost.
            self.promises.retried[id] = time.monotonic()
            self.promises.note(self._send("POST", f"/api/requests/{id}/retry"), (202, 409))

    def _pick(self) -> str | None:
        with self.promises.lock:
            return self.random.choice(self.promises.recent)[0] if self.promises.recent else None

    def _send(self, method: str, path: str, **more: Any) -> httpx.Response | None:
        try:
            return self.http.request(method, path, **more)
        except httpx.TransportError:
            return None


def _body(order: Order) -> dict[str, Any]:
    headers = {"Idempotency-Key": order.key} if order.key is not None else {}
    if order.is_batch:
        return {"json": list(order.events)}
    if order.content is None:
        return {"json": order.events[0], "headers": headers}
    files = {"data": ("data.bin", order.content)}
    return {"data": {"event": json.dumps(order.events[0])}, "files": files, "headers": headers}
