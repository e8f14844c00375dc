"""Serve the isolated rq-dashboard in the test process, and fail each test in which a pickle is loaded."""

import sys
from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient

from handlers.dashboard import routes
from handlers.security.origin_check import AllowedHosts, OriginCheck
from handlers.security.secured_app import make_app
from tests.integration.security.dashboard.calls import LOADED, record_unpickling

sys.addaudithook(record_unpickling)


@pytest.fixture(autouse=True)
def nothing_is_unpickled() -> Iterator[None]:
    LOADED.clear()
    yield
    assert LOADED == []


@pytest.fixture
def app(redis_url: str) -> Flask:
    origin_check = OriginCheck(AllowedHosts())
    app = make_app("dashboard", origin_check)
    routes.install(app, redis_url, origin_check)
    return app


@pytest.fixture
def http(app: Flask) -> FlaskClient:
    return app.test_client()
