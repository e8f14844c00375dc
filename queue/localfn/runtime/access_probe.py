"""Tells what whoever runs this cannot reach: asked by the runtime before functions are run by that account.

Gets {"entered": […], "read": […], "secret": […]} on its standard input: paths. Answers {"barred": {path: what bars the
way}, "open": [those of the secret ones that can be read], "parts_network": whether it may leave the network}.
"""

from __future__ import annotations

import json
import os
import sys

from localfn.errors import LocalfnError
from localfn.runtime import confinement


def main() -> None:
    asked = json.load(sys.stdin)
    barred = {path: first_inaccessible(path, os.X_OK) for path in asked["entered"]}
    barred |= {
        path: first_inaccessible(path, os.R_OK | (os.X_OK if os.path.isdir(path) else 0)) for path in asked["read"]
    }
    told = {
        "barred": {path: bar for path, bar in barred.items() if bar is not None},
        "open": [path for path in asked["secret"] if os.access(path, os.R_OK)],
        "parts_network": _parts_network(),
    }
    json.dump(told, sys.stdout)


def _parts_network() -> bool:
    try:
        confinement.leave_network()
    except (LocalfnError, OSError):
        return False
    return True


def first_inaccessible(path: str, wanted: int) -> str | None:
    """The first folder on the way that cannot be entered, or the path itself when it cannot be used as wanted."""
    way = [path]
    while (above := os.path.dirname(way[0])) != way[0]:
        way.insert(0, above)
    for folder in way[:-1]:
        if not os.access(folder, os.X_OK):
            return folder
    return None if os.access(path, wanted) else path
