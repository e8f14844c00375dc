"""Read `localfn.toml`: schedules that are declared beside the code.

[schedules.nightly-report]
function = "report"
expression = "0 3 * * *"
timezone = "Europe/Berlin"
event = {format = "pdf"}
"""

import tomllib
from pathlib import Path
from typing import Any

from infra.errors import InfraError

FILE = "localfn.toml"
TABLE = "schedules"


class DeclarationError(InfraError):
    """localfn.toml cannot be used; the message names the place."""

    exit_code = 2


def schedules(directory: Path | None = None) -> dict[str, dict[str, Any]]:
    """Return the tables below [schedules], by name; an empty dict without a file. Raises DeclarationError."""
    path = (directory or Path.cwd()) / FILE
    try:
        found = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise DeclarationError(f"{path} cannot be read: {error}") from None
    for name in found:
        if name != TABLE:
            raise DeclarationError(f"{path}: [{name}] is unknown; use [{TABLE}.NAME].")
    tables: dict[str, dict[str, Any]] = found.get(TABLE, {})
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise DeclarationError(f"{path}: {TABLE}.{name} is not a table; write [{TABLE}.{name}].")
    return tables
