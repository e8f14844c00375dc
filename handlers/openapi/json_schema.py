"""Build JSON Schema (2020-12, which OpenAPI 3.1 uses)."""

from collections.abc import Iterable
from typing import Any

from handlers.openapi.component import Component, Schema, component


def string(description: str = "", **more: Any) -> Schema:
    return _described({"type": "string", **more}, description)


def integer(description: str = "", **more: Any) -> Schema:
    return _described({"type": "integer", **more}, description)


def number(description: str = "", **more: Any) -> Schema:
    return _described({"type": "number", **more}, description)


def boolean(description: str = "") -> Schema:
    return _described({"type": "boolean"}, description)


def date_time(description: str = "") -> Schema:
    return _described({"type": "string", "format": "date-time", "examples": ["2026-11-22T13:39:45.046Z"]}, description)


def uuid(description: str = "") -> Schema:
    example = "01a2037b-e857-7610-bf00-d59177c539a5"
    return _described({"type": "string", "format": "uuid", "examples": [example]}, description)


def enum(values: Iterable[str], description: str = "") -> Schema:
    return _described({"type": "string", "enum": [str(value) for value in values]}, description)


def any_value(description: str = "", **more: Any) -> Schema:
    """Return a schema of any JSON value."""
    return _described(dict(more), description)


def array(items: Schema | Component, description: str = "", **more: Any) -> Schema:
    return _described({"type": "array", "items": items, **more}, description)


def map_of(values: Schema | Component, description: str = "") -> Schema:
    """Return a schema of an object whose keys are data, such as function names."""
    return _described({"type": "object", "additionalProperties": values}, description)


def nullable(schema: Schema | Component) -> Schema:
    if isinstance(schema, Component) or "type" not in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    optional = schema | {"type": [schema["type"], "null"]}
    return optional | {"enum": [*schema["enum"], None]} if "enum" in schema else optional


def page(name: str, items: Component, /) -> Component:
    """Return a page of a list, with the cursor of the next page."""
    cursor = nullable(string("the `cursor` of the next page; null on the last page"))
    return component(name, items=array(items), next_cursor=cursor)


def item_list(name: str, items: Component, /, **more: Schema | Component) -> Component:
    """Return a list without pages. more: further fields beside `items`."""
    return component(name, items=array(items), **more)


def _described(schema: Schema, description: str) -> Schema:
    return schema | {"description": description} if description else schema
