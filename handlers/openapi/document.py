"""Assembles the OpenAPI document from the routes of an application and the operations they carry."""

import re
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from flask import Flask
from werkzeug.routing import Rule

from handlers.http import response_delivery
from handlers.http.problems import DISK_FULL, IDEMPOTENCY_HINTS, OUTAGE_ANSWERS
from handlers.openapi import operation as operations
from handlers.openapi.json_schema import Components, Schema, string
from handlers.openapi.operation import Answer, Header, Operation
from handlers.openapi.schemas_requests import PROBLEM
from handlers.security import authentication
from schema.outage import Outage

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
# A web page of another origin; an unknown query parameter; the database is away, or its disk is full.
ANYWHERE = (403, 422, 503, 507)
EXAMPLES = {
    400: "The body is not JSON: Expecting ',' delimiter at line 2, column 6.",
    401: "Log in, or send an API key: Authorization: Bearer lfn_…",
    403: "bob may not do this: it needs the permission `operate`.",
    404: "There is no request 01a2037b-e857-7610-bf00-d59177c539a5.",
    409: "Only a failed request can be retried; this one is completed.",
    412: "The file is not the one that If-Match or If-Unmodified-Since asks for.",
    413: "The body is larger than the 1048576 bytes that are allowed.",
    415: "The body is text/plain. Send application/json.",
    416: "The requested range cannot be delivered.",
    422: "limit: a whole number from 1 to 500 is needed",
    429: "Too many logins failed; try again in 30 s.",
    503: OUTAGE_ANSWERS[Outage.UNAVAILABLE][1],
    507: DISK_FULL,
}
RETRY_AFTER = Header("Retry-After", {"type": "integer", "minimum": 1}, "seconds to wait before the next try")


def describe(app: Flask, root: str) -> Schema:
    """The whole document, OpenAPI 3.1. root: the path below which everything is found, empty at the top."""
    components, paths = Components(), dict[str, Any]()
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule):
        told = operations.operation_of(app.view_functions.get(rule.endpoint))
        for method in METHODS if told else ():
            if told and method in (rule.methods or ()):
                needed = authentication.permission_of(app.view_functions[rule.endpoint])
                shown = response_delivery.document_delivery(told, method, rule.rule)
                paths.setdefault(_path(rule), {})[method.lower()] = _operation(rule, shown, needed, components)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "localfn",
            "version": version("localfn"),
            "description": "Functions on your own machine: post an event, get an answer at once, poll for the result.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": root or "/"}],
        "paths": paths,
        "components": {
            "schemas": components.schemas,
            "securitySchemes": {
                "apiKey": {"type": "http", "scheme": "bearer", "description": "lfn_…"},
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": authentication.COOKIE,
                    "description": f"Over TLS and in production its name is {authentication.HOST_COOKIE}.",
                },
            },
        },
    }


def _path(rule: Rule) -> str:
    return re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", r"{\1}", rule.rule)


def _id(endpoint: str) -> str:
    return endpoint.replace(".", "_")


def _operation(rule: Rule, told: Operation, needed: str, components: Components) -> Schema:
    is_open = needed == authentication.PUBLIC
    # 403 also of what is open: the answer to a web page of another origin.
    problems = told.refuses | frozenset(ANYWHERE) | (frozenset() if is_open else frozenset({401}))
    answers = {str(answer.status): _answer(answer, components) for answer in told.answers}
    answers |= {
        str(status): _problem(status, rule.endpoint, components)
        for status in sorted(problems)
        if str(status) not in answers
    }
    found: Schema = {
        "operationId": _id(rule.endpoint),
        "summary": told.summary,
        "description": " ".join(filter(None, (told.description, "" if is_open else f"Needs `{needed}`."))),
        # The first: where nobody has to log in.
        "security": [{}] if is_open else [{}, {"apiKey": []}, {"session": []}],
        "tags": [rule.endpoint.partition(".")[0]],
        "parameters": _parameters(rule, told),
        "responses": answers,
    }
    if told.body is not None:
        found["requestBody"] = {
            "description": told.body.description,
            "required": told.body.is_required,
            "content": {kind: _content(schema, told.body.examples) for kind, schema in told.body.content.items()},
        }
    described: Schema = components.with_references(found)
    return described


def _content(schema: Any, examples: Any) -> Schema:
    return {"schema": schema} | ({"examples": {n: {"value": v} for n, v in examples.items()}} if examples else {})


def _parameters(rule: Rule, told: Operation) -> list[Schema]:
    return [
        *(
            {"name": name, "in": "path", "required": True, "schema": told.path.get(name, string())}
            for name in sorted(rule.arguments)
        ),
        *(
            {"name": name, "in": "query", "description": reader.description, "schema": reader.schema}
            for name, reader in told.query.items()
        ),
        *(
            {"name": header.name, "in": "header", "description": header.description, "schema": header.schema}
            for header in told.headers
        ),
    ]


def _answer(answer: Answer, components: Components) -> Schema:
    links = {
        name: {"operationId": _id(link.endpoint), "parameters": link.parameters} for name, link in answer.links.items()
    }
    found: Schema = {"description": answer.description}
    if answer.headers:
        found["headers"] = _headers(answer.headers)
    if answer.content:
        example = {} if answer.example is None else {"example": answer.example}
        found["content"] = {kind: {"schema": schema} | example for kind, schema in answer.content.items()}
    if links:
        found["links"] = links
    described: Schema = components.with_references(found)
    return described


def _headers(headers: Any) -> Schema:
    return {header.name: {"description": header.description, "schema": header.schema} for header in headers}


def _problem(status: int, endpoint: str, components: Components) -> Schema:
    detail = EXAMPLES[status] + (IDEMPOTENCY_HINTS.get(endpoint, "") if status == 503 else "")
    example = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    if status == HTTPStatus.UNPROCESSABLE_ENTITY:
        field, _, wrong = detail.partition(": ")
        example["errors"] = [{"field": field, "detail": wrong}]
    answer = Answer(
        status,
        HTTPStatus(status).phrase,
        {"application/problem+json": PROBLEM},
        headers=(RETRY_AFTER,) if status in (429, 503, 507) else (),
        example=example,
    )
    return _answer(answer, components)
