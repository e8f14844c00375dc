"""Validate each response that the suite's client receives against /openapi.json."""

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
from jsonschema import Draft202012Validator

# Sent by the framework on all routes; no operation describes it.
ANYWHERE = (405,)


class Description:
    """Validate responses by the OpenAPI document of an application."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self._strict = json.loads(json.dumps(document))
        for schema in _objects(self._strict["components"]["schemas"]):
            schema.setdefault("additionalProperties", False)
        self._paths = [
            (re.compile(re.sub(r"\\{[^}]+\\}", "[^/]+", re.escape(path))), calls)
            for path, calls in sorted(self._strict["paths"].items(), key=lambda entry: entry[0].count("{"))
        ]

    def complaint(self, answer: httpx.Response) -> str | None:
        """Return what is wrong with a response of a described operation; None for a valid response."""
        path = answer.request.url.path
        calls: dict[str, Any] = next((calls for pattern, calls in self._paths if pattern.fullmatch(path)), {})
        call = calls.get(answer.request.method.lower())
        if call is None or answer.status_code in ANYWHERE:
            return None
        told = call["responses"].get(str(answer.status_code))
        if told is None:
            return f"{call['operationId']} does not describe the status {answer.status_code}: {answer.text[:300]}"
        return self._of_content(told, answer) or self._of_headers(told, answer)

    def _of_content(self, told: dict[str, Any], answer: httpx.Response) -> str | None:
        kind = answer.headers.get("Content-Type", "").partition(";")[0]
        content = told.get("content")
        if content is None:
            return f"a body that is not described: {answer.text[:300]}" if answer.content else None
        if kind not in content and "*/*" not in content:
            return f"the content type {kind} is not one of {', '.join(content)}"
        if "json" not in kind or kind not in content:
            return None
        schema = content[kind]["schema"] | {"components": self._strict["components"]}
        errors = Draft202012Validator(schema).iter_errors(answer.json())
        return "\n".join(f"{error.json_path}: {error.message[:300]}" for error in errors) or None

    def _of_headers(self, told: dict[str, Any], answer: httpx.Response) -> str | None:
        """Return the headers of the contract that the response has and the operation does not describe."""
        named = (
            "Location",
            "Retry-After",
            "ETag",
            "Idempotent-Replayed",
            "Preference-Applied",
            "Next-After",
            "Current-Lines",
        )
        missing = [name for name in named if name in answer.headers and name not in told.get("headers", {})]
        return f"headers that are not described: {', '.join(missing)}" if missing else None


class Checking:
    """Check each response by the document of the same server, as a hook of httpx."""

    def __init__(self) -> None:
        self._description: Description | None = None

    def __call__(self, answer: httpx.Response) -> None:
        answer.read()
        if self._description is None:
            url = answer.request.url.copy_with(raw_path=b"/openapi.json")
            self._description = Description(httpx.get(url).raise_for_status().json())
        complaint = self._description.complaint(answer)
        assert complaint is None, f"{answer.request.method} {answer.request.url}: {complaint}"


def _objects(node: Any) -> Iterator[dict[str, Any]]:
    """Yield each schema of an object with properties."""
    if isinstance(node, dict):
        if isinstance(node.get("properties"), dict) and node.get("type") == "object":
            yield node
        for value in node.values():
            yield from _objects(value)
    elif isinstance(node, list):
        for value in node:
            yield from _objects(value)
