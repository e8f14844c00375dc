"""Describe a route: its parameters, body, answers and errors. The query is parsed by the same description."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from http import HTTPStatus
from typing import Any, TypeVar

from handlers.http import query as query_string
from handlers.http.query import Reader
from handlers.openapi.component import Component, Schema

View = TypeVar("View", bound=Callable[..., Any])
ATTRIBUTE = "operation"


@dataclass(frozen=True, slots=True)
class Header:
    """A header of a request or of an answer."""

    name: str
    schema: Schema
    description: str


@dataclass(frozen=True, slots=True)
class Body:
    """A request body. content: schemas by media type. examples: values by name."""

    content: Mapping[str, Schema | Component]
    description: str = ""
    is_required: bool = True
    examples: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Link:
    """A possible next call: an endpoint, and the places of its parameters in this answer."""

    endpoint: str
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer. content: schemas by media type; None for an empty body."""

    status: int
    description: str
    content: Mapping[str, Schema | Component] | None = None
    headers: Sequence[Header] = ()
    links: Mapping[str, Link] = field(default_factory=dict)
    example: Any = None


def json_answer(schema: Schema | Component, description: str, status: int = HTTPStatus.OK, **more: Any) -> Answer:
    return Answer(status, description, {"application/json": schema}, **more)


@dataclass(frozen=True, slots=True)
class Operation:
    """summary: in the imperative. path: schemas of the path parameters. errors: statuses that this route adds."""

    summary: str
    answers: Sequence[Answer]
    description: str
    path: Mapping[str, Schema]
    query: Mapping[str, Reader]
    headers: Sequence[Header]
    body: Body | None
    errors: frozenset[int]


def operation(
    summary: str,
    *answers: Answer,
    description: str = "",
    path: Mapping[str, Schema] | None = None,
    query: Mapping[str, Reader] | None = None,
    headers: Sequence[Header] = (),
    body: Body | None = None,
    errors: Sequence[int] = (),
) -> Callable[[View], View]:
    """Describe a view. A view with a `query` gets the parsed parameters as `params`.

    A query parameter that is not described is answered with 422.
    """
    described = Operation(summary, answers, description, path or {}, query or {}, headers, body, frozenset(errors))

    def decorate(view: View) -> View:
        @wraps(view)
        def call(*args: Any, **kwargs: Any) -> Any:
            params = query_string.read_parameters(described.query)
            if query is not None:
                kwargs["params"] = params
            return view(*args, **kwargs)

        setattr(call, ATTRIBUTE, described)
        return call  # type: ignore[return-value]

    return decorate


def operation_of(view: Callable[..., Any] | None) -> Operation | None:
    """Return the operation of a view; None for a view without one, and for None."""
    return getattr(view, ATTRIBUTE, None)
