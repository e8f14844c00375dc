"""Check the options of @function; each problem names the option, its value and the rule."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from localfn.errors import MAX_DELAY_S
from localfn.outcome.failure import ResultNotSerializableError
from localfn.outcome.result import to_json

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
QUEUE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
MAX_TIMEOUT_S = 3600.0  # one hour at most per attempt
MIN_MEMORY_MB = 32  # a bare interpreter with this SDK takes about 15 MB
MAX_MEMORY_MB = 1024 * 1024
MAX_ATTEMPTS = 100
ON_LOST = ("rerun", "fail")
SCHEDULE_HELP = 'a text such as "rate(5 minutes)", or a dict with an "expression" and other fields of a schedule'


def unknown_problem(given: Iterable[str], known: Collection[str]) -> str | None:
    """Return the first option that does not exist, with the nearest valid one, as a clause; None if all exist."""
    for name in given:
        import difflib  # only for this message

        close = difflib.get_close_matches(name, list(known), 1)
        advice = f"did you mean {close[0]}?" if close else f"the options are {', '.join(known)}"
        return f"there is no option {name!r}; {advice}"
    return None


def option_problem(options: Mapping[str, Any]) -> str | None:
    """Return the first wrong option with its value and its rule; None if all are valid."""
    for name, (is_right, rule) in RULES.items():
        if not is_right(options[name]):
            return f"{name}={options[name]!r:.200}: use {rule}"
    return next(filter(None, (_json_problem(name, options[name]) for name in ("environment", "schedule"))), None)


def _json_problem(name: str, value: Any) -> str | None:
    try:
        to_json(value)
    except ResultNotSerializableError as error:
        return f"{name}: {error}"
    return None


def _is_number(value: Any, least: float, most: float) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and least <= value <= most


def _is_whole(value: Any, least: int, most: int) -> bool:
    return isinstance(value, int) and _is_number(value, least, most)


def _is_text(value: Any, pattern: re.Pattern[str]) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _is_environment(value: Any) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(key, str) and isinstance(text, str) and key and "=" not in key and "\0" not in key + text
        for key, text in value.items()
    )


def _is_schedule(value: Any) -> bool:
    """Return True for the shape of a schedule. The runtime checks the fields: it has the lists of zones and queues."""
    return value is None or (isinstance(value, Mapping) and isinstance(value.get("expression"), str))


Rule = tuple[Callable[[Any], bool], str]
DELAY: Rule = (lambda value: _is_number(value, 0, MAX_DELAY_S), f"a number of seconds from 0 to {MAX_DELAY_S:.0f}")
RULES: dict[str, Rule] = {
    "name": (lambda value: _is_text(value, NAME), "1 to 64 characters of A-Z a-z 0-9 _ -"),
    "timeout_s": (
        lambda value: _is_number(value, 0, MAX_TIMEOUT_S) and value > 0,
        f"a number of seconds above 0, at most {MAX_TIMEOUT_S:.0f}",
    ),
    "max_attempts": (lambda value: _is_whole(value, 1, MAX_ATTEMPTS), f"a whole number from 1 to {MAX_ATTEMPTS}"),
    "memory_mb": (
        lambda value: _is_whole(value, MIN_MEMORY_MB, MAX_MEMORY_MB),
        f"a whole number from {MIN_MEMORY_MB} to {MAX_MEMORY_MB}",
    ),
    "network": (lambda value: isinstance(value, bool), "True or False"),
    "queue": (lambda value: _is_text(value, QUEUE), "1 to 64 characters of A-Z a-z 0-9 _ . -"),
    "retry_delay_s": DELAY,
    "retry_max_delay_s": DELAY,
    "on_lost": (lambda value: value in ON_LOST, "'rerun' or 'fail'"),
    "environment": (_is_environment, "a dict of texts; no name is empty or has an ="),
    "schedule": (_is_schedule, SCHEDULE_HELP),
}
