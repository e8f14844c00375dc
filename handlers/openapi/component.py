"""Declare the objects of the API: one list of fields gives both the schema and the serializer."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID

Schema = dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Component:
    """A named schema. The document describes it once, under `components`, and refers to it elsewhere."""

    name: str
    schema: Schema

    def serialize(self, source: Any, /, **computed: Any) -> dict[str, Any]:
        """Return the JSON object of a row or an object, with the fields of the schema in their order.

        computed: the values of fields that the source does not hold, or holds in another form.
        Raises KeyError or AttributeError for any other field that the source lacks.
        """
        read = source.__getitem__ if isinstance(source, Mapping) else partial(getattr, source)
        fields = self.schema["properties"]
        return {name: computed[name] if name in computed else to_json(read(name)) for name in fields}


@dataclass(frozen=True, slots=True, eq=False)
class OptionalField:
    """A field that may be absent."""

    schema: Schema | Component


def component(name: str, description: str = "", /, **fields: Schema | Component | OptionalField) -> Component:
    """Return an object schema with these fields."""
    properties = {key: value.schema if isinstance(value, OptionalField) else value for key, value in fields.items()}
    required = [key for key, value in fields.items() if not isinstance(value, OptionalField)]
    schema: Schema = {"type": "object", "description": description, "properties": properties}
    if required:
        schema["required"] = required
    return Component(name, schema)


def closed(open_: Component, /) -> Component:
    """Return the component without further fields. Request bodies use it: a misspelt field is an error."""
    return Component(open_.name, open_.schema | {"additionalProperties": False})


def subset(name: str, description: str, whole: Component, fields: tuple[str, ...]) -> Component:
    """Return a component with some of the fields of another one."""
    return component(name, description, **{field: whole.schema["properties"][field] for field in fields})


def to_json(value: Any) -> Any:
    """Return a time and a UUID as text, any other value unchanged."""
    if isinstance(value, datetime):
        return format_time(value)
    return str(value) if isinstance(value, UUID) else value


def format_time(time: datetime | None) -> str | None:
    """Return a time in RFC 3339: UTC, with milliseconds."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") if time else None


def format_second(time: datetime | None) -> str | None:
    """Return a time in RFC 3339: UTC, in whole seconds, as schedules and charts use it."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if time else None


class Components:
    """Collect the components that a document refers to."""

    def __init__(self) -> None:
        self.schemas: dict[str, Schema] = {}
        self._components: dict[str, Component] = {}

    def with_references(self, node: Any) -> Any:
        """Return the node with a `$ref` in place of each component, and without empty descriptions."""
        if isinstance(node, Component):
            return {"$ref": f"#/components/schemas/{self._add(node)}"}
        if isinstance(node, Mapping):
            return {key: self.with_references(value) for key, value in node.items() if value != ""}
        if isinstance(node, list | tuple):
            return [self.with_references(item) for item in node]
        return node

    def _add(self, new: Component) -> str:
        if self._components.setdefault(new.name, new) is not new:
            raise ValueError(f"Two components are named {new.name!r}; rename one.")
        if new.name not in self.schemas:
            self.schemas[new.name] = {}  # set before its fields are read: a field may refer to the component itself
            self.schemas[new.name] = self.with_references(new.schema)
        return new.name
