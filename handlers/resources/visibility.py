"""Show a changed resource in full only to clients that may read it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import g

from handlers.openapi.component import Component, Schema
from handlers.resources import requests, schedules, workers
from workqueue.auth.permissions import Permission


@dataclass(frozen=True, slots=True)
class Visibility:
    """permission: the one to read the resource. whole: all fields; reduced: the fields for clients without it."""

    permission: Permission
    whole: Component
    reduced: Component

    @property
    def schema(self) -> Schema:
        return {"anyOf": [self.whole, self.reduced]}

    def filter(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the fields of a serialized resource that the client may see."""
        if g.principal is not None and g.principal.may(self.permission):
            return body
        return {name: body[name] for name in self.reduced.schema["properties"]}


REQUEST = Visibility(Permission.FOLLOW, requests.REQUEST, requests.CHANGED_REQUEST)
SCHEDULE = Visibility(Permission.READ, schedules.SCHEDULE, schedules.CHANGED_SCHEDULE)
QUEUE = Visibility(Permission.READ, workers.QUEUE, workers.CHANGED_QUEUE)
