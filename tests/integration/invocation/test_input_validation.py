"""Bound the cost of users' schemas, and follow none of their references to other documents."""

import socket
from typing import Any

import pytest

from tests.support.runtime import Runtime
from tests.support.waiting import wait_until
from workqueue.functions import input_validation
from workqueue.outcomes import InvalidError

ENDLESS = {"type": "string", "pattern": "^([a-z]+)+$"}


def write(runtime: Runtime, name: str, schema: dict[str, Any]) -> None:
    runtime.write(
        f"{name}.py",
        f"from localfn import function\n@function(input={schema!r})\ndef {name}(event, context):\n    return 'fits'\n",
    )
    wait_until(lambda: runtime.knows(name), 30)


@pytest.mark.parametrize(
    ("schema", "event"),
    [(ENDLESS, "a" * 64 + "1"), ({"uniqueItems": True}, [{"n": n} for n in range(20_000)])],
    ids=["pattern", "uniqueItems"],
)
def test_an_endless_validation_is_stopped(schema: dict[str, Any], event: Any) -> None:
    with pytest.raises(InvalidError, match="within 1 s") as caught:
        input_validation.check(event, schema, 1)
    assert caught.value.error_type == "ValidationTooLong"
    input_validation.check("fits", ENDLESS, 1)


def test_an_endless_validation_fails_its_request_and_the_worker_continues(runtime: Runtime) -> None:
    write(runtime, "endless", ENDLESS)
    before = {worker["name"] for worker in runtime.get("/api/workers")["items"]}
    request = runtime.call("endless", "a" * 64 + "1")
    assert (request["status"], request["error_type"], request["attempt"]) == ("failed", "ValidationTooLong", 1)
    assert "validate hook" in request["error_message"]
    worker = runtime.attempts(request["id"])[0]["worker"]
    assert worker in before
    assert worker in {each["name"] for each in runtime.get("/api/workers")["items"]}
    assert runtime.result("endless", "fits") == "fits"


def test_an_external_reference_is_not_followed(runtime: Runtime) -> None:
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        elsewhere.setblocking(False)
        write(runtime, "refers", {"$ref": f"http://127.0.0.1:{elsewhere.getsockname()[1]}/schema.json"})
        request = runtime.call("refers", {})
        with pytest.raises(BlockingIOError):
            elsewhere.accept()
    assert (request["status"], request["error_type"], request["attempt"]) == ("failed", "SchemaError", 1)
    assert "Unresolvable" in request["error_message"]


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "strng"}, "'strng' is not valid"),
        ({"pattern": "("}, "'(' is not a 'regex'"),
        ({"properties": 3}, "$.properties: 3 is not of type 'object'"),
        ({"$schema": "http://json-schema.org/draft-07/schema#", "minimum": "1"}, "'1' is not of type 'number'"),
    ],
)
def test_an_invalid_schema_is_reported_at_discovery(runtime: Runtime, schema: dict[str, Any], words: str) -> None:
    runtime.write(
        "no_schema.py",
        f"from localfn import function\n@function(input={schema!r})\ndef no_schema(event, context): ...\n",
    )

    def listed_error() -> str:
        errors = runtime.get("/api/functions")["errors"]
        return next((each["error_message"] for each in errors if words in each["error_message"]), "")

    message = wait_until(listed_error, 30, "it is reported")
    assert "@function on 'no_schema': input is not a valid JSON Schema. " in message
    (runtime.functions / "no_schema.py").unlink()
