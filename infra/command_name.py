"""The command that the user typed: `./dev` in a clone, `localfn` elsewhere. Hints name it."""

import os
import re
import shlex

VARIABLE = "LOCALFN_CALLED_AS"  # set by ./dev
COMMANDS = (
    "up", "doctor", "functions", "requests", "schedules", "queues", "workers", "users", "keys", "web", "worker",
    "scheduler", "init", "db", "seed", "openapi", "--debug",
)  # fmt: skip
HINT = re.compile(rf"(?<![\w./-])localfn (?=(?:{'|'.join(COMMANDS)})(?![\w-]))")


def called_as() -> str:
    return os.environ.get(VARIABLE) or "localfn"


def as_typed(text: str) -> str:
    """Return the text with each `localfn COMMAND` in it as the user types it."""
    return HINT.sub(lambda _: f"{shlex.quote(called_as())} ", text)
