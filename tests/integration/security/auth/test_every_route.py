"""Every route that /openapi.json lists, tried by those who may not: a new one is tried as soon as it is described."""

import re
from collections.abc import Iterator

import httpx

from tests.integration.security.conftest import Guarded

NOWHERE = "01890a5d-ac96-774b-bcce-b302099a8057"
SESSION = "/api/session"  # everybody's own: test_login.py and test_own_password.py
DESCRIPTION = ("/openapi.json", "/docs", "/docs/style.css")  # tells no more than the source does
OPEN = {("GET", path) for path in ("/healthz", "/readyz", SESSION, *DESCRIPTION)}
OPEN |= {("POST", SESSION), ("DELETE", SESSION)}
READS_BY_POST = {("POST", "/api/schedules/preview")}  # keeps nothing: an expression is too long for a query
CHANGES_OF_THE_DASHBOARD = [
    ("POST", "/rq/job/nothing/delete"),
    ("POST", "/rq/job/nothing/requeue"),
    ("POST", "/rq/requeue/default"),
    ("POST", "/rq/queue/default/queued/empty"),
    ("POST", "/rq/queue/default/compact"),
]


def routes(guarded: Guarded) -> Iterator[tuple[str, str]]:
    """Yield method and path; what a path leaves open is filled with what is not there."""
    for method, path in open_routes(guarded):
        yield method, re.sub(r"\{(\w+)\}", lambda found: FILLED.get(found[1], "talk"), path)


def open_routes(guarded: Guarded) -> Iterator[tuple[str, str]]:
    """Yield method and path as the description has them."""
    description = httpx.get(f"{guarded.runtime.url}/openapi.json").raise_for_status().json()
    for path, operations in description["paths"].items():
        for method in operations.keys() & {"get", "post", "patch", "put", "delete"}:
            yield method.upper(), path


FILLED = {"id": NOWHERE, "path": "x"}


def outcomes(http: httpx.Client, calls: list[tuple[str, str]]) -> dict[tuple[str, str], int]:
    return {call: http.request(*call, follow_redirects=False).status_code for call in calls}


def test_the_open_routes_are_these_and_a_stranger_gets_nothing_from_all_others(guarded: Guarded) -> None:
    closed = [call for call in routes(guarded) if call not in OPEN]
    assert len(closed) > 35
    with guarded.stranger() as http:
        found = outcomes(http, [*closed, *CHANGES_OF_THE_DASHBOARD, ("GET", "/rq/")])
    assert {call: status for call, status in found.items() if status != 401} == {}


def test_who_may_only_read_changes_nothing_by_any_route(guarded: Guarded) -> None:
    others = [call for call in routes(guarded) if call[0] != "GET" and not call[1].startswith(SESSION)]
    changes = [call for call in others if call not in READS_BY_POST]
    assert len(changes) > 15
    guarded.user("only-reads", "viewer")
    with guarded.session("only-reads") as viewer, guarded.with_key("read") as program:
        for http in (viewer, program):
            found = outcomes(http, changes + CHANGES_OF_THE_DASHBOARD)
            assert {call: status for call, status in found.items() if status != 403} == {}


def test_a_key_for_one_function_reads_nothing_beyond_it_by_any_route(guarded: Guarded) -> None:
    reads = [call for call in routes(guarded) if call[0] == "GET" and call not in OPEN]
    assert len(reads) > 15
    with guarded.with_key("read", "invoke", "manage", functions=["echo"]) as http:
        found = outcomes(http, [*reads, ("GET", "/rq/")])
        changed = outcomes(http, CHANGES_OF_THE_DASHBOARD)
    # 404 only for a request by its id: it is told of others as of what does not exist.
    right = {call: (403, 404) if NOWHERE in call[1] else (403,) for call in found}
    wrong = {call: status for call, status in found.items() if status not in right[call]}
    assert wrong == {}
    assert set(changed.values()) == {403}


def test_what_somebody_may_see_is_kept_for_nobody_else(guarded: Guarded) -> None:
    reads = [call for call in routes(guarded) if call[0] == "GET" and call not in OPEN]
    with guarded.with_key("read") as http:
        told = {call: http.request(*call).headers.get("Cache-Control", "") for call in [*reads, ("GET", "/rq/")]}
    assert {call: words for call, words in told.items() if "private" not in words and "no-store" not in words} == {}
