"""Check log lines for people: one per event, a hundred columns wide, with the name of the process."""

import logging
import os
import re
import selectors
import tempfile
from typing import Any
from uuid import UUID

import pytest

from infra.embedded import postgres, redis
from infra.logging_config import TextFormatter
from infra.supervisor.output import WIDTH, Output
from workqueue import log_fields

ID = UUID("01a2037b-f483-774d-bad4-7ec1df5d181a")


def format_line(message: str, level: int = logging.INFO, **facts: Any) -> str:
    record = logging.makeLogRecord({"msg": message, "levelno": level, "levelname": logging.getLevelName(level)} | facts)
    return TextFormatter().format(record).partition(" ")[2]


@pytest.mark.parametrize(
    ("facts", "line"),
    [
        (log_fields.for_requests([(ID, None, "echo")]), f"moved {ID} echo"),
        (log_fields.for_requests([(ID, 2, "echo")]) | {"worker": "vm-1"}, f"moved {ID}/2 echo vm-1"),
        ({"outcome": "failed", "status": "pending", "worker": "w"}, "moved failed pending w"),
        ({"outcome": "failed", "status": "failed"}, "moved failed"),
        ({"actor": "ada", "action": "queue.pause", "subject": "low"}, "moved ada queue.pause low"),
        ({"actor": "ada", "action": "session.logout", "subject": None}, "moved ada session.logout"),
        ({"error": "two\nlines", "count": 2}, "moved error=two\\nlines count=2"),
    ],
)
def test_common_fields_are_shown_without_their_names(facts: dict[str, Any], line: str) -> None:
    assert format_line("moved", **facts) == line


def test_the_usual_lines_fit_a_hundred_columns_behind_the_name_of_their_process() -> None:
    about = log_fields.for_requests([(ID, 1, "fetch_json")]) | {"worker": "vm-4a23de25"}
    for message, ended in (("started", {}), ("ended", {"outcome": "completed", "status": "completed"})):
        facts: dict[str, Any] = about | ended
        assert len("12:30:01.250 " + format_line(message, **facts)) + WIDTH + 1 <= 100


def test_a_log_level_is_shown_above_info_only() -> None:
    assert format_line("worker lost", logging.WARNING) == "WARNING worker lost"


def test_a_log_line_for_many_requests_names_some_and_counts_all() -> None:
    facts = log_fields.for_requests([(UUID(int=number), None, "echo") for number in range(10_000)])
    assert facts["count"] == 10_000
    assert len(str(facts["requests"]).split()) == log_fields.MAX_IDS + 1


@pytest.mark.parametrize(("with_names", "line"), [(True, b"web       one\n"), (False, b"one\n")])
def test_lines_are_named_for_a_person_and_left_alone_for_a_program(with_names: bool, line: bytes) -> None:
    ours, theirs = os.pipe()
    with selectors.DefaultSelector() as selector, tempfile.TemporaryFile() as target:
        output = Output(selector, with_names=with_names)
        output.add("web", os.fdopen(ours, "rb", buffering=0), target, re.compile(b"nothing"))
        os.write(theirs, b"one\nnothing new\n")
        os.close(theirs)
        output.drain()
        target.seek(0)
        assert target.read() == line


NO_NEWS = [
    (redis.NOISE, b"26527:C 28 Nov 2026 00:26:12.176 # oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo"),
    (redis.NOISE, b"26527:C 28 Nov 2026 00:26:12.201 # Redis version=6.2.14, bits=64, commit=40305114, modified=0"),
    (redis.NOISE, b"26527:C 28 Nov 2026 00:26:12.201 # Configuration loaded"),
    (redis.NOISE, b"1:C 28 Nov 2026 00:26:12.201 # Valkey is now ready to exit, bye bye..."),
    (postgres.NOISE, b"2026-11-28 00:33:20.507 UTC [30974] FATAL:  the database system is starting up"),
]
NEWS = [
    (redis.NOISE, b"26527:M 28 Nov 2026 00:26:12.176 # Can't open the append-only file: Permission denied"),
    (redis.NOISE, b"26527:M 28 Nov 2026 00:26:12.176 # Bad file format reading the append only file"),
    (postgres.NOISE, b'2026-11-28 00:33:20.507 UTC [1] FATAL:  data directory "/x" has wrong ownership'),
]


def test_a_starting_server_is_not_reported_and_a_failing_one_is() -> None:
    assert all(noise.search(line) for noise, line in NO_NEWS)
    assert not any(noise.search(line) for noise, line in NEWS)
