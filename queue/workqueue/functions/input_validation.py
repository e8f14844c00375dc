"""Validate events against the JSON Schemas that functions declare, in bounded time. Nothing is fetched for it.

A pattern of a schema can take longer than the universe lasts, and in it Python neither switches threads nor looks at a
deadline: only a signal gets through. So `check` sets an alarm, early enough for the lease to be extended after it. On a
machine with much other work the lease may lapse before, and another attempt begins; but no event is rejected for that,
since the alarm counts processor time.
"""

import contextlib
import signal
from collections.abc import Iterator
from typing import Any, NoReturn

from workqueue.outcomes import InvalidError

MAX_CHECK_S = 4.0  # half a lease; events of a megabyte took from 1.1 to 2.4 s on a slow machine


def load() -> None:
    """What it needs. Not at the import of this module: most functions have no schema, and every process would pay."""
    import jsonschema_specifications  # noqa: F401 - jsonschema comes with `_dialect`

    _dialect({})


def problem(schema: dict[str, Any]) -> str | None:
    """What makes it useless, in a sentence; None for a schema that events can be held against."""
    try:
        return mismatch(schema, _dialect(schema).META_SCHEMA)
    except RecursionError:
        return "$: it is nested too deeply"


def mismatch(event: Any, schema: dict[str, Any]) -> str | None:
    """The first thing that does not fit, and where it is; None when all does.

    A schema is the user's: it may raise anything (a reference that leads nowhere, or in a circle), and take for ever.
    """
    from jsonschema.exceptions import best_match
    from jsonschema_specifications import REGISTRY

    kind = _dialect(schema)
    # Formats are notes (JSON Schema 2020-12, Validation, 7.2.1), but a schema's patterns have to be some.
    formats = kind.FORMAT_CHECKER if schema is kind.META_SCHEMA else None
    # With a registry that is given it fetches nothing: a $ref to somewhere else would make a worker call there.
    found = best_match(kind(schema, registry=REGISTRY, format_checker=formats).iter_errors(event))
    return None if found is None else f"{found.json_path}: {found.message}"


def _dialect(schema: dict[str, Any]) -> Any:
    import jsonschema

    return jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)


class ValidationTimeoutError(Exception):
    """The check was not done in time."""


def check(event: Any, schema: dict[str, Any], limit_s: float) -> None:
    """Raises InvalidError with the first mismatch and where it is. Only in a process's main thread.

    limit_s: processor time; what takes longer is refused, too.
    """
    load()  # before the alarm: it may take a while, once
    try:
        with _alarm(limit_s):
            found = mismatch(event, schema)
    except ValidationTimeoutError:
        raise InvalidError(
            f"The event could not be held against the input schema within {limit_s:g} s: simplify the schema "
            "(patterns, uniqueItems), or check in a validate hook, which has the function's timeout.",
            error_type="ValidationTooLong",
        ) from None
    except Exception as error:  # noqa: BLE001 - whatever a schema raises is its fault
        raise InvalidError(
            f"The input schema cannot be used: {type(error).__name__.lstrip('_')}: {error}", error_type="SchemaError"
        ) from None
    if found is not None:
        raise InvalidError(found, error_type="ValidationError")


@contextlib.contextmanager
def _alarm(limit_s: float) -> Iterator[None]:
    """Raises ValidationTimeoutError in the block, wherever it is."""

    def ring(*_: object) -> NoReturn:
        raise ValidationTimeoutError

    before = signal.signal(signal.SIGPROF, ring)
    try:
        signal.setitimer(signal.ITIMER_PROF, limit_s)
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
