"""Check which paths the current account can reach. The runtime runs this before an account runs functions.

Reads {"entered": [path], "read": [path], "secret": [path]} from stdin. Writes {"barred": {path: folder or file that
denies access}, "open": [readable secret paths], "parts_network": true if it may leave the network} to stdout.
"""

from __future__ import annotations

import json
import os
import sys

from localfn.errors import LocalfnError
from localfn.runtime import confinement


def main() -> None:
    """Answer the question on stdin."""
    request = json.load(sys.stdin)
    barred = {path: first_inaccessible(path, os.X_OK) for path in request["entered"]}
    barred |= {
        path: first_inaccessible(path, os.R_OK | (os.X_OK if os.path.isdir(path) else 0)) for path in request["read"]
    }
    answer = {
        "barred": {path: bar for path, bar in barred.items() if bar is not None},
        "open": [path for path in request["secret"] if os.access(path, os.R_OK)],
        "parts_network": _parts_network(),
    }
    json.dump(answer, sys.stdout)


def _parts_network() -> bool:
    try:
        confinement.leave_network()
    except (LocalfnError, OSError):
        return False
    return True


def first_inaccessible(path: str, wanted: int) -> str | None:
    """Return the first parent folder that denies entry, or the path if it denies `wanted` (os.access); else None."""
    way = [path]
    while (above := os.path.dirname(way[0])) != way[0]:
        way.insert(0, above)
    for folder in way[:-1]:
        if not os.access(folder, os.X_OK):
            return folder
    return None if os.access(path, wanted) else path
