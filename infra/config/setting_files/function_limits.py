"""Read the limits of functions in `localfn.toml`: options of `@function` that take precedence over those in the code.

[functions.report]
timeout_s = 600
memory_mb = 2048
"""

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from infra.config.setting_files import localfn_toml
from infra.config.setting_files.localfn_toml import FUNCTIONS
from infra.errors import nearest_hint
from localfn.checks.options import RULES

OTHER_OPTIONS = ("name", "network", "environment", "schedule")
LIMITS = {name: rule for name, rule in RULES.items() if name not in OTHER_OPTIONS}


def read(directory: Path) -> dict[str, dict[str, Any]]:
    """Return the limits by function; an empty dict without a file. Raises SettingsError, naming file and line."""
    document = localfn_toml.read(directory)
    found = localfn_toml.named_tables(document, FUNCTIONS)
    for name, limits in found.items():
        for key, value in limits.items():
            assert document is not None
            if key not in LIMITS:
                hint = nearest_hint(key, LIMITS, f"the limits are {', '.join(LIMITS)}.")
                raise document.error(f"{key} is not a limit of a function; {hint}", FUNCTIONS, name, key)
            is_right, rule = LIMITS[key]
            if not is_right(value):
                shown = json.dumps(value, default=str)
                raise document.error(f"{key}: {shown:.200} is not valid; use {rule}.", FUNCTIONS, name, key)
    return found


def check_functions(directory: Path, limits: Mapping[str, Any], known: Collection[str]) -> None:
    """Raise SettingsError for limits of a function that does not exist. known: the names of all functions."""
    for name in limits:
        if name not in known and (document := localfn_toml.read(directory)) is not None:
            hint = nearest_hint(name, known, "see `localfn functions list`.")
            raise document.error(f"[functions.{name}]: there is no function {name!r}; {hint}", FUNCTIONS, name)
