"""Read events as instances of a pydantic model, and find out whether a function takes the instance or a dict.

pydantic belongs to the user's project: the SDK does not import it, and calls the methods of the model.
"""

from __future__ import annotations

import ast
import contextlib
import inspect
import json
import sys
import typing
from collections.abc import Iterator, Mapping
from typing import Any

from localfn.checks.calls import plain_function
from localfn.errors import LocalfnError
from localfn.outcome.failure import ResultNotSerializableError
from localfn.outcome.result import to_json


class ExactFloat(float):
    """Keep the digits of a float: pydantic makes a Decimal of a float's text."""

    digits: str

    def __new__(cls, digits: str) -> ExactFloat:
        """Parse digits: the number in the JSON text."""
        made = super().__new__(cls, digits)
        made.digits = digits
        return made

    def __str__(self) -> str:
        """Return the digits of the JSON text."""
        return self.digits


def input_problem(model: Any) -> str | None:
    """Return why `model` cannot be an `input=`, as a clause, or None."""
    if model is None or isinstance(model, Mapping):
        return None
    if inspect.isclass(model) and hasattr(model, "model_validate_json"):
        return None
    if hasattr(model, "parse_obj"):
        return f"input={model!r:.200}: models of pydantic 1 are not supported; use a model of pydantic 2"
    allowed = "a pydantic model class (pydantic.RootModel[…] for other types) or a JSON Schema dict"
    return f"input={model!r:.200}: use {allowed}"


def input_schema(model: Any) -> dict[str, Any] | None:
    """Return the JSON Schema of an `input=`: the dict itself, or the schema of the pydantic model."""
    if model is None:
        return None
    if isinstance(model, Mapping):
        try:
            to_json(model)
        except ResultNotSerializableError as error:
            raise LocalfnError(f"input=: {error}") from error
        return dict(model)
    try:
        schema: dict[str, Any] = model.model_json_schema()
    except Exception as error:
        reason = str(error).split("\n")[0]
        raise LocalfnError(f"input={model.__name__}: it cannot be converted to a JSON Schema: {reason}") from error
    return schema


def read_event(model: Any, text: str) -> Any:
    """Return the event as an instance of the model. Raises pydantic's ValidationError.

    text: the event as JSON, so that a strict model takes dates, UUIDs, tuples and bytes in their JSON form.
    """
    instance = model.model_validate_json(text)
    exact = _with_exact_numbers(text)
    if exact is None:
        return instance
    try:
        # pydantic's JSON mode reads 1.10 as a float, so a Decimal would lose digits. The strict check has passed.
        return model.model_validate(exact, strict=False)
    except Exception:
        return instance


def _with_exact_numbers(text: str) -> Any:
    """Parse the JSON with the digits of its numbers; return None if plain floats keep all digits."""
    if "." not in text and "e" not in text and "E" not in text:
        return None
    is_needed = False

    def number(digits: str) -> float:
        nonlocal is_needed
        value = ExactFloat(digits)
        is_needed = is_needed or float.__repr__(value) != digits
        return value

    parsed = json.loads(text, parse_float=number)
    return parsed if is_needed else None


def wants_instance(called: Any, model: Any) -> bool:
    """Return True if a function with `input=model` takes an instance of the model, False if it takes a dict.

    It takes the instance if a parameter is annotated with the model, also in Optional, Annotated or a union.
    Raises LocalfnError if the annotation of the first parameter is neither the model nor a dict, or does not resolve.
    """
    try:
        parameters = list(_signature(called).parameters.values())
    except (TypeError, ValueError):
        return False  # a builtin without a signature
    scope = getattr(plain_function(called), "__globals__", {})
    annotated = [each.annotation for each in parameters if each.annotation is not each.empty]
    if any(_asks_for_model(member, model) for annotation in annotated for member in _members(annotation, scope, model)):
        return True
    first = parameters[0]
    if first.kind is first.VAR_POSITIONAL:
        raise LocalfnError(
            f"its event's annotation is hidden behind *{first.name}: use functools.wraps in the decorator, "
            f"or annotate the parameter there with {model.__name__} or dict"
        )
    if first.annotation is not first.empty:
        _check_dict(first, scope, model)
    return False


