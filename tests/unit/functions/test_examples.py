"""Check that a sandbox discovers all examples, and that their input schemas are valid."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from examples.fetch_json import fetch_json
from examples.profile_csv import profile_csv
from examples.thumbnail import thumbnail
from hello import hello
from tests.unit.functions.conftest import MakeContext

ROOT = Path(__file__).parents[3]
DESCRIBE = """
import json, sys
from localfn.runtime.importer import describe
functions, failed = describe(sys.argv[1], sys.argv[2])
assert failed is None, failed
print(json.dumps(functions))
"""


@pytest.mark.parametrize(
    ("module", "names"), [("hello", ["hello"]), ("examples", ["fetch_json", "profile_csv", "thumbnail"])]
)
def test_each_module_is_discovered_with_its_functions(module: str, names: list[str]) -> None:
    command = [sys.executable, "-c", DESCRIBE, str(ROOT / "functions"), module]
    done = subprocess.run(command, env={"PYTHONPATH": str(ROOT / "queue")}, capture_output=True, check=True)
    described = json.loads(done.stdout)
    assert sorted(entry["name"] for entry in described) == names
    assert all(entry["description"] for entry in described)


def test_the_first_function_of_a_newcomer_has_ten_lines_and_greets(make_context: MakeContext) -> None:
    assert len((ROOT / "functions" / "hello.py").read_text().splitlines()) <= 10
    assert hello({"name": "Ada"}, make_context()) == {"hello": "Ada"}
    assert hello({}, make_context()) == {"hello": "world"}


@pytest.mark.parametrize(
    ("declared", "event", "is_valid"),
    [
        (profile_csv, {}, True),
        (profile_csv, {"csv": "a", "delimiter": "\t", "has_header": False, "na_values": ["?"]}, True),
        (profile_csv, {"delimiter": ""}, False),
        (profile_csv, {"delimiter": '"'}, False),
        (profile_csv, {"delimiter": "\n"}, False),
        (profile_csv, {"delimeter": ","}, False),
        (fetch_json, {"url": "http://x", "method": "PATCH", "body": None, "timeout_s": 0.5}, True),
        (fetch_json, {}, False),
        (fetch_json, {"url": "http://x", "timeout_s": 0}, False),
        (fetch_json, {"url": "http://x", "method": "TRACE"}, False),
        (thumbnail, {"sizes": [64], "format": "png"}, True),
        (thumbnail, {"sizes": []}, False),
        (thumbnail, {"sizes": [0]}, False),
        (thumbnail, {"format": "bmp"}, False),
    ],
)
def test_the_input_schema_accepts_valid_events_only(declared: Any, event: Mapping[str, Any], is_valid: bool) -> None:
    Draft202012Validator.check_schema(declared.input)
    assert Draft202012Validator(declared.input).is_valid(event) == is_valid
