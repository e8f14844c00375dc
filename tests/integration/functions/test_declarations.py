"""Reject invalid declarations of functions when their module is discovered."""

from typing import Any

import pytest

from tests.integration.functions.test_discovery import HEAD, SEEN_WITHIN_S, returning
from tests.support.runtime import Runtime
from tests.support.waiting import wait_until


def test_a_module_named_like_the_standard_library_is_rejected(runtime: Runtime) -> None:
    path = runtime.write("email.py", returning("send_email", "1"))

    def listed() -> list[dict[str, Any]]:
        return [error for error in runtime.get("/api/functions")["errors"] if error["source_file"] == str(path)]

    error = wait_until(listed, SEEN_WITHIN_S)[0]
    assert "rename it" in error["error_message"]
    path.unlink()


def test_an_invalid_limit_is_reported_by_name(runtime: Runtime) -> None:
    path = runtime.write("wrong.py", HEAD + "@function(timeout_s=7200)\ndef wrong(event, context): ...\n")

    def listed() -> list[dict[str, Any]]:
        return [error for error in runtime.get("/api/functions")["errors"] if error["source_file"] == str(path)]

    assert "timeout_s" in wait_until(listed, SEEN_WITHIN_S)[0]["error_message"]
    path.unlink()


ASYNC_HOOK = """
@function
def checked_later(event, context): ...
@checked_later.validate
async def check(event, context): ...
"""


MISSING_MODEL = """
from typing import TYPE_CHECKING
import pydantic
if TYPE_CHECKING:
    from nowhere import Order
class Basket(pydantic.BaseModel):
    n: int
@function(input=Basket)
def buy(order: "Order", context): ...
"""


UNKNOWN_OPTION = """
@function(timeout=5)
def limited(event, context): ...
"""


HUGE_SCHEMA = """
@function(input={"enum": ["x" * 5_000_000]})
def enumerated(event, context): ...
"""


ENDING = """
import sys
sys.exit("no key is set")
"""


WRONG_SCHEDULE = """
@function(schedule={"expression": "every now and then", "timezone": "Europe/Atlantis"})
def timed(event, context): ...
"""


SCHEMA_OF_OBJECTS = """
@function(input={"enum": [object()]})
def enumerated(event, context): ...
"""


@pytest.mark.parametrize(
    ("code", "error_type", "words"),
    [
        (
            ASYNC_HOOK,
            "LocalfnError",
            ":4: @checked_later.validate on 'check': it is an async function: call asyncio.run",
        ),
        (
            MISSING_MODEL,
            "LocalfnError",
            ":8: @function on 'buy': the annotation 'Order' of parameter 'order' cannot be",
        ),
        (UNKNOWN_OPTION, "LocalfnError", "there is no option 'timeout'; did you mean timeout_s?"),
        (HUGE_SCHEMA, "LocalfnError", "bytes; use at most 4194304"),
        (ENDING, "SystemExit", "no key is set"),
        (WRONG_SCHEDULE, "ScheduleError", ":2: @function on 'timed': schedule: expression: "),
        (SCHEMA_OF_OBJECTS, "LocalfnError", "@function on 'enumerated': input=: $.enum[0]: a object is not JSON"),
    ],
)
def test_an_invalid_declaration_is_rejected_with_line_and_reason(
    runtime: Runtime, code: str, error_type: str, words: str
) -> None:
    path = runtime.write("refused.py", "from localfn import function" + code)

    def listed() -> list[dict[str, Any]]:
        found = runtime.get("/api/functions")["errors"]
        return [error for error in found if error["source_file"] == str(path) and words in error["error_message"]]

    assert wait_until(listed, SEEN_WITHIN_S, words)[0]["error_type"] == error_type
    path.unlink()
    wait_until(lambda: not listed(), SEEN_WITHIN_S)
