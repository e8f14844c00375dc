"""Show a resource that a call has changed: whole only to a caller who may also read it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import g

from handlers.openapi import operations_shapes, shapes
from handlers.openapi.schemas import Schema, Shape
from workqueue.access.principals import Permission


@dataclass(frozen=True, slots=True)
class Sight:
    """permission: what reading the resource needs. whole: its shape; rest: the fields that every caller is told."""

    permission: Permission
    whole: Shape
    rest: Shape

    @property
    def schema(self) -> Schema:
        """The shape of an answer that shows it."""
        return {"anyOf": [self.whole, self.rest]}

    def of(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what the caller may see of a representation."""
        if g.principal is not None and g.principal.may(self.permission):
            return body
        return {name: body[name] for name in self.rest.schema["properties"]}


REQUEST = Sight(Permission.FOLLOW, shapes.REQUEST, shapes.CHANGED_REQUEST)
SCHEDULE = Sight(Permission.READ, shapes.SCHEDULE, shapes.CHANGED_SCHEDULE)
QUEUE = Sight(Permission.READ, operations_shapes.QUEUE, operations_shapes.CHANGED_QUEUE)
