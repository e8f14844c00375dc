"""Assemble the OpenAPI document from the routes of an application and their operations."""

import re
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from flask import Flask
from werkzeug.routing import Rule

from handlers.http import etags_and_gzip
from handlers.http.problems import DISK_FULL, IDEMPOTENCY_HINTS, OUTAGE_ANSWERS
from handlers.openapi.component import Components, Schema
from handlers.openapi.json_schema import string
from handlers.openapi.operation import Answer, Header, Operation, operation_of
from handlers.resources.system import PROBLEM
from handlers.security import authentication
from schema.outage import Outage

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
# Errors of every route: a web page of another origin, an unknown query parameter, an outage, a full disk.
COMMON_ERRORS = frozenset({403, 422, 503, 507})
EXAMPLES = {
    400: "The body is not valid JSON: Expecting ',' delimiter at line 2, column 6.",
    401: authentication.LOGIN_HINT,
    403: "'bob' lacks the permission `operate`.",
    404: "There is no request 01a2037b-e857-7610-bf00-d59177c539a5.",
    409: "Only a failed request can be retried; this one is completed.",
    412: "If-Match or If-Unmodified-Since names another version of the file.",
    413: "The body is larger than the allowed 1048576 bytes.",
    415: "The Content-Type 'text/plain' is not supported; send application/json.",
    416: "The file has 100 bytes; the Range 'bytes=200-' has none of them.",
    422: "limit: 'x' is not valid; use a whole number from 1 to 500",
    429: "Too many logins failed; try again in 30 s.",
    503: OUTAGE_ANSWERS[Outage.UNAVAILABLE][1],
    507: DISK_FULL,
}
RETRY_AFTER = Header("Retry-After", {"type": "integer", "minimum": 1}, "seconds to wait before the next try")


def describe(app: Flask, root: str) -> Schema:
    """Return the OpenAPI 3.1 document. root: the path of the application, empty if it has none."""
    components, paths = Components(), dict[str, Any]()
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule):
        operation = operation_of(app.view_functions.get(rule.endpoint))
        for method in METHODS if operation else ():
            if operation and method in (rule.methods or ()):
                permission = authentication.permission_of(app.view_functions[rule.endpoint])
                delivered = etags_and_gzip.document_delivery(operation, method, rule.rule)
                paths.setdefault(_path(rule), {})[method.lower()] = _operation(rule, delivered, permission, components)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "localfn",
            "version": version("localfn"),
            "description": "Asynchronous functions on your own machine: submit an event, poll for the result.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": root or "/"}],
        "paths": paths,
        "components": {
            "schemas": components.schemas,
            "securitySchemes": {
                "apiKey": {"type": "http", "scheme": "bearer", "description": "an API key: lfn_…"},
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": authentication.COOKIE,
                    "description": f"In production and over TLS the cookie is named {authentication.HOST_COOKIE}.",
                },
            },
        },
    }


def _path(rule: Rule) -> str:
    return re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", r"{\1}", rule.rule)


def _operation_id(endpoint: str) -> str:
    return endpoint.replace(".", "_")


def _operation(rule: Rule, operation: Operation, permission: str, components: Components) -> Schema:
    is_public = permission == authentication.PUBLIC
    errors = operation.errors | COMMON_ERRORS | (frozenset() if is_public else frozenset({401}))
    answers = {str(answer.status): _answer(answer, components) for answer in operation.answers}
    answers |= {
        str(status): _error(status, rule.endpoint, components)
        for status in sorted(errors)
        if str(status) not in answers
    }
    requirement = "" if is_public else f"Requires the permission `{permission}`."
    described: Schema = {
        "operationId": _operation_id(rule.endpoint),
        "summary": operation.summary,
        "description": " ".join(filter(None, (operation.description, requirement))),
        # The empty entry means an installation without login.
        "security": [{}] if is_public else [{}, {"apiKey": []}, {"session": []}],
        "tags": [rule.endpoint.partition(".")[0]],
        "parameters": _parameters(rule, operation),
        "responses": answers,
    }
    if (body := operation.body) is not None:
        described["requestBody"] = {
            "description": body.description,
            "required": body.is_required,
            "content": {media_type: _content(schema, body.examples) for media_type, schema in body.content.items()},
        }
    resolved: Schema = components.with_references(described)
    return resolved


def _content(schema: Any, examples: Any) -> Schema:
    named = {name: {"value": value} for name, value in examples.items()}
    return {"schema": schema} | ({"examples": named} if named else {})


def _parameters(rule: Rule, operation: Operation) -> list[Schema]:
    return [
        *(
            {"name": name, "in": "path", "required": True, "schema": operation.path.get(name, string())}
            for name in sorted(rule.arguments)
        ),
        *(
            {"name": name, "in": "query", "description": reader.description, "schema": reader.schema}
            for name, reader in operation.query.items()
        ),
        *(
            {"name": header.name, "in": "header", "description": header.description, "schema": header.schema}
            for header in operation.headers
        ),
    ]


def _answer(answer: Answer, components: Components) -> Schema:
    described: Schema = {"description": answer.description}
    if answer.headers:
        described["headers"] = {
            header.name: {"description": header.description, "schema": header.schema} for header in answer.headers
        }
    if answer.content:
        example = {} if answer.example is None else {"example": answer.example}
        described["content"] = {kind: {"schema": schema} | example for kind, schema in answer.content.items()}
    if answer.links:
        described["links"] = {
            name: {"operationId": _operation_id(link.endpoint), "parameters": link.parameters}
            for name, link in answer.links.items()
        }
    resolved: Schema = components.with_references(described)
    return resolved


def _error(status: int, endpoint: str, components: Components) -> Schema:
    detail = EXAMPLES[status] + (IDEMPOTENCY_HINTS.get(endpoint, "") if status == 503 else "")
    title = HTTPStatus(status).phrase
    example = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    if status == HTTPStatus.UNPROCESSABLE_ENTITY:
        field, _, reason = detail.partition(": ")
        example["errors"] = [{"field": field, "detail": reason}]
    answer = Answer(
        status,
        title,
        {"application/problem+json": PROBLEM},
        headers=(RETRY_AFTER,) if status in (429, 503, 507) else (),
        example=example,
    )
    return _answer(answer, components)
