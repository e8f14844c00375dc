"""Check that secrets are masked in logs and error lines, and other text is kept."""

import json
import logging
import time

import pytest

from infra.cli.group import error_line
from infra.logging_config import JsonFormatter, TextFormatter
from infra.redaction import redact

SECRET = "hunter2-hunter2"


@pytest.mark.parametrize(
    "text",
    [
        f"postgresql://user:{SECRET}@host/db is away",
        f"connection to redis://:{SECRET}@host:6379/0 refused",
        f"postgresql://user:a@b:{SECRET}@host/db",
        f"host=h user=u password={SECRET} dbname=d",
        f"password='{SECRET}'",
        f'{{"username": "ada", "password": "{SECRET}"}}',
        f"Authorization: Bearer lfn_{SECRET}{SECRET}",
        f"key lfn_{SECRET}{SECRET} was used",
        f"Cookie: localfn_session={SECRET}",
        f"Cookie: __Host-localfn_session={SECRET}",
        f"redis://host/0?password={SECRET} is away",
        f"redis://host/0?username=ada&password={SECRET}&db=1 is away",
        f"redis://host/0?pass%77ord={SECRET}",
        f"rediss://host/0?ssl_password={SECRET}",
        f"postgresql://host/db?user=ada&sslpassword={SECRET}",
        f"unix://ada:{SECRET}@/run/redis.sock?db=1",
        f"unix:///run/redis.sock?db=1&password={SECRET}",
        f"redis://:it's\"{SECRET}@host",
        f"redis://:{'x' * 1500}{SECRET}@host",
        f"AWS_SECRET_ACCESS_KEY={SECRET}",
        f"POSTGRES_PASSWORD={SECRET}",
    ],
)
def test_a_secret_is_taken_out_of_every_line(text: str) -> None:
    assert SECRET not in redact(text)
    record = logging.LogRecord("x", logging.ERROR, "x.py", 1, "failed", None, None)
    record.error = text
    error = ConnectionError(text)
    record.exc_info = (ConnectionError, error, None)
    assert SECRET not in error_line(error)
    assert SECRET not in TextFormatter().format(record)
    line = JsonFormatter("web").format(record)
    assert SECRET not in line
    assert json.loads(line)["message"] == "failed"


@pytest.mark.parametrize(
    "text",
    [
        "http://127.0.0.1:5000 is ready",
        "accepted function=echo count=3",
        "a@b.example: no such user",
        "lfn_ is how keys begin",
        "redis://127.0.0.1:6379/0?db=1&a=100%25 answers",
        "tokens=3 max_tokens=5",
    ],
)
def test_text_that_is_not_secret_stays(text: str) -> None:
    assert redact(text) == text


def test_a_field_with_a_line_break_stays_on_one_line() -> None:
    record = logging.LogRecord("x", logging.INFO, "x.py", 1, "refused", None, None)
    record.job_id = "x\n12:00:00.000 INFO everything is well\r\x1b[2J\x9b1m\u2028\u202e\x0b"
    line = TextFormatter().format(record)
    assert line.isprintable()
    assert "\\n12:00:00.000 INFO everything is well\\r\\x1b[2J" in line


def test_a_long_text_is_masked_quickly() -> None:
    began = time.perf_counter()
    for text in (
        "://" + "a" * 200_000,
        "?a%" * 60_000,
        "a_" * 60_000 + "token",
        "://a:" * 30_000 + "@",
        "password" * 30_000,
        "token = " * 30_000,
        "://a:" * 20_000,
        "bearer " * 30_000,
    ):
        redact(text)
    assert time.perf_counter() - began < 5
