"""Run schemathesis against a runtime: each operation of /openapi.json, with valid and invalid input."""

import subprocess
import sys
import tempfile
from pathlib import Path

CONFIG = Path(__file__).with_name("schemathesis.toml")
# A quick function without side effects.
CODE = """
from localfn import Context, function


@function(timeout_s=5)
def echo(event: object, context: Context) -> object:
    return event
"""


def attack(url: str, examples: int, limit_s: float, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run schemathesis; its exit code is 0 if no check failed.

    examples: number for each operation. words: further arguments.
    """
    schemathesis = str(Path(sys.executable).with_name("schemathesis"))
    options = ["--max-examples", str(examples), "--no-color", "--warnings", "off", *words]
    with tempfile.TemporaryDirectory() as notes:  # schemathesis writes into its current directory
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
    """Return the log lines of failed handlers, and tracebacks."""
    return [line for line in log.splitlines() if "handler failed" in line or line.startswith("Traceback")]
