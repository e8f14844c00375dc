"""Count calls and their durations by route, in memory that the processes of one web server share.

The memory is anonymous: no file backs it, so a full disk cannot kill a process that counts (SIGBUS), and no file is
left over. Each process adds to its own slot; any process reads all slots. A process that takes over the slot of an
ended process continues with its numbers, so no counter decreases.
"""

import mmap
import threading
import time
from bisect import bisect_left
from collections.abc import Iterator
from http import HTTPStatus

from flask import Flask, Response, g, request
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

# Up to 60 s: a call with `wait=` lasts as long as the client asks.
BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)
BOUNDS = [*(str(bound) for bound in BUCKETS), "+Inf"]
OTHER = "other"
METHODS = ("GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS", OTHER)
STATUSES = [int(status) for status in HTTPStatus]
NO_ROUTE = "(none)"  # a file or page of the SPA, or an unknown path
NAME, LABELS = "localfn_http_request_seconds", ("route", "method", "status")
HELP = "Time to answer an HTTP call, by route; its count by status is the number of calls."
EXTENSION = "localfn_calls"

SLOTS = 8  # concurrent processes of one server, including those that are ending
MAX_SERIES = 1000  # in a slot; the routes, methods and statuses that occur make a few hundred
SERIES_NUMBERS = 1 + len(BOUNDS) + 1  # series number, count of each bucket, sum of all durations
SLOT_NUMBERS = 1 + MAX_SERIES * SERIES_NUMBERS  # number of series, then the series

Labels = tuple[str, str, str]


class RequestMetrics(Collector):
    """Collect the calls of all processes that are forked from this one."""

    def __init__(self) -> None:
        self._numbers = memoryview(mmap.mmap(-1, SLOTS * SLOT_NUMBERS * 8)).cast("d")
        self._lock = threading.Lock()
        self._routes = [NO_ROUTE]
        self.use_slot(0)

    def install(self, app: Flask) -> None:
        app.before_request_funcs.setdefault(None, []).insert(0, _begin)  # first, so that rejected calls count too
        app.after_request(self._end)
        app.extensions[EXTENSION] = self

    def number_routes(self, app: Flask) -> None:
        """Assign a number to each route, after all routes exist and before the server forks."""
        self._routes = [NO_ROUTE, *sorted({rule.rule for rule in app.url_map.iter_rules()})]

    def use_slot(self, slot: int) -> None:
        """Count into this slot."""
        self._start = slot * SLOT_NUMBERS
        self._offsets = {self._numbers[offset]: offset for offset in self._series(slot)}

    def observe(self, labels: Labels, seconds: float) -> None:
        series = self._number_of(labels)
        with self._lock:
            offset = self._offsets.get(series) or self._add(series)
            self._numbers[offset + 1 + bisect_left(BUCKETS, seconds)] += 1
            self._numbers[offset + SERIES_NUMBERS - 1] += seconds

    def collect(self) -> Iterator[HistogramMetricFamily]:
        totals: dict[float, list[float]] = {}
        for slot in range(SLOTS):
            for offset in self._series(slot):
                numbers = self._numbers[offset + 1 : offset + SERIES_NUMBERS].tolist()
                before = totals.get(self._numbers[offset], [0.0] * len(numbers))
                totals[self._numbers[offset]] = [a + b for a, b in zip(before, numbers, strict=True)]
        family = HistogramMetricFamily(NAME, HELP, labels=LABELS)
        for series, values in sorted(totals.items()):
            counts = [sum(values[: index + 1]) for index in range(len(BOUNDS))]
            family.add_metric(self._labels_of(int(series)), list(zip(BOUNDS, counts, strict=True)), values[-1])
        yield family

    def _series(self, slot: int) -> Iterator[int]:
        start = slot * SLOT_NUMBERS
        return (start + 1 + offset * SERIES_NUMBERS for offset in range(int(self._numbers[start])))

    def _add(self, series: float) -> int:
        count = len(self._offsets)
        if count >= MAX_SERIES:
            return self._start + 1  # does not happen: all labels are from closed sets
        offset = self._offsets[series] = self._start + 1 + count * SERIES_NUMBERS
        self._numbers[offset] = series
        self._numbers[self._start] = count + 1  # last, so that a reader gets complete series only
        return offset

    def _number_of(self, labels: Labels) -> float:
        route, method, status = labels
        at_route = self._routes.index(route) if route in self._routes else 0
        known = int(status) if int(status) in STATUSES else HTTPStatus.INTERNAL_SERVER_ERROR
        at_status = STATUSES.index(known)
        return float((at_route * len(METHODS) + METHODS.index(method)) * len(STATUSES) + at_status)

    def _labels_of(self, series: int) -> Labels:
        rest, status = divmod(series, len(STATUSES))
        route, method = divmod(rest, len(METHODS))
        return self._routes[route], METHODS[method], str(STATUSES[status])

    def _end(self, answer: Response) -> Response:
        """Count a call. All labels are from closed sets: the pattern of the route, never the path."""
        route = request.url_rule.rule if request.url_rule is not None else NO_ROUTE
        method = request.method if request.method in METHODS else OTHER
        self.observe((route, method, str(answer.status_code)), time.perf_counter() - g.began_at)
        return answer


def _begin() -> None:
    g.began_at = time.perf_counter()
