# ruff: noqa: BLE001, N818, PLE0307, PT017, S102 - user code raises anything
"""Check that any exception of user code becomes a frame with class, message and traceback, within bounds."""

import sys
import types
from collections.abc import Callable
from typing import Any

import pytest

from localfn import Fail, LocalfnError, Retry, ValidationError
from localfn.outcome.failure import MAX_MESSAGE, MAX_TRACEBACK, failure
from localfn.runtime import frames


class Hostile(BaseException):
    """Raise on each access."""

    def __getattribute__(self, name: str) -> Any:
        if name in ("__traceback__", "with_traceback"):
            return super().__getattribute__(name)
        raise SystemExit(3)

    def __str__(self) -> str:
        raise SystemExit(3)

    __repr__ = __str__


class Endless(Exception):
    def __str__(self) -> str:
        return str(self)


class NoText(Exception):
    def __str__(self) -> str:
        return None  # type: ignore[return-value]


class HostileNotes(Exception):
    __notes__ = property(lambda _: 1 / 0)


class LikeAGroup(Exception):
    exceptions = 5


def make_chain(length: int) -> BaseException:
    error: BaseException = ValueError(0)
    for number in range(length):
        above = ValueError(number)
        above.__context__ = error
        error = above
    return error


def make_circle() -> BaseException:
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    return first


def make_group(levels: int) -> BaseException:
    error: Exception = Fail("at the bottom")
    for _ in range(levels):
        error = ExceptionGroup("g", [error])
    return error


def catch(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as caught:
        return caught


@pytest.mark.parametrize("phase", ["import", "validate", "process", "cleanup"])
@pytest.mark.parametrize(
    ("error", "error_type"),
    [
        (Hostile(), "Hostile"),
        (Endless(), "Endless"),
        (NoText(), "NoText"),
        (HostileNotes("n"), "HostileNotes"),
        (LikeAGroup("l"), "LikeAGroup"),
        (make_chain(20_000), "ValueError"),
        (make_circle(), "ValueError"),
        (make_group(200), "ExceptionGroup"),
        (ExceptionGroup("many", [ValueError(n) for n in range(10_000)]), "ExceptionGroup"),
        (ValueError("x" * 10**7), "ValueError"),
        (ValueError("\ud800\0"), "ValueError"),
        (type("Ö" * 1000, (Exception,), {})("odd"), "Ö" * 1000),
        (SystemExit(["a", "list"]), "SystemExit"),
        (SyntaxError("odd", ("a", -1, 10**9, None)), "SyntaxError"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "odd"), "UnicodeDecodeError"),
    ],
    ids=lambda case: type(case).__name__,
)
def test_any_exception_can_be_sent(error: BaseException, error_type: str, phase: str) -> None:
    head = failure(catch(error), phase)

    assert head["error_type"] in (error_type, "ValidationError")
    assert len(head["error_message"]) <= MAX_MESSAGE
    assert len(head["traceback"]) <= MAX_TRACEBACK + 100
    assert "test_failures.py" in head["traceback"]
    assert frames.encode(head)


@pytest.mark.parametrize(
    ("error", "phase", "kind", "delay_s"),
    [
        (Retry(delay_s=3), "process", "retry", 3),
        (Retry(), "validate", "retry", None),
        (Fail("f"), "process", "fail", None),
        (ValidationError("v"), "process", "invalid", None),
        (KeyError("k"), "validate", "invalid", None),
        (KeyError("k"), "process", "error", None),
        (LocalfnError("l"), "process", "error", None),
        (MemoryError(), "validate", "error", None),
        (KeyboardInterrupt(), "validate", "error", None),
        (ExceptionGroup("g", [Retry(delay_s=1), Retry(delay_s=9)]), "process", "retry", 9),
        (ExceptionGroup("g", [Retry(delay_s=1), Fail("f")]), "process", "fail", None),
        (ExceptionGroup("g", [ValidationError("v")]), "process", "fail", None),
        (ExceptionGroup("g", [ValidationError("v")]), "validate", "invalid", None),
        (BaseExceptionGroup("g", [KeyboardInterrupt()]), "validate", "error", None),
    ],
)
def test_an_exception_decides_the_outcome_by_its_type(
    error: BaseException, phase: str, kind: str, delay_s: float | None
) -> None:
    head = failure(catch(error), phase)
    assert (head["kind"], head["delay_s"]) == (kind, delay_s)


def recurse() -> None:
    recurse()


def allocate() -> None:
    bytearray(1 << 62)


def raise_memory_error() -> None:
    raise MemoryError("mine")


@pytest.mark.parametrize(
    ("act", "error_type"),
    [(recurse, "RecursionError"), (allocate, "OutOfMemory"), (raise_memory_error, "MemoryError")],
)
def test_errors_of_python_itself_are_distinguished_from_raised_ones(act: Callable[[], None], error_type: str) -> None:
    try:
        act()
    except BaseException as error:
        head = failure(error, "process")
    assert head["error_type"] == error_type
    assert f"in {act.__name__}" in head["traceback"]


def test_a_file_of_the_users_may_be_named_like_a_part_of_python() -> None:
    module = types.ModuleType("importlib_tools")
    code = compile("def work():\n    raise ValueError('x')", "/project/my_importlib_tools.py", "exec")
    exec(code, module.__dict__)
    try:
        module.work()
    except ValueError as error:
        error.__traceback__ = error.__traceback__.tb_next if error.__traceback__ else None
        assert "my_importlib_tools.py" in failure(error, "process")["traceback"]


def test_the_ends_of_a_long_traceback_are_kept() -> None:
    def first(levels: int) -> None:
        second(levels) if levels else 1 / 0

    def second(levels: int) -> None:
        first(levels - 1)

    before = sys.getrecursionlimit()
    sys.setrecursionlimit(5_000)
    try:
        first(1_000)
    except ZeroDivisionError as error:
        text = failure(error, "process")["traceback"]
    finally:
        sys.setrecursionlimit(before)
    assert "characters cut here" in text
    assert text.startswith("Traceback (most recent call last):")
    assert text.endswith("ZeroDivisionError: division by zero\n")
