"""Checks what is said of a user or a key, field by field: every field that cannot be is named at once."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from workqueue.errors import BadAccessError

Rules = Mapping[str, tuple[Callable[[Any], object], str]]


def check_fields(fields: Mapping[str, Any], rules: Rules, needed: Sequence[str] = ()) -> None:
    """rules: for each field a test, and what is needed instead. Raises BadAccessError."""
    known = ", ".join(rules)
    found = [field_error(name, f"unknown field; known here: {known}") for name in fields if name not in rules]
    found += [field_error(name, "is missing") for name in needed if name not in fields]
    found += [
        field_error(name, rule[1]) for name, rule in rules.items() if name in fields and not rule[0](fields[name])
    ]
    if found:
        raise BadAccessError(found)


def field_error(field: str, detail: str) -> dict[str, str]:
    return {"field": field, "detail": detail}
