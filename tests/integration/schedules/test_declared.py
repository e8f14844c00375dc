"""Schedules declared in code and in localfn.toml: made at the start, changed with their source, paused by a person."""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, insert, update

from infra.config import localfn_toml
from infra.config.localfn_toml import DeclarationError
from schema.tables.requests import registered_function
from tests.integration.lifecycle.test_transitions import function_spec
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
def known(engine: Engine) -> Engine:
    with engine.begin() as connection:
        connection.execute(insert(registered_function), [asdict(function_spec(name=name)) for name in ("f", "g")])
    return engine


def test_a_declaration_makes_a_row_and_follows_its_source(known: Engine) -> None:
    declare(known, s={"function": "f", "expression": "@daily"})
    made = row(known)
    assert (made.declared, made.expression, made.enabled) == (True, "@daily", True)
    assert made.next_run_at is not None
    declare(known, s={"function": "f", "expression": "@hourly", "queue": "high"})
    assert (row(known).expression, row(known).queue) == ("@hourly", "high")


def test_a_persons_pause_survives_the_next_start(known: Engine) -> None:
    for expression in ("@daily", "@daily", "@hourly"):
        declare(known, s={"function": "f", "expression": expression})
        if expression == "@daily":
            edits.change(known, "s", {"enabled": False}, rules(known), datetime.now(UTC))
    assert (row(known).enabled, row(known).expression, row(known).next_run_at) == (False, "@hourly", None)


def test_an_unchanged_declaration_moves_no_tick(known: Engine) -> None:
    declare(known, s={"function": "f", "expression": "rate(1 hour)"})
    before = row(known)
    declare(known, s={"function": "f", "expression": "rate(1 hour)"})
    assert row(known) == before


def test_what_is_declared_no_more_is_gone_and_other_rows_stay(known: Engine) -> None:
    body = {"name": "mine", "function": "f", "expression": "@daily"}
    edits.create(known, body, rules(known), datetime.now(UTC))
    declare(known, s={"function": "f", "expression": "@daily"})
    with pytest.raises(DeclaredScheduleError):
        edits.delete(known, "s")
    declare(known)
    with pytest.raises(UnknownScheduleError):
        queries.find(known, "s")
    assert row(known, "mine").declared is False


def test_a_bad_declaration_is_named_and_nothing_is_changed(known: Engine) -> None:
    declare(known, s={"function": "f", "expression": "@daily"})
    with pytest.raises(BadScheduleError, match=r"t\.expression: "):
        declare(known, s={"function": "f", "expression": "@hourly"}, t={"function": "f", "expression": "never"})
    assert row(known).expression == "@daily"


def test_a_change_of_the_code_is_followed_while_everything_runs(known: Engine) -> None:
    declarations = DeclarationSync(known, lambda: rules(known))
    declarations.sync()
    for name, schedule in (("f", {"expression": "@daily"}), ("g", {"expression": "nonsense"})):
        with known.begin() as connection:
            statement = update(registered_function).where(registered_function.c.name == name)
            connection.execute(statement.values(schedule=schedule))
    declarations.sync()
    assert (row(known, "f").expression, row(known, "f").declared) == ("@daily", True)
    with pytest.raises(UnknownScheduleError):
        queries.find(known, "g")


def init(database_url: str, redis_url: str, folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / "functions").mkdir(exist_ok=True)
    return subprocess.run(
        [sys.executable, "-P", "-m", "infra.cli", "init"],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "DATABASE_URL": database_url, "REDIS_URL": redis_url},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_init_declares_what_code_and_file_say(
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
    ("content", "word"),
    [("[schedule.x]\n", "schedule"), ("schedules.x = 1\n", "[schedules.x]"), ("[schedules", "cannot be read")],
)
def test_a_wrong_file_stops_the_start_and_says_where(tmp_path: Path, content: str, word: str) -> None:
    (tmp_path / "localfn.toml").write_text(content)
    with pytest.raises(DeclarationError) as caught:
        localfn_toml.schedules(tmp_path)
    assert word in str(caught.value)
    assert localfn_toml.schedules(tmp_path / "elsewhere") == {}
