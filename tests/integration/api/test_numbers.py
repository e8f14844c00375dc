"""Keep every digit of a number, from event to function and from result to API and command line."""

import json

import psycopg
import pytest

from tests.support.commands import localfn
from tests.support.runtime import Runtime

AMOUNTS = "[1.10,0.1000000000000000055511151231257827,12345678901234567890.50,1849263518273645211,1e2,-0]"
RESULT = (
    '{"sum":14194942419508213202.70000000,"amounts":[1.10,0.1000000000000000055511151231257827,12345678901234567890.50,'
    '1849263518273645211,100,0],"big":1000000000000000000000000000000,"small":5e-324,"minus":-0.0}'
)


def compact(text: str) -> str:
    return text.replace(", ", ",").replace(": ", ":")


def test_every_digit_of_an_event_and_of_a_result_is_kept(runtime: Runtime) -> None:
    headers = {"Content-Type": "application/json", "Prefer": "wait=30"}
    answer = runtime.http.post("/api/functions/add_up", content=f'{{"amounts": {AMOUNTS}}}', headers=headers)
    assert answer.status_code == 200, answer.text
    id = answer.json()["id"]
    url = f"/api/requests/{id}"

    for text in (answer.text, runtime.http.get(url).text, runtime.http.get("/api/requests?function=add_up").text):
        assert f'"event":{{"amounts":{AMOUNTS}}}' in text
    for text in (answer.text, runtime.http.get(f"{url}/result").text):
        assert RESULT in text
    shown = localfn(runtime, "requests", "result", id)
    assert (shown.returncode, compact(shown.stdout).strip()) == (0, RESULT)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
def test_a_number_outside_json_is_null(runtime: Runtime, value: str) -> None:
    """Return null for such numbers. A program may write them with SQL into a column of floats."""
    id = runtime.call("add_up", {"amounts": [1]})["id"]
    with psycopg.connect(runtime.database_url.replace("+psycopg", "", 1)) as connection:
        change = "UPDATE processing_request SET progress_fraction = %s WHERE id = %s"
        connection.execute(change, (float(value), id))

    answer = runtime.http.get(f"/api/requests/{id}")
    assert answer.json(parse_constant=pytest.fail)["progress"]["fraction"] is None


@pytest.mark.parametrize(("levels", "error_type"), [(499, None), (501, "ResultNotSerializable")])
def test_a_result_that_is_nested_too_deeply_is_an_error(runtime: Runtime, levels: int, error_type: str | None) -> None:
    request = runtime.call("nest", levels)

    assert request["error_type"] == error_type
    if error_type is None:
        text = runtime.http.get(f"/api/requests/{request['id']}/result").text
        assert json.loads(text)["data"]
    else:
        assert "it is nested deeper than 500 levels" in request["error_message"]
