"""Check the problems of a runtime and their texts: one fact at a time."""

from datetime import UTC, datetime, timedelta

from schema.outage import Outage
from workqueue.functions.registry import ImportFailure
from workqueue.heartbeats.worker_heartbeats import WorkerInfo
from workqueue.stats.minute_rollup import FunctionMinute
from workqueue.stats.problems import Facts, find_problems
from workqueue.stats.queue_depth import Depth, Queue

SILENT = (
    "40 workers have not reported, the latest since 11:59:20 UTC, with 780 requests that will be given back when their"
    " leases lapse."
)
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def make_worker(
    name: str = "host-1", *, is_alive: bool = True, held: int = 0, runs: str | None = None, age_s: float = 0
) -> WorkerInfo:
    seen_at, started_at = NOW if is_alive else NOW - timedelta(seconds=40), NOW - timedelta(seconds=age_s)
    return WorkerInfo(name, "host", 1, ("high", "default"), started_at, seen_at, is_alive, runs, None, None, None, held)


def make_queue(name: str, due: int = 0, waits_s: float = 0, *, is_paused: bool = False, workers: int = 1) -> Queue:
    oldest = NOW - timedelta(seconds=waits_s) if due else None
    return Queue(name, Depth(due, 0, oldest), NOW if is_paused else None, workers)


def list_problems(**facts: object) -> list[tuple[str, str]]:
    facts = {"workers": [make_worker()], "rolled_up_until": NOW - timedelta(seconds=70)} | facts
    return [(each.code, each.text) for each in find_problems(Facts(NOW, **facts))]  # type: ignore[arg-type]


def test_a_healthy_runtime_has_no_problems() -> None:
    assert list_problems(queues=[make_queue("high"), make_queue("default", due=500, waits_s=59)]) == []


def test_without_a_worker_each_queue_need_not_say_so() -> None:
    text = "No worker is running: no request starts. Start one: `localfn worker`."
    assert list_problems(workers=[], queues=[make_queue("low", due=3, workers=0)]) == [("no_worker", text)]


def test_a_queue_without_a_worker_is_named_with_its_depth() -> None:
    text = "No worker serves queue low; 3 requests wait in it. Name it in LOCALFN_QUEUES of a worker."
    assert list_problems(queues=[make_queue("low", due=3, workers=0)]) == [("no_worker_for_queue", text)]


def test_a_long_wait_is_reported_except_for_a_paused_queue() -> None:
    text = "The oldest request in queue default has waited for 5 min; one request waits in it."
    waiting = [make_queue("default", due=1, waits_s=300)]
    assert list_problems(queues=waiting) == [("long_wait", text)]
    busy = f"{text} All workers are busy; LOCALFN_CONCURRENCY limits how many there are."
    assert list_problems(queues=waiting, workers=[make_worker(runs="r")]) == [("long_wait", busy)]
    paused = "Queue default has been paused since 12:00:00 UTC; one request waits in it."
    assert list_problems(queues=[make_queue("default", due=1, waits_s=300, is_paused=True)]) == [
        ("queue_paused", paused)
    ]


def test_unavailable_servers_come_first_and_workers_are_not_judged() -> None:
    since = NOW - timedelta(minutes=2)
    found = list_problems(
        database_unavailable_since=since, redis_unavailable_since=since, workers=[], rolled_up_until=None
    )
    assert [code for code, _ in found] == ["database_away", "redis_away"]
    assert found[0][1].startswith("The database has been unavailable since 11:58:00 UTC:")


def test_a_silent_worker_and_a_missing_scheduler_are_reported() -> None:
    found = list_problems(
        workers=[make_worker(), make_worker("host-2", is_alive=False)], rolled_up_until=NOW - timedelta(minutes=5)
    )
    assert [code for code, _ in found] == ["no_scheduler", "worker_silent"]
    assert "host-2 has not reported since 11:59:20 UTC" in found[1][1]


def test_a_function_fails_when_half_of_its_last_requests_did_and_those_were_five() -> None:
    def minutes(completed: int, failed: int, ago: int = 5) -> list[FunctionMinute]:
        return [FunctionMinute(NOW - timedelta(minutes=ago), "pay", completed, failed)]

    text = "Function pay fails: 5 of 10 requests in the last 15 minutes."
    assert list_problems(minutes=minutes(5, 5)) == [("function_fails", text)]
    assert (
        list_problems(minutes=minutes(0, 4))
        == list_problems(minutes=minutes(6, 5))
        == list_problems(minutes=minutes(0, 50, ago=20))
        == []
    )


