"""What is wrong, in words: each fact alone, and nothing where nothing is."""

from datetime import UTC, datetime, timedelta

from workqueue.figures.backlog import Depth, Queue
from workqueue.figures.problems import Facts, problems
from workqueue.figures.tally import Minute
from workqueue.workers.presence import Present

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def worker(name: str = "host-1", *, is_alive: bool = True) -> Present:
    seen_at = NOW if is_alive else NOW - timedelta(seconds=40)
    return Present(name, "host", 1, ("high", "default"), NOW, seen_at, is_alive, None, None, None, None, 0)


def queue(name: str, due: int = 0, waits_s: float = 0, *, is_paused: bool = False, workers: int = 1) -> Queue:
    oldest = NOW - timedelta(seconds=waits_s) if due else None
    return Queue(name, Depth(due, 0, oldest), NOW if is_paused else None, workers)


def told(**facts: object) -> list[tuple[str, str]]:
    facts = {"workers": [worker()], "counted_until": NOW - timedelta(seconds=70)} | facts
    return [(each.code, each.text) for each in problems(Facts(NOW, **facts))]  # type: ignore[arg-type]


def test_nothing_is_wrong_where_all_is_well() -> None:
    assert told(queues=[queue("high"), queue("default", due=500, waits_s=59)]) == []


def test_without_a_worker_each_queue_need_not_say_so() -> None:
    text = "No worker is running: requests wait. Start one: `localfn worker`."
    assert told(workers=[], queues=[queue("low", due=3, workers=0)]) == [("no_worker", text)]


def test_a_queue_that_no_worker_serves_is_named_with_what_waits_in_it() -> None:
    text = "No worker serves queue low; 3 requests wait in it. LOCALFN_QUEUES says who does."
    assert told(queues=[queue("low", due=3, workers=0)]) == [("no_worker_for_queue", text)]


def test_a_long_wait_is_told_but_not_of_a_paused_queue() -> None:
    text = (
        "The oldest request in queue default waits for 5 min; one request waits for a free worker."
        " LOCALFN_CONCURRENCY says how many there may be."
    )
    assert told(queues=[queue("default", due=1, waits_s=300)]) == [("long_wait", text)]
    paused = "Queue default is paused since 12:00:00 UTC; one request waits in it."
    assert told(queues=[queue("default", due=1, waits_s=300, is_paused=True)]) == [("queue_paused", paused)]


def test_servers_that_are_away_come_first_and_nobody_guesses_who_lives_then() -> None:
    since = NOW - timedelta(minutes=2)
    found = told(database_away_since=since, redis_away_since=since, workers=[], counted_until=None)
    assert [code for code, _ in found] == ["database_away", "redis_away"]
    assert found[0][1].startswith("The database is away since 11:58:00 UTC:")


def test_a_worker_that_fell_silent_and_a_scheduler_that_is_gone_are_told() -> None:
    found = told(workers=[worker(), worker("host-2", is_alive=False)], counted_until=NOW - timedelta(minutes=5))
    assert [code for code, _ in found] == ["no_scheduler", "worker_silent"]
    assert "host-2 is silent since 11:59:20 UTC" in found[1][1]


def test_a_function_fails_when_half_of_its_last_requests_did_and_those_were_five() -> None:
    def minutes(completed: int, failed: int, ago: int = 5) -> list[Minute]:
        return [Minute(NOW - timedelta(minutes=ago), "pay", completed, failed)]

    text = "Function pay fails: 5 of 10 requests in the last 15 minutes."
    assert told(minutes=minutes(5, 5)) == [("function_fails", text)]
    assert told(minutes=minutes(0, 4)) == told(minutes=minutes(6, 5)) == told(minutes=minutes(0, 50, ago=20)) == []


def test_retention_that_does_not_keep_up_is_told_once_it_is_an_hour_late() -> None:
    day = timedelta(days=1)
    assert told(keep_for=7 * day, oldest_ended_at=NOW - 7 * day - timedelta(minutes=59)) == []
    assert told(keep_for=None, oldest_ended_at=NOW - 900 * day) == []
    assert told(keep_for=7 * day, oldest_ended_at=None) == []
    text = (
        "Old requests are not deleted as fast as they come: the oldest ended 9 days ago, LOCALFN_RETENTION_DAYS is 7."
        " The scheduler's log may say why."
    )
    assert told(keep_for=7 * day, oldest_ended_at=NOW - 9 * day) == [("retention_behind", text)]
