"""Bodies of requests: what is described, and for the small ones also how they are checked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from handlers.body.uploads import read_json_body
from handlers.http.problems import BadRequestError
from handlers.openapi.json_schema import Component, Components, Schema
from workqueue import event_json

MOST_BYTES = 64 * 1024
MOST_ERRORS = 20


@dataclass(frozen=True, slots=True)
class Body:
    """content: by media type. is_checked: whether it is read and checked here, or by the floor below, whose words
    for a wrong field are better. examples: by name."""

    content: Mapping[str, Schema | Component]
    description: str = ""
    is_required: bool = True
    is_checked: bool = False
    examples: Mapping[str, Any] = field(default_factory=dict)

    def read(self) -> Any:
        """The body, which fits to its schema. Raises 400, 413, 415, and 422 that names each wrong field."""
        found = event_json.parse(read_json_body(MOST_BYTES), MOST_BYTES)
        errors = sorted(_validator(self).iter_errors(found), key=lambda error: [str(part) for part in error.path])
        if errors:
            told = [{"field": _field(error), "detail": _words(error)} for error in errors[:MOST_ERRORS]]
            detail = "; ".join(f"{entry['field']}: {entry['detail']}" for entry in told)
            raise BadRequestError(HTTPStatus.UNPROCESSABLE_ENTITY, detail, told)
        return found


def checked(shape: Schema | Component, description: str = "", **examples: Any) -> Body:
    """A small JSON object that is checked here. Strict: its schema says additionalProperties: false."""
    return Body({"application/json": shape}, description, is_checked=True, examples=examples)


def _validator(body: Body) -> Draft202012Validator:
    components = Components()
    schema = components.with_references(body.content["application/json"])
    return Draft202012Validator(schema | {"components": {"schemas": components.schemas}})


def _field(error: ValidationError) -> str:
    return ".".join(str(part) for part in error.path) or "body"


def _words(error: ValidationError) -> str:
    """Without the value: it may be long, or a password."""
    rule, params = str(error.validator), error.validator_value
    if rule in ("required", "additionalProperties"):
        return error.message  # names fields only
    if rule in ("type", "enum"):
        choices = params if isinstance(params, list) else [params]
        return f"must be {' or '.join(map(str, choices))}"
    return f"must fit to {rule}: {params}"
