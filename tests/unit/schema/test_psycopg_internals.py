"""Check the private name of psycopg that the connection watchdog uses; an upgrade may change it."""

import socket
import tomllib
from collections.abc import Generator
from pathlib import Path

import psycopg
import pytest
from psycopg import errors, waiting
from psycopg.waiting import Ready, Wait

PROJECT = Path(__file__).parents[3]


def test_psycopg_has_the_private_timeout_error_that_the_watchdog_catches() -> None:
    found = getattr(errors, "_WaitTimeout", None)
    advice = (
        f"psycopg {psycopg.__version__} has no psycopg.errors._WaitTimeout, which schema/connection_watchdog.py "
        "catches. Find out which error Connection.wait() raises at its timeout, adapt the watchdog, and pin the new "
        "minor version in pyproject.toml."
    )
    assert isinstance(found, type), advice
    assert issubclass(found, psycopg.Error), advice


def test_a_wait_without_an_answer_raises_that_error() -> None:
    """Wait on a silent socket: wait() needs only a file descriptor."""

    def answer() -> Generator[Wait, Ready | int, None]:
        while (yield Wait.R) is Ready.NONE:
            pass

    reader, writer = socket.socketpair()
    with reader, writer, pytest.raises(psycopg.Error) as raised:
        waiting.wait(answer(), reader.fileno(), interval=0.01, timeout=0.05)
    assert type(raised.value).__name__ == "_WaitTimeout"


def test_psycopg_is_pinned_to_its_minor_version() -> None:
    dependencies = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["dependencies"]
    (pin,) = [each for each in dependencies if each.startswith("psycopg[")]
    major, minor = (int(part) for part in psycopg.__version__.split(".")[:2])
    assert pin.endswith(f",<{major}.{minor + 1}"), f"{pin} admits minor versions whose private names may differ"
