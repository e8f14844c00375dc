"""Answer JSON; the text of a stored value goes into the answer unchanged."""

import json
import math
import re
from typing import Any

from flask import Response
from flask.json.provider import DefaultJSONProvider

from schema import exact_json
from workqueue.event_json import JsonText

# No text of an answer holds U+0000, which PostgreSQL cannot store: a place is never mistaken.
PLACE = re.compile(rb'"\\u0000(\d+)\\u0000"')


class JsonProvider(DefaultJSONProvider):
    """Writes compact JSON whose keys stay in their order, an event's as it was sent."""

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        if kwargs:
            return super().dumps(obj, **kwargs)
        return self.encode(obj).decode()

    def response(self, *args: Any, **kwargs: Any) -> Response:
        return Response(self.encode(self._prepare_response_obj(args, kwargs)) + b"\n", mimetype=self.mimetype)

    def encode(self, obj: Any) -> bytes:
        """Return the JSON of an object that may hold JsonText. NaN and infinities, which JSON has not, become null."""
        try:
            return self._encode(obj)
        except ValueError:  # a column of PostgreSQL may hold them; looking first would cost every answer
            return self._encode(_finite(obj))

    def _encode(self, obj: Any) -> bytes:
        texts: list[bytes] = []

        def default(value: Any) -> Any:
            if not isinstance(value, JsonText):
                return self.default(value)
            texts.append(value.utf8)
            return f"\0{len(texts) - 1}\0"

        encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=default)
        pieces = PLACE.split(exact_json.write(obj, encoder.encode).encode())
        if len(pieces) > 1:  # every second one is the number of a text
            pieces[1::2] = [texts[int(number)] for number in pieces[1::2]]
        return b"".join(pieces)


def _finite(value: Any) -> Any:
    """Return the value with null for floats that are not finite. A Number keeps its digits, whatever its float."""
    if type(value) is float:
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: _finite(member) for name, member in value.items()}
    return [_finite(member) for member in value] if isinstance(value, list | tuple) else value
