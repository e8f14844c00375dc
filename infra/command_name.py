"""Return the command that the user typed, for hints: `./dev` in a clone, `localfn` elsewhere."""

import os
import re
import shlex

VARIABLE = "LOCALFN_CALLED_AS"  # set by ./dev
COMMANDS = (
    "up", "doctor", "functions", "requests", "schedules", "queues", "workers", "users", "keys", "web", "worker",
    "scheduler", "init", "db", "seed", "openapi", "--debug",
)  # fmt: skip
COMMAND_HINT = re.compile(rf"(?<![\w./-])localfn (?=(?:{'|'.join(COMMANDS)})(?![\w-]))")


def command_name() -> str:
    return os.environ.get(VARIABLE) or "localfn"


def with_command_name(text: str) -> str:
    """Return the text with each `localfn COMMAND` replaced by the command that the user types."""
    return COMMAND_HINT.sub(lambda _: f"{shlex.quote(command_name())} ", text)
