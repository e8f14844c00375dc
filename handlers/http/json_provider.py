"""Write JSON answers; the text of a stored value goes into the answer unchanged."""

import json
import math
import re
from typing import Any

from flask import Response
from flask.json.provider import DefaultJSONProvider

from schema import exact_json
from workqueue.event_json import JsonText

# PostgreSQL cannot store U+0000, so no other text of an answer matches a placeholder.
PLACEHOLDER = re.compile(rb'"\\u0000(\d+)\\u0000"')


class JsonProvider(DefaultJSONProvider):
    """Write compact JSON. Keys keep their order, and events keep the text that the client sent."""

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        if kwargs:
            return super().dumps(obj, **kwargs)
        return self.encode(obj).decode()

    def response(self, *args: Any, **kwargs: Any) -> Response:
        return Response(self.encode(self._prepare_response_obj(args, kwargs)) + b"\n", mimetype=self.mimetype)

    def encode(self, obj: Any) -> bytes:
        """Return the JSON of an object that may hold JsonText. NaN and infinities become null."""
        try:
            return self._encode(obj)
        except ValueError:  # NaN or an infinity: PostgreSQL stores them; a check in advance would slow every answer
            return self._encode(_finite(obj))

    def _encode(self, obj: Any) -> bytes:
        texts: list[bytes] = []

        def default(value: Any) -> Any:
            if not isinstance(value, JsonText):
                return self.default(value)
            texts.append(value.utf8)
            return f"\0{len(texts) - 1}\0"

        encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=default)
        pieces = PLACEHOLDER.split(exact_json.write(obj, encoder.encode).encode())
        if len(pieces) > 1:  # every second piece is the index of a text
            pieces[1::2] = [texts[int(number)] for number in pieces[1::2]]
        return b"".join(pieces)


def _finite(value: Any) -> Any:
    """Return the value with None for NaN and infinities. A Number keeps its digits, even beyond the float range."""
    if type(value) is float:
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: _finite(member) for name, member in value.items()}
    return [_finite(member) for member in value] if isinstance(value, list | tuple) else value