def _signature(called: Any) -> inspect.Signature:
    if sys.version_info >= (3, 14):
        import annotationlib

        return inspect.signature(called, annotation_format=annotationlib.Format.FORWARDREF)
    return inspect.signature(called)


def _check_dict(first: inspect.Parameter, scope: dict[str, Any], model: Any) -> None:
    """Raise LocalfnError unless the annotation allows a dict, or the model is a root model."""
    members = list(_members(first.annotation, scope, model))
    if any(_is_dict(member) for member in members) or getattr(model, "__pydantic_root_model__", False):
        return
    for member in members:
        if isinstance(member, Unresolved):
            raise LocalfnError(
                f"the annotation {member.text!r} of parameter {first.name!r} cannot be resolved ({member.reason}): "
                f"import the name at run time, not only under TYPE_CHECKING, or annotate with {model.__name__} or dict"
            )
    names = " | ".join(getattr(member, "__name__", str(member)) for member in members)
    raise LocalfnError(
        f"parameter {first.name!r} is annotated with {names}, and input is {model.__name__}: annotate it with "
        f"{model.__name__} or dict"
    )


class Unresolved:
    """Hold an annotation whose names do not resolve, and the reason."""

    def __init__(self, text: str, reason: Exception) -> None:
        self.text = text
        self.reason = f"{type(reason).__name__}: {reason}"


def _members(annotation: Any, scope: dict[str, Any], model: Any) -> Iterator[Any]:
    """Yield the types that an annotation allows; yield Unresolved for a text that cannot be evaluated."""
    if isinstance(annotation, typing.ForwardRef):
        annotation = annotation.__forward_arg__
    if isinstance(annotation, str):
        for part in _alternatives(annotation):
            found = _evaluate(part, scope, model)
            yield from (found,) if isinstance(found, Unresolved) else _members(found, scope, model)
        return
    inner = _inner_types(annotation)
    if inner is None:
        yield annotation
    for each in inner or ():
        yield from _members(each, scope, model)


def _inner_types(annotation: Any) -> tuple[Any, ...] | None:
    """Return the types inside a union, Annotated, NewType, type alias or type variable; None for a plain type."""
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Union or type(annotation).__name__ == "UnionType":
        return args
    if hasattr(annotation, "__metadata__"):
        return args[:1]
    for name in ("__supertype__", "__value__", "__bound__"):
        if getattr(annotation, name, None) is not None and not inspect.isclass(annotation):
            return (getattr(annotation, name),)
    return None


def _alternatives(text: str) -> list[str]:
    """Split a union written with `|`: Python 3.9 cannot evaluate a union of classes."""
    try:
        waiting, found = [ast.parse(text.strip(), mode="eval").body], []
    except SyntaxError:
        return [text]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            waiting += [node.right, node.left]
        else:
            found.append(ast.unparse(node))
    return found


def _evaluate(text: str, scope: dict[str, Any], model: Any) -> Any:
    try:
        return eval(text, scope)  # noqa: S307 - the user's own annotation, as typing.get_type_hints does
    except Exception as error:
        # The model may be a local class, which the function's globals do not have.
        with contextlib.suppress(Exception):
            return eval(text, scope, {model.__name__: model})  # noqa: S307 - the user's own annotation
        return Unresolved(text, error)


def _asks_for_model(member: Any, model: Any) -> bool:
    """Return True if the annotation is the model or one of its base classes."""
    return member is model or (member is not object and member in getattr(model, "__mro__", ()))


def _is_dict(member: Any) -> bool:
    kind = typing.get_origin(member) or member
    return kind is Any or (inspect.isclass(kind) and (issubclass(kind, dict) or kind in MAPPINGS))


MAPPINGS = (object, typing.get_origin(typing.Mapping), typing.get_origin(typing.MutableMapping))
