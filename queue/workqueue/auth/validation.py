"""Validate the fields of users and API keys. The error names all invalid fields at once."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from workqueue.errors import BadAccessError

NAME_PATTERN = re.compile(r"[A-Za-z0-9_.@+-]{1,64}")  # of users and API keys
NAME_RULE = "1 to 64 letters, digits, _ . @ + - are needed"

Rules = Mapping[str, tuple[Callable[[Any], object], str]]


def check_fields(fields: Mapping[str, Any], rules: Rules, needed: Sequence[str] = ()) -> None:
    """Check the fields against the rules. Raises BadAccessError.

    rules: for each field a predicate, and the error message. needed: the required fields.
    """
    known = ", ".join(rules)
    errors = [field_error(name, f"unknown field; known here: {known}") for name in fields if name not in rules]
    errors += [field_error(name, "is missing") for name in needed if name not in fields]
    errors += [
        field_error(name, rule[1]) for name, rule in rules.items() if name in fields and not rule[0](fields[name])
    ]
    if errors:
        raise BadAccessError(errors)


def field_error(field: str, detail: str) -> dict[str, str]:
    """Return one entry of BadAccessError."""
    return {"field": field, "detail": detail}
