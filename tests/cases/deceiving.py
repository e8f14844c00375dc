"""Functions that lie to the runtime, or set a trap for it, or for who comes next."""

import os
import sys
from typing import Any

from localfn import Context, function, loading


@function
def lie_about_its_code(event: Any, context: Context) -> Any:
    """What it says that it has imported is no list of files."""
    loading.files_of = lambda *_: event["files"]
    sys.modules["made_up"] = type(sys)("made_up")  # else nobody would ask


@function
def leave_the_dead(event: Any, context: Context) -> Any:
    """Children that have ended, and that nobody has asked how."""
    for _ in range(event["count"]):
        if os.fork() == 0:
            os._exit(0)
