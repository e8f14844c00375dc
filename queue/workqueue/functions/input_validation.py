"""Validate events against the JSON Schemas that functions declare, in bounded time and without network access.

A regular expression in a schema can run practically forever. Meanwhile Python switches no threads and checks no
deadlines; only a signal can interrupt it. So `check` sets an alarm, early enough to extend the lease afterwards. The
alarm counts processor time: on an overloaded machine the lease may lapse first, and another attempt starts. That is
accepted, because a slow machine must not reject valid events.
"""

import contextlib
import signal
from collections.abc import Iterator
from typing import Any, NoReturn

from workqueue.outcomes import InvalidError

MAX_CHECK_S = 4.0  # half a lease; a megabyte took from 1.1 to 2.4 s on a slow machine


def preload() -> None:
    """Import jsonschema. Importing it with this module would cost every process, but few functions have a schema."""
    import jsonschema_specifications  # noqa: F401 - jsonschema comes with `_dialect`

    _dialect({})


def schema_problem(schema: dict[str, Any]) -> str | None:
    """Return why a schema is invalid; None if it is valid."""
    try:
        return first_mismatch(schema, _dialect(schema).META_SCHEMA)
    except RecursionError:
        return "$: it is nested too deeply"


def first_mismatch(event: Any, schema: dict[str, Any]) -> str | None:
    """Return the best match of the event's errors, with its path; None if the event is valid.

    User code supplies the schema: it can raise any exception, such as for an unresolvable reference, and run forever.
    """
    from jsonschema.exceptions import best_match
    from jsonschema_specifications import REGISTRY

    validator = _dialect(schema)
    # Formats are annotations (JSON Schema 2020-12, Validation, 7.2.1), but a schema's own patterns must be valid.
    formats = validator.FORMAT_CHECKER if schema is validator.META_SCHEMA else None
    # With an explicit registry jsonschema fetches no remote $ref: a schema must not make a worker call other servers.
    error = best_match(validator(schema, registry=REGISTRY, format_checker=formats).iter_errors(event))
    return None if error is None else f"{error.json_path}: {error.message}"


def _dialect(schema: dict[str, Any]) -> Any:
    import jsonschema

    return jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)


class ValidationTimeoutError(Exception):
    """The check did not finish within its limit."""


def check(event: Any, schema: dict[str, Any], limit_s: float) -> None:
    """Check an event against a schema, in the main thread of the process. Raises InvalidError.

    limit_s: processor time; a check that takes longer fails, too.
    """
    preload()  # the first import is slow, so do it before the alarm starts
    try:
        with _alarm(limit_s):
            found = first_mismatch(event, schema)
    except ValidationTimeoutError:
        raise InvalidError(
            f"The event could not be validated against the input schema within {limit_s:g} s: simplify the schema "
            "(patterns, uniqueItems), or check in a validate hook, which has the function's timeout.",
            error_type="ValidationTooLong",
        ) from None
    except Exception as error:  # noqa: BLE001 - any exception is the fault of the schema
        raise InvalidError(
            f"The input schema cannot be used: {type(error).__name__.lstrip('_')}: {error}", error_type="SchemaError"
        ) from None
    if found is not None:
        raise InvalidError(found, error_type="ValidationError")


@contextlib.contextmanager
def _alarm(limit_s: float) -> Iterator[None]:
    """Raise ValidationTimeoutError in the block after `limit_s` seconds of processor time."""

    def raise_timeout(*_: object) -> NoReturn:
        raise ValidationTimeoutError

    previous_handler = signal.signal(signal.SIGPROF, raise_timeout)
    try:
        signal.setitimer(signal.ITIMER_PROF, limit_s)
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, previous_handler)
