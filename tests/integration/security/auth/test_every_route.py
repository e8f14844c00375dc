"""Call each route of /openapi.json without the necessary rights; a new route is covered once it is described."""

import re
from collections.abc import Iterator

import httpx

from tests.integration.security.conftest import ProductionRuntime

NOWHERE = "01890a5d-ac96-774b-bcce-b302099a8057"
SESSION = "/api/session"  # Open to all callers: test_login.py and test_password_change.py test it.
DESCRIPTION = ("/openapi.json", "/docs", "/docs/style.css")  # It shows only facts of the public source code.
OPEN = {("GET", path) for path in ("/healthz", "/readyz", SESSION, *DESCRIPTION)}
OPEN |= {("POST", SESSION), ("DELETE", SESSION)}
READS_BY_POST = {("POST", "/api/schedules/preview")}  # It stores nothing: an expression is too long for a query.
CHANGES_OF_THE_DASHBOARD = [
    ("POST", "/rq/job/nothing/delete"),
    ("POST", "/rq/job/nothing/requeue"),
    ("POST", "/rq/requeue/default"),
    ("POST", "/rq/queue/default/queued/empty"),
    ("POST", "/rq/queue/default/compact"),
]


def routes(production: ProductionRuntime) -> Iterator[tuple[str, str]]:
    """Yield method and path of each route; the parameters in the path name missing resources."""
    for method, path in open_routes(production):
        yield method, re.sub(r"\{(\w+)\}", lambda found: FILLED.get(found[1], "talk"), path)


def open_routes(production: ProductionRuntime) -> Iterator[tuple[str, str]]:
    """Yield method and path of each open route, as described."""
    description = httpx.get(f"{production.runtime.url}/openapi.json").raise_for_status().json()
    for path, operations in description["paths"].items():
        for method in operations.keys() & {"get", "post", "patch", "put", "delete"}:
            yield method.upper(), path


FILLED = {"id": NOWHERE, "path": "x"}


def outcomes(http: httpx.Client, calls: list[tuple[str, str]]) -> dict[tuple[str, str], int]:
    return {call: http.request(*call, follow_redirects=False).status_code for call in calls}


def test_anonymous_callers_reach_only_the_open_routes(production: ProductionRuntime) -> None:
    closed = [call for call in routes(production) if call not in OPEN]
    assert len(closed) > 35
    with production.anonymous() as http:
        found = outcomes(http, [*closed, *CHANGES_OF_THE_DASHBOARD, ("GET", "/rq/")])
    assert {call: status for call, status in found.items() if status != 401} == {}


def test_a_reader_changes_nothing_by_any_route(production: ProductionRuntime) -> None:
    others = [call for call in routes(production) if call[0] != "GET" and not call[1].startswith(SESSION)]
    changes = [call for call in others if call not in READS_BY_POST]
    assert len(changes) > 15
    production.user("only-reads", "viewer")
    with production.session("only-reads") as viewer, production.with_key("read") as program:
        for http in (viewer, program):
            found = outcomes(http, changes + CHANGES_OF_THE_DASHBOARD)
            assert {call: status for call, status in found.items() if status != 403} == {}


def test_a_key_for_one_function_reads_no_other_data_by_any_route(production: ProductionRuntime) -> None:
    reads = [call for call in routes(production) if call[0] == "GET" and call not in OPEN]
    assert len(reads) > 15
    with production.with_key("read", "invoke", "manage", functions=["echo"]) as http:
        found = outcomes(http, [*reads, ("GET", "/rq/")])
        changed = outcomes(http, CHANGES_OF_THE_DASHBOARD)
    # 404 only for a request by its id: the key gets the answer of a missing request.
    right = {call: (403, 404) if NOWHERE in call[1] else (403,) for call in found}
    wrong = {call: status for call, status in found.items() if status not in right[call]}
    assert wrong == {}
    assert set(changed.values()) == {403}


def test_no_route_allows_shared_caching_of_private_responses(production: ProductionRuntime) -> None:
    reads = [call for call in routes(production) if call[0] == "GET" and call not in OPEN]
    with production.with_key("read") as http:
        caching = {call: http.request(*call).headers.get("Cache-Control", "") for call in [*reads, ("GET", "/rq/")]}
    assert {call: words for call, words in caching.items() if "private" not in words and "no-store" not in words} == {}
