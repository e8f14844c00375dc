"""Submit requests and poll them until they end, as programs do, while a scenario changes the servers."""

import itertools
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import uuid4

import httpx

from tests.support.waiting import wait_until

CALL_LIMIT_S = 15.0
RETRY_S = 0.1
END_LIMIT_S = 90.0
ENDED = ("completed", "failed")


@dataclass
class Record:
    """Hold what clients were told. accepted: id -> token. answers: status codes; 0: a web process was not reached."""

    accepted: dict[str, str] = field(default_factory=dict)
    answers: Counter[int] = field(default_factory=Counter)
    unexpected: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass(frozen=True)
class Verdict:
    """Hold the ids of accepted requests. lost: there is no such request. wrong: it has not its one right result."""

    lost: list[str]
    wrong: list[str]


class PollingClient:
    """Call one of several web processes, and the next one if it is not reached, as a proxy does."""

    def __init__(self, urls: Sequence[str], functions: Sequence[str], record: Record, over: threading.Event) -> None:
        self._urls, self._functions, self._record, self._over = itertools.cycle(urls), functions, record, over
        self._tries = len(urls)
        self._http = httpx.Client(timeout=CALL_LIMIT_S)

    def run(self) -> None:
        with self._http:
            for function in itertools.cycle(self._functions):
                if self._over.is_set():
                    return
                self._submit_and_poll(function)

    def _submit_and_poll(self, function: str) -> None:
        token = uuid4().hex
        answer = self._call("POST", f"/api/functions/{function}", {"token": token, "seconds": 0.05})
        if answer is None or answer.status_code != 202:
            self._over.wait(RETRY_S)
            return
        request_id = answer.json()["id"]
        with self._record.lock:
            self._record.accepted[request_id] = token
        while not self._over.is_set():
            shown = self._call("GET", f"/api/requests/{request_id}?wait=1")
            if shown is None or shown.status_code == 503:
                self._over.wait(RETRY_S)
            elif shown.status_code != 200 or shown.json()["status"] in ENDED:
                return

    def _call(self, method: str, path: str, event: object = None) -> httpx.Response | None:
        for _ in range(self._tries):
            try:
                answer = self._http.request(method, next(self._urls) + path, json=event)
            except httpx.TransportError:
                self._record.answers[0] += 1
                continue
            with self._record.lock:
                self._record.answers[answer.status_code] += 1
                if answer.status_code not in (200, 202, 503):
                    self._record.unexpected.append(f"{answer.status_code} to {method} {path}: {answer.text[:200]}")
            return answer
        return None


@contextmanager
def polling_clients(urls: Sequence[str], functions: Sequence[str], count: int) -> Iterator[Record]:
    """Run clients during the block."""
    record, over = Record(), threading.Event()
    clients = [PollingClient(urls, functions, record, over) for _ in range(count)]
    threads = [threading.Thread(target=client.run, daemon=True) for client in clients]
    for thread in threads:
        thread.start()
    try:
        yield record
    finally:
        over.set()
        for thread in threads:
            thread.join()


def judge(url: str, record: Record) -> Verdict:
    """Wait for the end of each accepted request, and compare its result with its event."""
    lost, wrong = [], []
    with httpx.Client(base_url=url, timeout=CALL_LIMIT_S) as http:
        for request_id, token in record.accepted.items():

            def look(path: str = f"/api/requests/{request_id}") -> httpx.Response | None:
                answer = http.get(path)
                return answer if answer.status_code == 404 or answer.json()["status"] in ENDED else None

            if wait_until(look, END_LIMIT_S, f"request {request_id} ends").status_code == 404:
                lost.append(request_id)
                continue
            result = http.get(f"/api/requests/{request_id}/result")
            if result.status_code != 200 or result.json()["data"]["token"] != token:
                wrong.append(f"{request_id}: {http.get(f'/api/requests/{request_id}').text[:300]}")
    return Verdict(lost, wrong)
