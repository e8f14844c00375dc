"""Show a resource that a call has changed: whole only to a caller who may also read it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import g

from handlers.openapi import schemas_requests, schemas_stats
from handlers.openapi.json_schema import Component, Schema
from workqueue.auth.permissions import Permission


@dataclass(frozen=True, slots=True)
class Visibility:
    """permission: what reading the resource needs. whole: its shape; rest: the fields that every caller is told."""

    permission: Permission
    whole: Component
    rest: Component

    @property
    def schema(self) -> Schema:
        """The shape of an answer that shows it."""
        return {"anyOf": [self.whole, self.rest]}

    def of(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what the caller may see of a representation."""
        if g.principal is not None and g.principal.may(self.permission):
            return body
        return {name: body[name] for name in self.rest.schema["properties"]}


REQUEST = Visibility(Permission.FOLLOW, schemas_requests.REQUEST, schemas_requests.CHANGED_REQUEST)
SCHEDULE = Visibility(Permission.READ, schemas_requests.SCHEDULE, schemas_requests.CHANGED_SCHEDULE)
QUEUE = Visibility(Permission.READ, schemas_stats.QUEUE, schemas_stats.CHANGED_QUEUE)
