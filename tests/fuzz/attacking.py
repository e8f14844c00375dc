"""Runs schemathesis against a runtime: every operation of /openapi.json, with what fits it and what does not."""

import subprocess
import sys
import tempfile
from pathlib import Path

CONFIG = Path(__file__).with_name("schemathesis.toml")
# A function for it to call: quick, and without a way out.
CODE = """
from localfn import Context, function


@function(timeout_s=5)
def echo(event: object, context: Context) -> object:
    return event
"""


def attack(url: str, examples: int, limit_s: float, *words: str) -> "subprocess.CompletedProcess[str]":
    """examples: for each operation. Its exit code is 0 when no check failed."""
    schemathesis = str(Path(sys.executable).with_name("schemathesis"))
    options = ["--max-examples", str(examples), "--no-color", "--warnings", "off", *words]
    with tempfile.TemporaryDirectory() as notes:  # it keeps some where it runs
        return subprocess.run(
            [schemathesis, "--config-file", str(CONFIG), "run", f"{url}/openapi.json", *options],
            cwd=notes,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=limit_s,
            check=False,
        )


def faults(log: str) -> list[str]:
    """What the runtime itself told of: a handler that failed, a traceback."""
    return [line for line in log.splitlines() if "a handler failed" in line or line.startswith("Traceback")]
