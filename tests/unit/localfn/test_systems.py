"""Use the SDK where the runtime does not run: on Windows, and in Python 3.9."""

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
SDK = ROOT / "queue" / "localfn"
USE = """
from tests.support.systems.windows import hide_posix
hide_posix()

import importlib, tempfile
for name in {modules}:
    importlib.import_module(name)
from localfn import Context, function

@function(timeout_s=5)
def hello(event, context):
    (context.workdir / "a.txt").write_text("hello")
    context.save_file("a.txt")
    context.progress(1.0, "done")
    context.logger.info("greeted")
    return {{"hello": event["name"]}}

@hello.validate
def check(event, context):
    return event

with tempfile.TemporaryDirectory() as folder:
    context = Context(request_id="1", function_name="hello", workdir=folder)
    print(hello({{"name": "Ada"}}, context), context.saved, hello.describe()["name"])
"""
SANDBOX_PACKAGES = {"runtime", "process_state"}  # the runtime imports them in its sandboxes, users never


def test_functions_are_declared_and_called_without_posix() -> None:
    paths = [path.relative_to(SDK) for path in sorted(SDK.rglob("*.py"))]
    modules = [
        ".".join(("localfn", *path.with_suffix("").parts)).removesuffix(".__init__")
        for path in paths
        if path.parts[0] not in SANDBOX_PACKAGES
    ]
    assert {"localfn", "localfn.context", "localfn.outcome.result"} < set(modules)
    code = USE.format(modules=modules)
    path = {"PYTHONPATH": f"{ROOT / 'queue'}:{ROOT}"}
    done = subprocess.run([sys.executable, "-c", code], env=path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "{'hello': 'Ada'} [{'name': 'a.txt'}] hello\n"), done.stderr


def test_the_syntax_is_that_of_python_3_9() -> None:
    for path in SDK.rglob("*.py"):
        ast.parse(path.read_text(), str(path), feature_version=(3, 9))
