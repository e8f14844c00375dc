"""/metrics: the metrics of the installation in the Prometheus text format.

The counters of all processes (workqueue.telemetry.metric_store) and the current state come from PostgreSQL. The HTTP
calls come from memory that the web processes of one machine share: each machine reports its own calls, and the same
values for everything else.
"""

from collections.abc import Iterable

from flask import Blueprint, Response, current_app
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from handlers.http import request_metrics
from handlers.openapi.json_schema import string
from handlers.openapi.operation import Answer, operation
from handlers.security.authentication import require
from handlers.services import Services, get_services
from schema.statuses import End
from workqueue.auth.permissions import Permission
from workqueue.functions import registry
from workqueue.heartbeats import sandbox_snapshots
from workqueue.stats.overview import Snapshot
from workqueue.telemetry import metric_store, metrics
from workqueue.telemetry.counters import MAX_FUNCTIONS, Key

blueprint = Blueprint("metrics", __name__)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BOUNDS = [*(f"{bound:g}" for bound in metrics.BUCKETS), "+Inf"]

# Help text and labels of each gauge.
GAUGES = {
    "localfn_sandboxes": ("Sandboxes of every machine, by state.", ("state",)),
    "localfn_queue_depth": ("Requests that are due.", ("queue",)),
    "localfn_queue_scheduled": ("Requests that are available later.", ("queue",)),
    "localfn_queue_oldest_age_seconds": ("Time that the oldest due request has waited.", ("queue",)),
    "localfn_queue_paused": ("1 while the queue is paused.", ("queue",)),
    "localfn_workers": ("Workers of every machine, by state.", ("state",)),
    "localfn_requests_live": ("Requests that have not ended.", ("function", "status")),
    "localfn_problems": ("Problems that the overview shows, by code.", ("code",)),
}


@blueprint.get("/metrics")
@require(Permission.READ)
@operation("Show the metrics", Answer(200, "The Prometheus text format.", {"text/plain": string()}))
def show() -> Response:
    registry = CollectorRegistry()
    registry.register(InstallationCollector(get_services()))
    registry.register(current_app.extensions[request_metrics.EXTENSION])
    return Response(generate_latest(registry), content_type=CONTENT_TYPE)


class InstallationCollector(Collector):
    """Read the metrics from PostgreSQL at each scrape."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def _zeros(self) -> dict[Key, list[float]]:
        """Return zero for every known series, so that Prometheus sees the first event as an increase."""
        counters = [metric for metric in metrics.ALL if not metric.is_histogram]
        zeros: list[Key] = [(metric.name, ()) for metric in counters if not metric.labels]
        zeros += [(metric.name, (value,)) for metric in counters for value in metric.known]
        functions = sorted(registry.list_names(self._services.engine))[:MAX_FUNCTIONS]
        zeros += [(metrics.REQUESTS.name, (name, end)) for name in functions for end in End]
        return {key: [0.0] for key in zeros}

    def collect(self) -> Iterable[Metric]:
        services = self._services
        snapshot = services.overview.snapshot()
        codes = {problem.code for problem in snapshot.problems}
        is_up = codes.isdisjoint(("redis_away", "redis_refuses"))
        yield GaugeMetricFamily("localfn_redis_up", "1 while Redis answers and takes writes.", value=is_up)
        try:
            zeros = self._zeros()
            with services.engine.connect() as connection:
                counted = zeros | metric_store.read(connection)
                sandboxes = sandbox_snapshots.list_sandboxes(connection, services.clock.now())
        except (DBAPIError, PoolTimeoutError):
            yield GaugeMetricFamily("localfn_database_up", "1 while PostgreSQL answers.", value=0)
            return
        yield GaugeMetricFamily("localfn_database_up", "1 while PostgreSQL answers.", value=1)
        yield from _counted_metrics(counted)
        yield from _current_gauges(snapshot)
        states = _gauge("localfn_sandboxes")
        for state in sorted({str(sandbox["state"]) for sandbox in sandboxes}):
            states.add_metric((state,), sum(sandbox["state"] == state for sandbox in sandboxes))
        yield states


def _counted_metrics(counted: dict[Key, list[float]]) -> Iterable[Metric]:
    for metric in metrics.ALL:
        series = [(labels, values) for (name, labels), values in counted.items() if name == metric.name]
        family: CounterMetricFamily | HistogramMetricFamily
        if metric.is_histogram:
            family = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
            for labels, values in series:
                family.add_metric(labels, _buckets(values[:-1]), sum_value=values[-1])
        else:
            family = CounterMetricFamily(metric.name, metric.help, labels=metric.labels)
            for labels, values in series:
                family.add_metric(labels, values[0])
        yield family


def _buckets(counts: list[float]) -> list[tuple[str, float]]:
    """Return cumulative buckets, as Prometheus expects them."""
    total, buckets = 0.0, list[tuple[str, float]]()
    for bound, count in zip(BOUNDS, counts, strict=True):
        total += count
        buckets.append((bound, total))
    return buckets


def _gauge(name: str) -> GaugeMetricFamily:
    help, labels = GAUGES[name]
    return GaugeMetricFamily(name, help, labels=labels)


def _current_gauges(snapshot: Snapshot) -> Iterable[Metric]:
    depth = _gauge("localfn_queue_depth")
    later = _gauge("localfn_queue_scheduled")
    age = _gauge("localfn_queue_oldest_age_seconds")
    paused = _gauge("localfn_queue_paused")
    for queue in snapshot.queues:
        oldest = queue.depth.oldest
        depth.add_metric((queue.name,), queue.depth.due)
        later.add_metric((queue.name,), queue.depth.later)
        age.add_metric((queue.name,), max((snapshot.now - oldest).total_seconds(), 0.0) if oldest else 0.0)
        paused.add_metric((queue.name,), queue.paused_at is not None)
    workers = _gauge("localfn_workers")
    for state in ("busy", "idle", "unresponsive"):
        workers.add_metric((state,), sum(worker.state == state for worker in snapshot.workers))
    live = _gauge("localfn_requests_live")
    for function, statuses in snapshot.live.items():
        for status, count in statuses.items():
            live.add_metric((function, str(status)), count)
    problems = _gauge("localfn_problems")
    for code in sorted({problem.code for problem in snapshot.problems}):
        problems.add_metric((code,), sum(problem.count for problem in snapshot.problems if problem.code == code))
    yield from (depth, later, age, paused, workers, live, problems)
