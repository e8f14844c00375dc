"""What a route says of itself. From it the query is read and a body checked, and the description is made."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from http import HTTPStatus
from typing import Any, TypeVar

from handlers.http import query as query_
from handlers.http.query import Reader
from handlers.openapi.bodies import Body
from handlers.openapi.json_schema import Component, Schema

View = TypeVar("View", bound=Callable[..., Any])
ATTRIBUTE = "operation"


@dataclass(frozen=True, slots=True)
class Header:
    """A header of a request or of an answer."""

    name: str
    schema: Schema
    description: str


@dataclass(frozen=True, slots=True)
class Link:
    """What can be called next: an endpoint, and where its parameters stand in this answer."""

    endpoint: str
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that is no error. content: by media type; None for an empty body."""

    status: int
    description: str
    content: Mapping[str, Schema | Component] | None = None
    headers: Sequence[Header] = ()
    links: Mapping[str, Link] = field(default_factory=dict)
    example: Any = None


def json_answer(shape: Schema | Component, description: str, status: int = HTTPStatus.OK, **more: Any) -> Answer:
    return Answer(status, description, {"application/json": shape}, **more)


@dataclass(frozen=True, slots=True)
class Operation:
    """summary: in the imperative. path: the parameters in the address. refuses: the statuses of its own errors."""

    summary: str
    answers: Sequence[Answer]
    description: str
    path: Mapping[str, Schema]
    query: Mapping[str, Reader]
    headers: Sequence[Header]
    body: Body | None
    refuses: frozenset[int]


def operation(
    summary: str,
    *answers: Answer,
    description: str = "",
    path: Mapping[str, Schema] | None = None,
    query: Mapping[str, Reader] | None = None,
    headers: Sequence[Header] = (),
    body: Body | None = None,
    refuses: Sequence[int] = (),
) -> Callable[[View], View]:
    """Describes a view, which is called with `params`, the read query, if it has one; any other is refused with 422.

    A checked body is read and given to the view as `body`.
    """
    told = Operation(summary, answers, description, path or {}, query or {}, headers, body, frozenset(refuses))

    def describe(view: View) -> View:
        @wraps(view)
        def called(*args: Any, **kwargs: Any) -> Any:
            params = query_.read_parameters(told.query)
            if query is not None:
                kwargs["params"] = params
            if body is not None and body.is_checked:
                kwargs["body"] = body.read()
            return view(*args, **kwargs)

        setattr(called, ATTRIBUTE, told)
        return called  # type: ignore[return-value]

    return describe


def operation_of(view: Callable[..., Any] | None) -> Operation | None:
    """What a view says of itself; None when it says nothing, or is none."""
    return getattr(view, ATTRIBUTE, None)
