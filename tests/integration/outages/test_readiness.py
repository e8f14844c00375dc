"""/readyz is about this web process: it accepts requests, also while other parts are away."""

from collections.abc import Iterator

import psycopg
import pytest
import redis

from schema import revision
from tests.conftest import StartRuntime
from tests.support.commands import localfn
from tests.support.runtime import Runtime
from tests.support.waiting import wait_until

NEWER = "9999"


@pytest.fixture(scope="module")
def web(start_runtime: StartRuntime) -> Iterator[Runtime]:
    with start_runtime(processes=("web",)) as own:
        yield own


def check(runtime: Runtime, name: str, status: int) -> str:
    answer = runtime.http.get("/readyz?verbose")
    assert answer.status_code == status, answer.text
    return str(answer.json()["checks"][name]["state"])


def has_problem(runtime: Runtime, code: str) -> bool:
    """Return whether the overview and the metrics show the problem."""
    is_shown = code in {problem["code"] for problem in runtime.get("/api/stats")["problems"]}
    assert (f'localfn_problems{{code="{code}"}} 1.0' in runtime.http.get("/metrics").text) == is_shown
    return is_shown


def set_revision(runtime: Runtime, number: str) -> None:
    with psycopg.connect(runtime.database_url.replace("+psycopg", "", 1)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = %s", [number])


def test_web_is_ready_without_workers_and_shows_that_there_are_none(web: Runtime) -> None:
    assert check(web, "workers", 200) == "missing"
    assert web.post("echo", 1)["status"] == "pending"
    assert has_problem(web, "no_worker")
    assert "!!  workers      no worker is alive" in localfn(web, "doctor").stdout
    assert web.get("/readyz") == {"status": "ok"}
    shown = web.get("/readyz?verbose=true")["checks"]["workers"]
    assert shown == {
        "state": "missing",
        "needed": False,
        "meaning": "A worker is alive; without one requests are accepted, and wait.",
    }


def test_web_is_ready_while_redis_does_not_answer(web: Runtime) -> None:
    with redis.Redis.from_url(web.redis_url) as client:
        client.client_pause(5_000)
        wait_until(lambda: check(web, "redis", 200).startswith("unavailable"), what="the check shows it")
        wait_until(lambda: has_problem(web, "redis_away"), what="the overview shows it")
        client.client_unpause()
    wait_until(lambda: check(web, "redis", 200) == "ok", what="Redis is back")


def test_web_is_ready_with_a_newer_database_and_not_with_an_older_one(web: Runtime) -> None:
    set_revision(web, NEWER)
    wait_until(lambda: check(web, "migrations", 200) == "newer than this version", what="the check shows it")
    wait_until(lambda: has_problem(web, "database_newer"), what="the overview shows it")
    set_revision(web, "0001")
    wait_until(lambda: web.http.get("/readyz").status_code == 503, what="it is not ready")
    assert check(web, "migrations", 503) == "missing"
    set_revision(web, revision.head_revision())
    wait_until(web.is_ready, what="it is ready again")
