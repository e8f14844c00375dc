"""Small words for JSON Schema (2020-12, as OpenAPI 3.1 uses it). A shape is a schema with a name of its own."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Schema = dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """A named schema: described once among the components, and referred to."""

    name: str
    schema: Schema


@dataclass(frozen=True, slots=True, eq=False)
class Optional:
    """A field that may be left out."""

    schema: "Schema | Shape"


def shape(name: str, description: str = "", /, **fields: "Schema | Shape | Optional") -> Shape:
    """An object with these fields."""
    properties = {key: value.schema if isinstance(value, Optional) else value for key, value in fields.items()}
    required = [key for key, value in fields.items() if not isinstance(value, Optional)]
    schema: Schema = {"type": "object", "description": description, "properties": properties}
    if required:
        schema["required"] = required
    return Shape(name, schema)


def closed(open_: Shape, /) -> Shape:
    """The same with no other fields: for what is taken, where a misspelt field must not be lost."""
    return Shape(open_.name, open_.schema | {"additionalProperties": False})


def text(description: str = "", **more: Any) -> Schema:
    return _about({"type": "string", **more}, description)


def whole(description: str = "", **more: Any) -> Schema:
    return _about({"type": "integer", **more}, description)


def number(description: str = "", **more: Any) -> Schema:
    return _about({"type": "number", **more}, description)


def flag(description: str = "") -> Schema:
    return _about({"type": "boolean"}, description)


def moment(description: str = "") -> Schema:
    return _about({"type": "string", "format": "date-time", "examples": ["2026-11-22T13:39:45.046Z"]}, description)


def uuid(description: str = "") -> Schema:
    example = "01a2037b-e857-7610-bf00-d59177c539a5"
    return _about({"type": "string", "format": "uuid", "examples": [example]}, description)


def one_of(choices: Iterable[str], description: str = "") -> Schema:
    return _about({"type": "string", "enum": [str(choice) for choice in choices]}, description)


def anything(description: str = "", **more: Any) -> Schema:
    """Any JSON value."""
    return _about(dict(more), description)


def array(items: "Schema | Shape", description: str = "", **more: Any) -> Schema:
    return _about({"type": "array", "items": items, **more}, description)


def mapping(values: "Schema | Shape", description: str = "") -> Schema:
    return _about({"type": "object", "additionalProperties": values}, description)


def nullable(schema: "Schema | Shape") -> Schema:
    if isinstance(schema, Shape) or "type" not in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    found = schema | {"type": [schema["type"], "null"]}
    return found | {"enum": [*schema["enum"], None]} if "enum" in schema else found


def page(name: str, items: Shape, /) -> Shape:
    """A page of a list, and how to get the next one."""
    cursor = nullable(text("for `cursor` of the next page; null on the last"))
    return shape(name, items=array(items), next_cursor=cursor)


def listing(name: str, items: Shape, /, **more: "Schema | Shape") -> Shape:
    """A list that is given whole."""
    return shape(name, items=array(items), **more)


class Components:
    """Collects the shapes that are referred to."""

    def __init__(self) -> None:
        self.schemas: dict[str, Schema] = {}
        self._shapes: dict[str, Shape] = {}

    def referring(self, node: Any) -> Any:
        """The same, with a reference where a shape stood."""
        if isinstance(node, Shape):
            return {"$ref": f"#/components/schemas/{self._named(node)}"}
        if isinstance(node, Mapping):
            return {key: self.referring(value) for key, value in node.items() if value != ""}
        if isinstance(node, list | tuple):
            return [self.referring(each) for each in node]
        return node

    def _named(self, found: Shape) -> str:
        if self._shapes.setdefault(found.name, found) is not found:
            raise ValueError(f"two shapes are named {found.name}")
        if found.name not in self.schemas:
            self.schemas[found.name] = {}  # before its parts, which may refer to it
            self.schemas[found.name] = self.referring(found.schema)
        return found.name


def _about(schema: Schema, description: str) -> Schema:
    return schema | {"description": description} if description else schema
