"""Return the command that the user typed, for hints: `./dev` in a clone, `uvx localfn` or `localfn` elsewhere."""

import os
import re
import shlex
import sys
from pathlib import Path

VARIABLE = "LOCALFN_CALLED_AS"  # set by ./dev, and by `up` for its processes
UVX = "uvx localfn"
COMMANDS = (
    "new", "up", "down", "status", "logs", "doctor", "functions", "requests", "schedules", "queues", "workers",
    "users", "keys", "web", "worker", "scheduler", "init", "db", "seed", "openapi", "--debug",
)  # fmt: skip
# `uvx localfn up` is complete: `new` prints commands that name it already.
COMMAND_HINT = re.compile(rf"(?<![\w./-])(?<!uvx )localfn (?=(?:{'|'.join(COMMANDS)})(?![\w-]))")


def command_name() -> str:
    return os.environ.get(VARIABLE) or (UVX if _is_started_by_uvx() else "localfn")


def quote_command(name: str) -> str:
    """Return a command name as it is typed in a shell: a path may contain spaces."""
    return name if name == UVX else shlex.quote(name)


def with_command_name(text: str) -> str:
    """Return the text with each `localfn COMMAND` replaced by the command that the user types."""
    return COMMAND_HINT.sub(lambda _: f"{quote_command(command_name())} ", text)


def _is_started_by_uvx() -> bool:
    """Return True in an environment of uv's cache, whose folder is on no PATH but that of its own processes."""
    return "UV" in os.environ and any(part.startswith("archive-v") for part in Path(sys.prefix).parts)
