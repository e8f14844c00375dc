"""Upgrade a database of version 0.1.0 that has rows in every table, as a user would: install, and start."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from tests.conftest import Servers, StartRuntime, fresh_database
from tests.support.commands import localfn, run_json
from tests.support.runtime import EXAMPLES, Runtime
from tests.support.waiting import wait_until

OLD = Path(__file__).parents[2] / "data" / "localfn-0.1.0"
USER, PASSWORD = "root", "a long one"
ADMIN_KEY = "lfn_sZq4QB8VV1SF6L1227VnesCPPk2f_bpOYfV7hVE8rCs"
READER_KEY = "lfn_A4bX_PlsQNOGWqhKBKVBIpZ9OT-YajQR10J_hh1ZpvI"
ENDED = ("completed", "failed")
EMPTY_TABLES = "SELECT relname FROM pg_stat_user_tables WHERE schemaname = 'public' AND n_live_tup = 0"
REQUESTS = "SELECT id::text, function, status, event, error_type FROM processing_request ORDER BY id"
RESULTS = "SELECT request_id::text, data FROM processing_result"
COUNTS = """
    SELECT json_build_object(
        'attempts', (SELECT json_object_agg(request_id, n) FROM
                     (SELECT request_id, count(*) AS n FROM request_attempt GROUP BY 1) AS counted),
        'schedules', (SELECT json_agg(name) FROM schedule),
        'keys', (SELECT json_agg(name) FROM api_key),
        'audit', (SELECT json_agg(id) FROM audit_entry),
        'files', (SELECT json_agg(name) FROM output_file))
"""


@dataclass(frozen=True)
class Upgraded:
    """Hold a runtime that started on the old database, and what the database held before."""

    runtime: Runtime
    requests: list[tuple[str, str, str, Any, str | None]]
    results: dict[str, Any]
    before: dict[str, Any]

    def unfinished(self) -> list[str]:
        return [request_id for request_id, _, status, _, _ in self.requests if status not in ENDED]


@pytest.fixture(scope="module")
def upgraded(servers: Servers, start_runtime: StartRuntime) -> Iterator[Upgraded]:
    settings = {
        "LOCALFN_FUNCTIONS": f"{OLD / 'functions'}:{EXAMPLES}",
        "LOCALFN_AUTH": "required",
        "LOCALFN_API_KEY": ADMIN_KEY,
        "LOCALFN_RETENTION_DAYS": "0",
    }
    with contextlib.contextmanager(fresh_database)(servers, "template1") as url:
        with psycopg.connect(url.replace("+psycopg", "", 1)) as connection:
            connection.execute((OLD / "dump.sql").read_bytes())
            connection.execute("SET search_path TO public")
            requests = connection.execute(REQUESTS).fetchall()
            results: dict[str, Any] = dict(connection.execute(RESULTS).fetchall())
            [(before,)] = connection.execute(COUNTS).fetchall()
        with start_runtime(database_url=url, settings=settings) as runtime:
            runtime.http.headers["Authorization"] = f"Bearer {ADMIN_KEY}"
            yield Upgraded(runtime, requests, results, before)


def test_the_dump_has_every_status_and_rows_in_every_table(empty_database_url: str) -> None:
    with psycopg.connect(empty_database_url.replace("+psycopg", "", 1), autocommit=True) as connection:
        connection.execute((OLD / "dump.sql").read_bytes())
        connection.execute("SET search_path TO public")
        connection.execute("ANALYZE")
        assert connection.execute(EMPTY_TABLES).fetchall() == []
        assert {status for _, _, status, _, _ in connection.execute(REQUESTS)} == {"pending", "processing", *ENDED}


def test_the_tables_equal_those_of_a_new_database(upgraded: Upgraded) -> None:
    done = localfn(upgraded.runtime, "db", "check")
    assert done.returncode == 0, done.stdout


def test_every_request_is_listed_and_keeps_its_values(upgraded: Upgraded) -> None:
    listed, page = set(), upgraded.runtime.get("/api/requests?limit=5")
    while page["items"]:
        listed |= {item["id"] for item in page["items"]}
        cursor = page["next_cursor"]
        page = upgraded.runtime.get(f"/api/requests?limit=5&cursor={cursor}") if cursor else {"items": []}
    assert listed >= {request_id for request_id, *_ in upgraded.requests}
    for request_id, function, status, event, error_type in upgraded.requests:
        shown = upgraded.runtime.get(f"/api/requests/{request_id}")
        assert (shown["function"], shown["event"]) == (function, event)
        if status in ENDED:
            assert (shown["status"], shown["error_type"]) == (status, error_type)
            assert shown["cancelled"] == (error_type == "Cancelled")
            attempts = upgraded.runtime.attempts(request_id)
            assert len(attempts) == upgraded.before["attempts"].get(request_id, 0)
        assert upgraded.runtime.http.get(f"/api/requests/{request_id}/logs").status_code == 200


def test_results_keep_their_digits_and_their_files(upgraded: Upgraded) -> None:
    assert upgraded.results
    files = []
    for request_id, data in upgraded.results.items():
        answer = upgraded.runtime.get(f"/api/requests/{request_id}/result")
        assert answer["data"] == data
        files += [file["name"] for file in answer["files"]]
    assert sorted(files) == sorted(upgraded.before["files"])
    texts = [upgraded.runtime.http.get(f"/api/requests/{request_id}/result").text for request_id in upgraded.results]
    assert any("1849263518273645211" in text for text in texts)


def test_unfinished_requests_run_to_completion(upgraded: Upgraded) -> None:
    assert len(upgraded.unfinished()) == 3
    assert localfn(upgraded.runtime, "queues", "resume", "low").returncode == 0
    for request_id in upgraded.unfinished():
        assert upgraded.runtime.wait_ended(request_id)["status"] == "completed"


def test_schedules_are_kept_and_fire(upgraded: Upgraded) -> None:
    listed = {schedule["name"]: schedule for schedule in run_json(upgraded.runtime, "schedules", "list")["items"]}
    assert set(upgraded.before["schedules"]) <= set(listed)
    assert not listed["aws-cron"]["enabled"]
    assert listed["berlin"]["timezone"] == "Europe/Berlin"

    def new_request() -> str | None:
        known = {request_id for request_id, *_ in upgraded.requests}
        items = upgraded.runtime.get("/api/requests?schedule=every-minute")["items"]
        return next((item["id"] for item in items if item["id"] not in known), None)

    assert upgraded.runtime.wait_ended(wait_until(new_request, 30, "the schedule fires"))["status"] == "completed"


def test_users_log_in_with_their_passwords_and_the_audit_is_kept(upgraded: Upgraded) -> None:
    assert {user["username"] for user in run_json(upgraded.runtime, "users", "list")["items"]} == {USER}
    with httpx.Client(base_url=upgraded.runtime.url) as browser:
        answer = browser.post("/api/session", json={"username": USER, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        entries = browser.get("/api/audit?limit=100").json()["items"]
    assert {entry["id"] for entry in entries} >= set(upgraded.before["audit"])


def test_keys_keep_their_scopes(upgraded: Upgraded) -> None:
    assert {key["name"] for key in run_json(upgraded.runtime, "keys", "list")["items"]} == set(upgraded.before["keys"])
    headers = {"Authorization": f"Bearer {READER_KEY}"}
    assert upgraded.runtime.http.get("/api/requests", headers=headers).status_code == 200
    assert upgraded.runtime.http.post("/api/functions/echo", json={}, headers=headers).status_code == 403
