"""Holds values against the JSON Schemas that functions declare. Nothing is fetched for it."""

from typing import Any


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
