"""Test a function as plain Python: no server runs, and a test takes milliseconds."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "functions"))  # localfn imports from this folder, too

from hello import hello
from localfn import Context


def make_context(workdir: Path) -> Context:
    return Context(request_id="1", function_name="hello", workdir=workdir)


def test_hello_greets_by_name(tmp_path: Path) -> None:
    assert hello({"name": "Ada"}, make_context(tmp_path)) == {"hello": "Ada"}


def test_hello_without_a_name_greets_the_world(tmp_path: Path) -> None:
    assert hello({}, make_context(tmp_path)) == {"hello": "world"}