def test_late_retention_is_reported_after_an_hour() -> None:
    day = timedelta(days=1)
    assert list_problems(retention=7 * day, oldest_ended_at=NOW - 7 * day - timedelta(minutes=59)) == []
    assert list_problems(retention=None, oldest_ended_at=NOW - 900 * day) == []
    assert list_problems(retention=7 * day, oldest_ended_at=None) == []
    text = (
        "Old requests are not deleted as fast as they come: the oldest ended 9 days ago, LOCALFN_RETENTION_DAYS is 7."
        " The scheduler's log may say why."
    )
    assert list_problems(retention=7 * day, oldest_ended_at=NOW - 9 * day) == [("retention_behind", text)]


def test_problems_of_one_kind_are_one_line_with_count_worst_and_link() -> None:
    minutes = [FunctionMinute(NOW, f"f{n:02}", 0, 5 + n) for n in range(75)]
    silent = [make_worker(f"w{n}", is_alive=False, held=n) for n in range(40)]
    failures = [ImportFailure(f"m{n}", f"m{n}.py", "SyntaxError", "invalid", "") for n in range(2)]
    queues = [make_queue("default"), make_queue("high", is_paused=True), make_queue("low", is_paused=True)]
    schedules = [("a", "no such zone"), ("b", "no such zone")]
    found = find_problems(
        Facts(
            NOW,
            workers=[make_worker(), *silent],
            queues=queues,
            rolled_up_until=NOW,
            import_failures=failures,
            schedules=schedules,
            minutes=minutes,
        )
    )
    assert [(each.code, each.text, each.count, each.subject) for each in found] == [
        ("import_failure", "2 files cannot be imported: m0, m1.", 2, ("modules", "")),
        ("schedule_error", "2 schedules make no requests: a, b.", 2, ("schedules", "")),
        (
            "worker_silent",
            SILENT,
            40,
            ("workers", ""),
        ),
        ("function_fails", "75 functions fail: f74, f73, f72 and 72 more.", 75, ("functions", "")),
        ("queue_paused", "2 queues are paused: high, low.", 2, ("queues", "")),
    ]


def test_requests_of_silent_workers_are_promised_only_with_a_scheduler() -> None:
    silent = [make_worker("w", is_alive=False, held=2)]
    found = dict(list_problems(workers=silent, rolled_up_until=NOW - timedelta(hours=1)))
    assert set(found) == {"no_worker", "worker_silent", "no_scheduler"}
    assert found["worker_silent"].endswith("with 2 requests that will be given back when a scheduler runs.")
    reported = list_problems(workers=[make_worker(), make_worker("w", is_alive=False)])
    assert reported[0][1] == "Worker w has not reported since 11:59:20 UTC."


def test_a_scheduler_that_never_reported_is_missed_after_a_while_and_not_at_once() -> None:
    assert list_problems(rolled_up_until=None, workers=[make_worker(age_s=20)]) == []
    found = list_problems(rolled_up_until=None, workers=[make_worker(age_s=200)])
    assert [code for code, _ in found] == ["no_scheduler"]
    assert found[0][1].startswith("No scheduler has reported yet: ")


def test_a_full_disk_is_reported_with_its_path_as_the_only_cause_of_waiting() -> None:
    text = "The disk of /srv/home is full, 12 MiB are free: no new request starts. Free some space."
    waiting = [make_queue("default", due=3, waits_s=900)]
    assert list_problems(full_disk=("/srv/home", 12 * 1024**2), queues=waiting) == [("disk_full", text)]


def test_a_read_only_database_is_reported_and_workers_are_not_judged() -> None:
    since = {"workers": [], "rolled_up_until": NOW - timedelta(hours=1), "queues": [make_queue("default", 3, 900)]}
    for outage, words in (
        (Outage.FULL, "The disk of the database has been full"),
        (Outage.READ_ONLY, "The database has been read-only"),
    ):
        text = f"{words} since 12:00:00 UTC: no request is accepted, and results wait to be stored."
        assert list_problems(write_failures={outage: NOW}, **since) == [(f"database_{outage}", text)]


def test_a_read_only_redis_is_reported_apart_from_an_unavailable_one() -> None:
    refuses = ("its memory is full (maxmemory)", NOW)
    text = (
        "Redis has rejected writes since 12:00:00 UTC, its memory is full (maxmemory): requests are accepted, and"
        " start about a second later."
    )
    assert list_problems(redis_write_failure=refuses, queues=[make_queue("default", 3, 5)]) == [("redis_refuses", text)]
    both = dict(list_problems(redis_unavailable_since=NOW, database_unavailable_since=NOW))
    assert both["redis_away"] == "Redis has been unavailable since 12:00:00 UTC: no request starts."


def test_a_newer_database_is_reported_with_its_revision() -> None:
    [(code, text)] = list_problems(newer_revision="0042")
    assert code == "database_newer"
    assert text.startswith("A newer version has migrated the database, to revision 0042.")
