"""Check that the OpenAPI document is complete, valid and consistent."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from openapi_spec_validator import OpenAPIV31SpecValidator

from handlers.app import create_app
from handlers.openapi.operation import operation_of
from handlers.resources import accounts, schedules
from handlers.security.origin_check import AllowedHosts, OriginCheck
from handlers.services import Access
from handlers.spa.static_files import SpaConfig
from workqueue.auth import api_keys, users
from workqueue.schedules.validation import REQUIRED, Rules

NOT_OF_THE_API = ("front", "static", "rq_dashboard.")


@pytest.fixture(scope="module")
def app() -> Flask:
    """Return the app without services: the OpenAPI document needs none."""
    services = FailingServices()
    return create_app(services, "redis://127.0.0.1:1", SpaConfig(Path("/nonexistent")), OriginCheck(AllowedHosts()))  # type: ignore[arg-type]


class FailingServices:
    """Fail each access to a service."""

    access = Access()

    def install(self, app: Flask) -> None:
        pass


@pytest.fixture(scope="module")
def document(app: Flask) -> dict[str, Any]:
    found = app.test_client().get("/openapi.json").json
    assert isinstance(found, dict)
    return found


def operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for calls in document["paths"].values():
        yield from calls.values()


def test_every_route_is_described(app: Flask) -> None:
    rules = [rule for rule in app.url_map.iter_rules() if not rule.endpoint.startswith(NOT_OF_THE_API)]
    assert [rule.rule for rule in rules if operation_of(app.view_functions.get(rule.endpoint)) is None] == []
    assert len(rules) > 20


def test_the_document_is_valid_openapi(document: dict[str, Any]) -> None:
    assert [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


def test_every_link_leads_to_an_operation_and_names_its_parameters(document: dict[str, Any]) -> None:
    by_id = {call["operationId"]: call for call in operations(document)}
    links = [
        link
        for call in by_id.values()
        for answer in call["responses"].values()
        for link in answer.get("links", {}).values()
    ]
    assert links
    for link in links:
        known = {parameter["name"] for parameter in by_id[link["operationId"]]["parameters"]}
        assert set(link["parameters"]) <= known, link


def test_every_operation_has_a_summary_and_every_error_an_example(document: dict[str, Any]) -> None:
    for call in operations(document):
        assert call["summary"], call["operationId"]
        for status, answer in call["responses"].items():
            if "application/problem+json" in answer.get("content", {}):
                assert answer["content"]["application/problem+json"]["example"]["status"] == int(status)


def test_the_fields_of_a_schedule_are_the_validated_ones() -> None:
    checked = Rules((), 0, frozenset()).readers.keys()
    assert schedules.NEW_SCHEDULE.schema["properties"].keys() == checked
    assert schedules.SCHEDULE_CHANGE.schema["properties"].keys() == checked
    assert tuple(schedules.NEW_SCHEDULE.schema["required"]) == REQUIRED


def test_the_fields_of_users_and_keys_are_the_validated_ones() -> None:
    assert accounts.NEW_USER.schema["properties"].keys() == users.RULES.keys()
    assert accounts.USER_CHANGE.schema["properties"].keys() == users.CHANGEABLE.keys()
    assert accounts.NEW_KEY.schema["properties"].keys() == api_keys.RULES.keys()


def test_the_page_lists_every_operation_and_schema(app: Flask, document: dict[str, Any]) -> None:
    page = app.test_client().get("/docs").text
    for call in operations(document):
        assert f'id="{call["operationId"]}"' in page
    for name in document["components"]["schemas"]:
        assert f'id="{name}"' in page


def test_the_page_needs_nothing_inline_and_nothing_from_elsewhere(app: Flask) -> None:
    answer = app.test_client().get("/docs")
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'self'")
    for inline in ("<script", " style=", "<style", 'src="', "http://", "https://"):
        assert inline not in answer.text, inline
