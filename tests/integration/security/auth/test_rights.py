"""Check the rights of roles and scopes against a runtime in production mode."""

import httpx
import pytest
from flask import Flask

from tests.integration.security.conftest import ProductionRuntime
from tests.support.commands import NOWHERE

# Each kind of call, with the role or scope that it requires.
CALLS = {
    "read": [
        ("GET", "/api/functions"),
        ("GET", "/api/requests"),
        ("GET", "/api/schedules"),
        ("GET", "/rq/"),
        ("GET", "/rq/0/data/queues.json"),
    ],
    "follow": [
        ("GET", "/api/functions/echo"),
        ("GET", f"/api/requests/{NOWHERE}"),
        ("GET", f"/api/requests/{NOWHERE}/logs"),
    ],
    "invoke": [("POST", "/api/functions/echo"), ("POST", "/api/functions/echo/batch")],
    "operate": [
        ("POST", f"/api/requests/{NOWHERE}/cancel"),
        ("POST", f"/api/requests/{NOWHERE}/retry"),
        ("POST", f"/api/requests/{NOWHERE}/run"),
        ("DELETE", f"/api/requests/{NOWHERE}"),
        ("POST", "/api/schedules/nothing/run"),
        ("POST", "/rq/job/nothing/delete"),
        ("POST", "/rq/requeue/default"),
    ],
    "manage": [("POST", "/api/schedules"), ("PATCH", "/api/schedules/nothing"), ("DELETE", "/api/schedules/nothing")],
    "administer": [
        ("GET", "/api/users"),
        ("POST", "/api/users"),
        ("PATCH", "/api/users/nobody"),
        ("DELETE", "/api/users/nobody"),
        ("GET", "/api/keys"),
        ("POST", "/api/keys"),
        ("DELETE", f"/api/keys/{NOWHERE}"),
    ],
}


OF_ROLE = {
    "viewer": {"read", "follow"},
    "operator": {"read", "follow", "invoke", "operate"},
    "admin": set(CALLS),
}


OF_SCOPE = {"read": {"read", "follow"}, "invoke": {"invoke", "follow"}, "manage": {"operate", "manage"}}


def allowed_kinds(http: httpx.Client) -> set[str]:
    """Return the kinds of calls that are allowed; each kind completely or not at all."""
    found = set()
    for kind, calls in CALLS.items():
        answers = [
            http.request(method, path, content=b"[1]" if "batch" in path else b"").status_code for method, path in calls
        ]
        refused = [status in (401, 403) for status in answers]
        assert all(refused) or not any(refused), (kind, answers)
        if not any(refused):
            found.add(kind)
    return found


def test_an_anonymous_caller_reaches_only_the_login(production: ProductionRuntime) -> None:
    with production.anonymous() as http:
        assert allowed_kinds(http) == set()
        assert http.get("/api/requests").headers["WWW-Authenticate"].startswith("Bearer")
        assert http.get("/healthz").json() == {"status": "ok"}
        assert http.get("/readyz").json() == {"status": "ok"}
        assert http.get("/", headers={"Accept": "text/html"}).status_code == 200
        assert http.get("/api/session").json() == {"auth": "required", "user": None, "permissions": []}


@pytest.mark.parametrize("role", OF_ROLE)
def test_a_role_allows_its_documented_calls(production: ProductionRuntime, role: str) -> None:
    production.user(f"a-{role}", role)
    with production.session(f"a-{role}") as http:
        session = http.get("/api/session").json()
        assert session["user"] == {"username": f"a-{role}", "role": role}
        assert set(session["permissions"]) == OF_ROLE[role], "the session lists its permissions"
        assert allowed_kinds(http) == OF_ROLE[role]


@pytest.mark.parametrize("scope", OF_SCOPE)
def test_a_scope_allows_its_documented_calls(production: ProductionRuntime, scope: str) -> None:
    with production.with_key(scope) as http:
        assert allowed_kinds(http) == OF_SCOPE[scope]


def test_no_scope_of_a_key_allows_creating_keys_or_users(production: ProductionRuntime) -> None:
    with production.with_key("read", "invoke", "manage") as http:
        assert allowed_kinds(http) == set(CALLS) - {"administer"}


def test_a_key_for_one_function_sees_no_other(production: ProductionRuntime) -> None:
    other = production.runtime.post("talk", {})["id"]
    with production.with_key("invoke", "read", "manage", functions=["echo"]) as http:
        mine = http.post("/api/functions/echo", json={"a": 1})
        assert mine.status_code == 202
        assert http.get(mine.headers["Location"]).status_code == 200
        for path in ("", "/result", "/attempts", "/logs", "/files/x"):
            assert http.get(f"/api/requests/{other}{path}").status_code == 404
        for act in ("cancel", "retry"):
            assert http.post(f"/api/requests/{other}/{act}").status_code == 404
        assert http.delete(f"/api/requests/{other}").status_code == 404
        for method, path in [
            ("POST", "/api/functions/talk"),
            ("POST", "/api/functions/talk/batch"),
            ("GET", "/api/functions/talk"),
            ("GET", "/api/requests"),
            ("GET", "/api/requests?function=talk"),
            ("GET", "/api/requests?function=talk&function=echo"),
            ("POST", "/api/schedules"),
            ("GET", "/api/schedules"),
            ("GET", "/rq/"),
        ]:
            assert http.request(method, path).status_code in (403, 422), path
        listed = http.get("/api/requests?function=echo").json()["items"]
        assert {item["function"] for item in listed} == {"echo"}


def test_every_route_declares_its_required_right() -> None:
    """Require a rule for each route: a route without one requires an admin, which is safe but rarely intended."""
    app = make_routes()
    silent = [
        str(rule)
        for rule in app.url_map.iter_rules()
        if not rule.build_only
        and not rule.endpoint.startswith("rq_dashboard.")
        and not hasattr(app.view_functions[rule.endpoint], "_localfn_need")
    ]
    assert silent == []


def make_routes() -> Flask:
    from handlers.app import BLUEPRINTS

    app = Flask("routes", static_folder=None)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    return app
