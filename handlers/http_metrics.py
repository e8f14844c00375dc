"""How many calls, how long, by route: counted in files that the web processes of a machine share."""

import time

from flask import Flask, Response, g, request
from prometheus_client import Histogram

# Of what waits for a request's end (`wait=`) the time is the client's wish.
BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)
METHODS = frozenset({"GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS"})
NO_ROUTE = "(none)"  # a file or page of the screen, or nothing at all
LABELS = ("route", "method", "status")
SECONDS = Histogram(
    "localfn_http_request_seconds",
    "Time to answer a call, by route; its count by status is the number of calls.",
    LABELS,
    buckets=BUCKETS,
    registry=None,
)


def install(app: Flask) -> None:
    app.before_request_funcs.setdefault(None, []).insert(0, _begin)  # what is refused counts, too
    app.after_request(_end)


def _begin() -> None:
    g.began_at = time.perf_counter()


def _end(answer: Response) -> Response:
    """Every label is from a closed set: the route's pattern, never its address."""
    route = request.url_rule.rule if request.url_rule is not None else NO_ROUTE
    method = request.method if request.method in METHODS else "other"
    SECONDS.labels(route, method, str(answer.status_code)).observe(time.perf_counter() - g.began_at)
    return answer
