"""Keep polled responses cheap: ETags, compression for clients that accept it, and bounded sizes."""

import gzip
import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from flask import Flask

from handlers.api.stats import add_data_etag
from handlers.resources import stats
from handlers.resources.function_stats import serialize_functions_stats
from schema.statuses import Status
from tests.support.runtime import Runtime
from workqueue.stats.minute_rollup import FunctionMinute
from workqueue.stats.overview import Snapshot

POLLED = (
    "/api/stats",
    "/api/stats/functions",
    "/api/functions",
    "/api/requests",
    "/api/schedules",
    "/api/queues",
    "/api/highlights",
)


@pytest.mark.parametrize("path", POLLED)
def test_polled_responses_have_an_etag_per_encoding(runtime: Runtime, path: str) -> None:
    for encoding in ("identity", "gzip"):
        headers = {"Accept-Encoding": encoding}
        for _ in range(20):  # Requests of another test may change the response between two calls.
            answer = runtime.http.get(path, headers=headers)
            again = runtime.http.get(path, headers=headers | {"If-None-Match": answer.headers["ETag"]})
            if again.status_code == 304:
                break
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["ETag"] == answer.headers["ETag"]


def test_a_large_answer_is_compressed_for_a_client_that_accepts_it(runtime: Runtime) -> None:
    plain = runtime.http.get("/api/functions", headers={"Accept-Encoding": "identity"})
    with httpx.stream("GET", f"{runtime.url}/api/functions", headers={"Accept-Encoding": "br, gzip"}) as answer:
        packed = b"".join(answer.iter_raw())
    assert "Content-Encoding" not in plain.headers
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.headers["Content-Length"] == str(len(packed))
    assert "Accept-Encoding" in answer.headers["Vary"]
    assert "Accept-Encoding" in plain.headers["Vary"]
    assert gzip.decompress(packed) == plain.content
    assert len(packed) * 3 < len(plain.content)
    assert answer.headers["ETag"] == plain.headers["ETag"]
    assert answer.headers["ETag"].startswith("W/")


@pytest.mark.parametrize("accepted", ["identity", "br", "gzip;q=0", ""])
def test_a_client_that_takes_no_gzip_gets_none(runtime: Runtime, accepted: str) -> None:
    answer = runtime.http.get("/api/functions", headers={"Accept-Encoding": accepted})
    assert "Content-Encoding" not in answer.headers


def test_small_responses_secrets_and_files_are_not_compressed(runtime: Runtime) -> None:
    request = runtime.call("echo", {"a": "x" * 3000}, files=None)
    upload = runtime.call("echo", None, files={"csv": ("a.csv", b"x" * 3000)})
    assert runtime.http.get("/readyz").headers.get("Content-Encoding") is None
    assert runtime.http.get(upload["files"][0]["href"]).headers.get("Content-Encoding") is None
    assert runtime.http.get("/api/session").headers.get("ETag") is None
    assert runtime.http.get(f"/api/requests/{request['id']}").headers["Content-Encoding"] == "gzip"


def test_unchanged_stats_keep_their_etag() -> None:
    with Flask("test").app_context():
        tags = [add_data_etag({"time": time, "n": n}).headers["ETag"] for time, n in ((1, 1), (2, 1), (2, 2))]
    assert tags[0] == tags[1] != tags[2]


def test_the_stats_of_a_thousand_functions_are_bounded() -> None:
    now = datetime(2026, 11, 30, 12, 30, tzinfo=UTC)
    minutes = [
        FunctionMinute(now - timedelta(minutes=back), f"function_with_a_long_name_{n:04}", 5, n % 7, {}, {}, 0)
        for n in range(1000)
        for back in range(3)
    ]
    found = Snapshot(now, recent=minutes, hours=minutes, live={"waits": {Status.PENDING: 9}})
    body = stats.serialize_stats(found)
    assert len(json.dumps(body)) < 64 * 1024
    assert len(body["counts"]["by_function"]) == stats.MAX_COUNTED_FUNCTIONS
    assert body["counts"]["by_status"]["completed"] == 15_000, "every function counts"
    assert body["counts"]["by_status"]["pending"] == 9
    worst = list(body["failures"]["by_function"].values())
    assert len(worst) == stats.MAX_FAILING_FUNCTIONS
    assert all(sum(line) == 18 for line in worst)
    assert len(serialize_functions_stats(found)["functions"]) == 1001
