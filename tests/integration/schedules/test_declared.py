"""Declare schedules in code and in localfn.toml: created at the start, changed with their source, paused by users."""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, insert, update

from schema.tables.requests import registered_function
from tests.integration.lifecycle.steps import function_spec
from tests.integration.schedules.rows import row
from workqueue.errors import BadScheduleError, DeclaredScheduleError, UnknownScheduleError
from workqueue.schedules import edits, queries
from workqueue.schedules.declarations import DeclarationSync, read_declared_in_code, replace_declared
from workqueue.schedules.validation import Rules

CODE = """
from localfn import function

@function(schedule="rate(5 minutes)")
def often(event, context): ...

@function(schedule={"expression": "0 3 * * *", "timezone": "Europe/Berlin", "event": {"a": 1}, "overlap": "skip"})
def nightly(event, context): ...

@function
def plain(event, context): ...
"""


def rules(engine: Engine) -> Rules:
    return edits.load_rules(engine, ("high", "default", "low"), 1000)


def declare(engine: Engine, **schedules: Mapping[str, Any]) -> None:
    replace_declared(engine, schedules, rules(engine))


@pytest.fixture
def declare_known(engine: Engine) -> Engine:
    with engine.begin() as connection:
        connection.execute(insert(registered_function), [asdict(function_spec(name=name)) for name in ("f", "g")])
    return engine


def test_a_declaration_creates_a_row_and_follows_its_source(declare_known: Engine) -> None:
    declare(declare_known, s={"function": "f", "expression": "@daily"})
    made = row(declare_known)
    assert (made.declared, made.expression, made.enabled) == (True, "@daily", True)
    assert made.next_run_at is not None
    declare(declare_known, s={"function": "f", "expression": "@hourly", "queue": "high"})
    assert (row(declare_known).expression, row(declare_known).queue) == ("@hourly", "high")


def test_a_users_pause_survives_the_next_start(declare_known: Engine) -> None:
    for expression in ("@daily", "@daily", "@hourly"):
        declare(declare_known, s={"function": "f", "expression": expression})
        if expression == "@daily":
            edits.change(declare_known, "s", {"enabled": False}, rules(declare_known), datetime.now(UTC))
    assert (row(declare_known).enabled, row(declare_known).expression, row(declare_known).next_run_at) == (
        False,
        "@hourly",
        None,
    )


def test_an_unchanged_declaration_moves_no_tick(declare_known: Engine) -> None:
    declare(declare_known, s={"function": "f", "expression": "rate(1 hour)"})
    before = row(declare_known)
    declare(declare_known, s={"function": "f", "expression": "rate(1 hour)"})
    assert row(declare_known) == before


def test_a_removed_declaration_deletes_its_row_only(declare_known: Engine) -> None:
    body = {"name": "mine", "function": "f", "expression": "@daily"}
    edits.create(declare_known, body, rules(declare_known), datetime.now(UTC))
    declare(declare_known, s={"function": "f", "expression": "@daily"})
    with pytest.raises(DeclaredScheduleError):
        edits.delete(declare_known, "s")
    declare(declare_known)
    with pytest.raises(UnknownScheduleError):
        queries.find(declare_known, "s")
    assert row(declare_known, "mine").declared is False


def test_a_bad_declaration_is_named_and_changes_nothing(declare_known: Engine) -> None:
    declare(declare_known, s={"function": "f", "expression": "@daily"})
    with pytest.raises(BadScheduleError, match=r"t\.expression: "):
        declare(declare_known, s={"function": "f", "expression": "@hourly"}, t={"function": "f", "expression": "never"})
    assert row(declare_known).expression == "@daily"


def test_a_change_of_the_code_takes_effect_without_a_restart(declare_known: Engine) -> None:
    declarations = DeclarationSync(declare_known, lambda: rules(declare_known))
    declarations.sync()
    for name, schedule in (("f", {"expression": "@daily"}), ("g", {"expression": "nonsense"})):
        with declare_known.begin() as connection:
            statement = update(registered_function).where(registered_function.c.name == name)
            connection.execute(statement.values(schedule=schedule))
    declarations.sync()
    assert (row(declare_known, "f").expression, row(declare_known, "f").declared) == ("@daily", True)
    with pytest.raises(UnknownScheduleError):
        queries.find(declare_known, "g")


def init(database_url: str, redis_url: str, folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / "functions").mkdir(exist_ok=True)
    return subprocess.run(
        [sys.executable, "-P", "-m", "localfn_runtime", "init"],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "DATABASE_URL": database_url, "REDIS_URL": redis_url},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_init_declares_the_schedules_of_code_and_file(
    database_url: str, redis_url: str, tmp_path: Path, engine: Engine
) -> None:
    (tmp_path / "functions").mkdir()
    (tmp_path / "functions" / "timed.py").write_text(CODE)
    toml = '[schedules.weekly]\nfunction = "plain"\nexpression = "@weekly"\nevent = {b = 2}\n'
    (tmp_path / "localfn.toml").write_text(toml)
    done = init(database_url, redis_url, tmp_path)
    assert done.returncode == 0, done.stderr

    assert set(read_declared_in_code(engine)) == {"often", "nightly"}
    shown = {found.schedule.name: found.schedule for found in queries.list_schedules(engine)}
    assert {name: schedule.function for name, schedule in shown.items()} == {
        "often": "often",
        "nightly": "nightly",
        "weekly": "plain",
    }
    assert all(schedule.declared and schedule.next_run_at for schedule in shown.values())
    assert (shown["nightly"].timezone, shown["nightly"].event, shown["weekly"].event) == (
        "Europe/Berlin",
        {"a": 1},
        {"b": 2},
    )

    (tmp_path / "functions" / "timed.py").write_text(CODE.replace("rate(5 minutes)", "rate(5 apples)"))
    again = init(database_url, redis_url, tmp_path)
    assert again.returncode != 0
    assert "@function on 'often': schedule: expression: " in again.stderr
    assert "Traceback" not in again.stderr


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('expresion = "@daily"', "weekly.expresion: is not a settable field; did you mean expression?"),
        ('expression = "weekly"', "weekly.expression: "),
        ("", "weekly.expression: is missing"),
        ("event = {day = 2026-01-01}", "weekly.event: JSON has no dates, times, nan and inf; put each in quotes"),
    ],
)
def test_a_mistake_in_the_file_is_reported_with_its_line(
    database_url: str, redis_url: str, tmp_path: Path, line: str, reason: str
) -> None:
    (tmp_path / "functions").mkdir()
    (tmp_path / "functions" / "timed.py").write_text(CODE)
    toml = tmp_path / "localfn.toml"
    toml.write_text(f'# mine\n[schedules.weekly]\nfunction = "plain"\n{line}\n')
    done = init(database_url, redis_url, tmp_path)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert f"{toml}:{4 if line else 2}: {reason}" in done.stderr
