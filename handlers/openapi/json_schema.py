"""Small words for JSON Schema (2020-12, as OpenAPI 3.1 uses it). A shape is a schema with a name of its own."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Schema = dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Component:
    """A named schema: described once among the components, and referred to."""

    name: str
    schema: Schema


@dataclass(frozen=True, slots=True, eq=False)
class OptionalField:
    """A field that may be left out."""

    schema: "Schema | Component"


def component(name: str, description: str = "", /, **fields: "Schema | Component | OptionalField") -> Component:
    """An object with these fields."""
    properties = {key: value.schema if isinstance(value, OptionalField) else value for key, value in fields.items()}
    required = [key for key, value in fields.items() if not isinstance(value, OptionalField)]
    schema: Schema = {"type": "object", "description": description, "properties": properties}
    if required:
        schema["required"] = required
    return Component(name, schema)


def closed(open_: Component, /) -> Component:
    """The same with no other fields: for what is taken, where a misspelt field must not be lost."""
    return Component(open_.name, open_.schema | {"additionalProperties": False})


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


def enum(choices: Iterable[str], description: str = "") -> Schema:
    return _described({"type": "string", "enum": [str(choice) for choice in choices]}, description)


def any_value(description: str = "", **more: Any) -> Schema:
    """Any JSON value."""
    return _described(dict(more), description)


def array(items: "Schema | Component", description: str = "", **more: Any) -> Schema:
    return _described({"type": "array", "items": items, **more}, description)


def map_of(values: "Schema | Component", description: str = "") -> Schema:
    return _described({"type": "object", "additionalProperties": values}, description)


def nullable(schema: "Schema | Component") -> Schema:
    if isinstance(schema, Component) or "type" not in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    found = schema | {"type": [schema["type"], "null"]}
    return found | {"enum": [*schema["enum"], None]} if "enum" in schema else found


def page(name: str, items: Component, /) -> Component:
    """A page of a list, and how to get the next one."""
    cursor = nullable(string("for `cursor` of the next page; null on the last"))
    return component(name, items=array(items), next_cursor=cursor)


def item_list(name: str, items: Component, /, **more: "Schema | Component") -> Component:
    """A list that is given whole."""
    return component(name, items=array(items), **more)


class Components:
    """Collects the shapes that are referred to."""

    def __init__(self) -> None:
        self.schemas: dict[str, Schema] = {}
        self._shapes: dict[str, Component] = {}

    def with_references(self, node: Any) -> Any:
        """The same, with a reference where a shape stood."""
        if isinstance(node, Component):
            return {"$ref": f"#/components/schemas/{self._named(node)}"}
        if isinstance(node, Mapping):
            return {key: self.with_references(value) for key, value in node.items() if value != ""}
        if isinstance(node, list | tuple):
            return [self.with_references(each) for each in node]
        return node

    def _named(self, found: Component) -> str:
        if self._shapes.setdefault(found.name, found) is not found:
            raise ValueError(f"two shapes are named {found.name}")
        if found.name not in self.schemas:
            self.schemas[found.name] = {}  # before its parts, which may refer to it
            self.schemas[found.name] = self.with_references(found.schema)
        return found.name


def _described(schema: Schema, description: str) -> Schema:
    return schema | {"description": description} if description else schema
