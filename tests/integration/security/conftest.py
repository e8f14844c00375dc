"""Run one runtime in production mode, with logins and API keys, for all tests of this folder."""

from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest
from sqlalchemy import Engine

from schema.engine import make_engine
from tests.conftest import StartRuntime
from tests.support.runtime import Runtime
from workqueue.auth import api_keys, users
from workqueue.clock import Clock

PASSWORD = "correct horse"


@dataclass(frozen=True)
class ProductionRuntime:
    """A runtime that authenticates callers. runtime.http has a key with the scopes of operator and manager."""

    runtime: Runtime
    engine: Engine

    def key(self, *scopes: str, functions: list[str] | None = None, name: str = "") -> str:
        now = Clock().now()
        wanted = {"name": name or f"key{now.timestamp()}", "scopes": list(scopes), "functions": functions}
        return api_keys.create(self.engine, api_keys.parse_key_request(wanted, now), "ada", now)[1]

    def with_key(self, *scopes: str, functions: list[str] | None = None) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.key(*scopes, functions=functions)}"}
        return httpx.Client(base_url=self.runtime.url, headers=headers, timeout=30)

    def anonymous(self) -> httpx.Client:
        return httpx.Client(base_url=self.runtime.url, timeout=30)

    def user(self, username: str, role: str) -> None:
        users.create(self.engine, {"username": username, "password": PASSWORD, "role": role})

    def log_in(self, username: str, password: str = PASSWORD) -> httpx.Response:
        with self.anonymous() as http:
            return http.post("/api/session", json={"username": username, "password": password})

    def session(self, username: str) -> httpx.Client:
        """Return a client with the cookie of a login; a cookie jar would not send a Secure cookie over plain HTTP."""
        answer = self.log_in(username)
        assert answer.status_code == 200, answer.text
        return httpx.Client(base_url=self.runtime.url, headers={"Cookie": cookie(answer)}, timeout=30)


def cookie(answer: httpx.Response) -> str:
    """Return `name=value` of the cookie that a response sets."""
    return answer.headers["Set-Cookie"].partition(";")[0]


@pytest.fixture(scope="session")
def production(start_runtime: StartRuntime) -> Iterator[ProductionRuntime]:
    settings = {"LOCALFN_ENV": "production", "HOST": "127.0.0.1"}
    with start_runtime(settings=settings) as runtime:
        engine = make_engine(runtime.database_url)
        try:
            users.ensure_superuser(engine, "ada", PASSWORD)
            made = ProductionRuntime(runtime, engine)
            key = made.key("read", "invoke", "manage", name="tests")
            runtime.http.headers["Authorization"] = f"Bearer {key}"
            yield made
        finally:
            engine.dispose()


@pytest.fixture(autouse=True)
def _no_failed_logins(request: pytest.FixtureRequest) -> None:
    """Delete failed logins before each test, so that failures of other tests do not delay logins."""
    if "production" in request.fixturenames:
        with request.getfixturevalue("production").engine.begin() as connection:
            connection.exec_driver_sql("DELETE FROM login_failure")
