"""Read `localfn.toml`, the file for settings, limits of functions, and schedules.

[settings]
concurrency = 4

[functions.report]
timeout_s = 600

[schedules.nightly-report]
function = "report"
expression = "0 3 * * *"
timezone = "Europe/Berlin"
event = {format = "pdf"}

It imports the standard library only, because `infra.supervisor.preflight` runs before packages are installed.
"""

import json
from collections.abc import Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from infra.config.environment import FileValue
from infra.config.setting_files import toml_document
from infra.config.setting_files.toml_document import TomlDocument
from infra.errors import nearest_hint

FILE = "localfn.toml"
SETTINGS, FUNCTIONS, SCHEDULES = "settings", "functions", "schedules"
TABLES = {SETTINGS: "[settings]", FUNCTIONS: "[functions.NAME]", SCHEDULES: "[schedules.NAME]"}
PREFIX = "LOCALFN_"


def read(directory: Path) -> TomlDocument | None:
    """Return the file of a folder, or None if there is none. Raises SettingsError, naming file and line."""
    document = toml_document.read(directory / FILE)
    if document is not None:
        for name, table in document.data.items():
            if problem := _table_problem(name, table):
                raise document.error(problem, name)
    return document


def key_of(variable: str) -> str:
    """Return the key of a setting: the name of its variable in lower case, without `localfn_`."""
    return variable.removeprefix(PREFIX).lower()


def settings(document: TomlDocument, separators: Mapping[str, str]) -> dict[str, FileValue]:
    """Return the values of [settings] by the names of their variables. Raises SettingsError, naming file and line.

    separators: all variables, each with the separator of its list; "" for a single value.
    """
    variables = {key_of(variable): variable for variable in separators}
    found = {}
    for key in document.data.get(SETTINGS, {}):
        if key not in variables:
            raise document.error(f"{key} is unknown; {_setting_hint(key, variables)}", SETTINGS, key)
        found[variables[key]] = file_value(document, key, separators[variables[key]])
    return found


def file_value(document: TomlDocument, key: str, separator: str = "") -> FileValue:
    """Return the value of a setting with its place. Raises SettingsError for a list without a separator."""
    value = document.data[SETTINGS][key]
    return FileValue(_as_text(document, key, value, separator), value, key, partial(document.place, SETTINGS, key))


def named_tables(document: TomlDocument | None, kind: str) -> dict[str, dict[str, Any]]:
    """Return the tables below [functions] or [schedules], by name. Raises SettingsError, naming file and line."""
    if document is None:
        return {}
    tables: dict[str, dict[str, Any]] = document.data.get(kind, {})
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise document.error(f"{kind}.{name} is not a table; write [{kind}.{name}].", kind, name)
    return tables


def _as_text(document: TomlDocument, key: str, value: Any, separator: str) -> str:
    """Return a value as the environment would hold it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict) or (isinstance(value, list) and not separator):
        kind = "table" if isinstance(value, dict) else "list"
        raise document.error(f"{key}: a {kind} is not valid here; write one value.", SETTINGS, key)
    if not isinstance(value, list):
        return str(value)
    if wrong := [item for item in value if not isinstance(item, str)]:
        shown = json.dumps(wrong[0], default=str)
        raise document.error(f"{key}: {shown:.200} is not a text; put it in quotes.", SETTINGS, key)
    return separator.join(value) or separator  # a lone separator is a list without items, and no unset value


def _table_problem(name: str, value: Any) -> str | None:
    """Return the problem at the top of the file, where only tables are allowed."""
    if name in TABLES and isinstance(value, dict):
        return None
    if name in (SETTINGS, SCHEDULES):
        return f"{name} is not a table; write {TABLES[name]}."
    if not isinstance(value, dict):
        return f"{name} is not in a table; write settings below [{SETTINGS}]."
    headers = TABLES.values()
    return f"[{name}] is unknown; {nearest_hint(f'[{name}]', headers, 'the tables are ' + ', '.join(headers) + '.')}"


def _setting_hint(key: str, known: Collection[str]) -> str:
    if key_of(key.upper()) in known:
        return f"write {key_of(key.upper())}."
    return nearest_hint(key, known, "localfn has no such setting; variables of functions belong in .env.")
