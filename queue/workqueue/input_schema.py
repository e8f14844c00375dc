"""Holds events against the JSON Schemas that functions declare. A schema is the user's: whatever it does is bounded.

A pattern can take longer than the universe lasts, and in it Python neither switches threads nor looks at a deadline;
only a signal gets through. So the check has an alarm, early enough for the lease to be extended after it.
"""

from typing import Any

from rq.timeouts import BaseTimeoutException, UnixSignalDeathPenalty

from workqueue.invocation.interruptions import InvalidError


class TookTooLongError(BaseTimeoutException):
    """The check was not done in time."""


def problem(schema: dict[str, Any]) -> str | None:
    """What makes it useless, in a sentence; None for a schema that events can be held against."""
    try:
        return _mismatch(schema, _dialect(schema).META_SCHEMA)
    except RecursionError:
        return "$: it is nested too deeply"


def check(event: Any, schema: dict[str, Any], limit_s: int) -> None:
    """Raises InvalidError with the first mismatch and where it is. Only in a process's main thread.

    limit_s: whole seconds, at least one; what takes longer is refused, too.
    """
    try:
        with UnixSignalDeathPenalty(limit_s, TookTooLongError):  # type: ignore[no-untyped-call]
            mismatch = _mismatch(event, schema)
    except TookTooLongError:
        raise InvalidError(
            f"The event could not be held against the input schema within {limit_s} s: simplify the schema (patterns, "
            "uniqueItems), or check in a validate hook, which has the function's timeout.",
            error_type="ValidationTooLong",
        ) from None
    except Exception as error:  # noqa: BLE001 - a reference that leads nowhere, or in a circle: it is the user's code
        raise InvalidError(
            f"The input schema cannot be used: {type(error).__name__.lstrip('_')}: {error}", error_type="SchemaError"
        ) from None
    if mismatch is not None:
        raise InvalidError(mismatch, error_type="ValidationError")


def _mismatch(event: Any, schema: dict[str, Any]) -> str | None:
    from jsonschema.exceptions import best_match
    from jsonschema_specifications import REGISTRY

    kind = _dialect(schema)
    # Formats are notes (JSON Schema 2020-12, Validation, 7.2.1); but a schema's patterns have to be some.
    formats = kind.FORMAT_CHECKER if schema is kind.META_SCHEMA else None
    # With a registry that is given it fetches nothing: a $ref to somewhere else would make a worker call there.
    found = best_match(kind(schema, registry=REGISTRY, format_checker=formats).iter_errors(event))
    return None if found is None else f"{found.json_path}: {found.message}"


def _dialect(schema: dict[str, Any]) -> Any:
    import jsonschema  # not above: most functions have no schema, and every worker would pay for it

    return jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
