"""Post, cancel and retry requests while faults happen, and record each answer."""

import json
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from random import Random
from typing import Any

import httpx

from tests.chaos import workload
from tests.chaos.workload import Post

PAUSE_S = 0.6  # between two calls of one client, on average
KEY_TRIES_S = 60.0  # a post with a key is retried for this time; no planned outage is longer
RETRY_S = 0.5
REMEMBERED = 12  # recently accepted requests, for cancels: older ones have ended
NO_ROOM = 507
# Expected from a server that restarts or is unavailable, and from a full disk.
EXCUSED = frozenset({503, NO_ROOM})


@dataclass
class AnswerRecord:
    """Hold the answers of the runtime.

    ids: ids of each 202. keys: Idempotency-Key -> ids of its answers.
    cancelled, retried: id -> time of the 202. full_at: times of each 507.
    unexpected: answers that no fault explains.
    """

    ids: set[str] = field(default_factory=set)
    keys: dict[str, set[str]] = field(default_factory=dict)
    cancelled: dict[str, float] = field(default_factory=dict)
    retried: dict[str, float] = field(default_factory=dict)
    unexpected: list[str] = field(default_factory=list)
    full_at: list[float] = field(default_factory=list)
    refusals: int = 0
    unreachable: int = 0
    given_up: int = 0
    recent: deque[tuple[str, str]] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    lock: threading.Lock = field(default_factory=threading.Lock)

    def accepted(self, post: Post, ids: list[str]) -> None:
        with self.lock:
            self.ids.update(ids)
            self.recent.extend((id, post.function) for id in ids)
            if post.key is not None:
                self.keys.setdefault(post.key, set()).update(ids)

    def note(self, answer: httpx.Response | None, expected: tuple[int, ...]) -> None:
        """Count failures, and keep answers that no fault explains."""
        with self.lock:
            if answer is None:
                self.unreachable += 1
            elif answer.status_code in EXCUSED:
                self.refusals += 1
                if answer.status_code == NO_ROOM:
                    self.full_at.append(time.monotonic())
                if "Retry-After" not in answer.headers:
                    self.unexpected.append(
                        f"{answer.status_code} without Retry-After: {answer.request.method} {answer.request.url}"
                    )
            elif answer.status_code not in expected:
                self.unexpected.append(
                    f"{answer.status_code} to {answer.request.method} {answer.request.url}: {answer.text[:300]}"
                )


class Client:
    """Run one client in a separate thread."""

    def __init__(self, url: str, seed: int, longest_s: float, record: AnswerRecord, stopping: threading.Event) -> None:
        self.random = Random(seed)
        self.longest_s = longest_s
        self.record = record
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

    def post_crowd(self, count: int) -> None:
        """Post requests that run at the same time. httpx clients are thread-safe."""
        self._post_once(workload.crowd(count))

    def _post(self, post: Post) -> None:
        """Post with a key until it is accepted. Without a key post once: a second post would be a second request."""
        ends_at = time.monotonic() + KEY_TRIES_S
        while not self._post_once(post) and post.key is not None:
            if time.monotonic() > ends_at:
                self.record.given_up += 1
                return
            threading.Event().wait(RETRY_S)
        # A client that lost the answer posts again with the same key.
        if post.key is not None and self.random.random() < 0.2:
            self._post_once(post)

    def _post_once(self, post: Post) -> bool:
        answer = self._send("POST", f"/api/functions/{post.function}" + "/batch" * post.is_batch, **_body(post))
        self.record.note(answer, (202,))
        if answer is None or answer.status_code != 202:
            return False
        body = answer.json()
        self.record.accepted(post, body["ids"] if post.is_batch else [body["id"]])
        return True

    def _cancel(self) -> None:
        id = self._pick()
        if id is None:
            return
        answer = self._send("POST", f"/api/requests/{id}/cancel")
        self.record.note(answer, (202, 409))
        if answer is not None and answer.status_code == 202:
            self.record.cancelled[id] = time.monotonic()

    def _retry(self) -> None:
        """Retry a failed request, except of the function that must not start twice."""
        answer = self._send("GET", "/api/requests?status=failed&limit=50")
        self.record.note(answer, (200,))
        if answer is None or answer.status_code != 200:
            return
        failed = [item["id"] for item in answer.json()["items"] if item["function"] != "once"]
        if failed:
            id = self.random.choice(failed)
            # Recorded before the answer: a retry may be accepted although its answer is lost.
            self.record.retried[id] = time.monotonic()
            self.record.note(self._send("POST", f"/api/requests/{id}/retry"), (202, 409))

    def _pick(self) -> str | None:
        with self.record.lock:
            return self.random.choice(self.record.recent)[0] if self.record.recent else None

    def _send(self, method: str, path: str, **more: Any) -> httpx.Response | None:
        try:
            return self.http.request(method, path, **more)
        except httpx.TransportError:
            return None


def _body(post: Post) -> dict[str, Any]:
    headers = {"Idempotency-Key": post.key} if post.key is not None else {}
    if post.is_batch:
        return {"json": list(post.events)}
    if post.content is None:
        return {"json": post.events[0], "headers": headers}
    files = {"data": ("data.bin", post.content)}
    return {"data": {"event": json.dumps(post.events[0])}, "files": files, "headers": headers}
