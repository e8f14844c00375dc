"""Load fixtures at the start and by `localfn seed`, against a real PostgreSQL."""

from pathlib import Path

import pytest

from infra.config.settings import load
from infra.errors import InfraError
from infra.processes import fixture_kinds
from schema.engine import make_engine
from tests.integration.processes.init_environment import STATE, InitEnvironment


def test_production_leaves_dev_fixtures_out_and_local_takes_all(place: InitEnvironment) -> None:
    code, _, errors = place.run("init", LOCALFN_ENV="production")
    assert code == 0, errors
    assert (place.query(STATE)["schedules"], place.query(STATE)["requests"]) == (1, 0)
    assert place.run("init")[0] == 0
    assert place.query(STATE)["requests"] == 0, "seeded once is seeded"
    assert place.query(STATE)["users"] == [], "no superuser without a setting"

    assert place.run("seed", "--dev", LOCALFN_ENV="production")[0] == 2
    for made in ("2 requests, 1 already exist", "nothing new, 3 already exist"):
        code, _, errors = place.run("seed", "--dev")
        assert (code, made in errors) == (0, True), errors
    assert (place.query(STATE)["schedules"], place.query(STATE)["requests"]) == (1, 2)


BAD_FIXTURES = [
    (
        "users:\n  - username: ada\n    password: long enough 1\n  - username: b b\n",
        "4: users: password: is missing; username",
    ),
    (
        "schedules:\n  - name: a\n    function: profile_csv\n    expression: '61 * * * *'\n",
        "2: schedules: expression",
    ),
    ("requests:\n  - key: a\n    function: profile_csv\n    event: .nan\n", "2: requests: event"),
    ("requests:\n  - key: a\n    function: profile_csv\n    evnt: {}\n", "2: requests: evnt"),
    ("requests:\n  - key: a\n    function: profile_csv\n    queue: express\n", "2: requests: queue"),
    ("requests:\n  - function: profile_csv\n", "2: requests: key"),
    ("users:\n  - username: ada\n    password: long enough 1\n  - username: ada\n    password: x\n", "4: users"),
    ("tables:\n  - name: a\n", "2: tables: unknown kind; use one of schedules, requests, users"),
]


def test_invalid_fixtures_are_named_and_none_is_loaded(initialized: InitEnvironment, tmp_path: Path) -> None:
    place = initialized
    before = place.query(STATE)
    folder = tmp_path / "fixtures"
    folder.mkdir()
    (folder / "a.yaml").write_text("users:\n  - username: zoe\n    password: long enough 1\n")
    engine = make_engine(place.database_url)
    try:
        for entries, problem in BAD_FIXTURES:
            (folder / "b.yaml").write_text(entries)
            with pytest.raises(InfraError) as caught:
                fixture_kinds.load(engine, load(place.env), folder, with_dev=False, once=False)
            assert f"b.yaml:{problem}" in str(caught.value)
    finally:
        engine.dispose()
    assert place.query(STATE) == before


def test_a_fixture_of_an_unknown_function_is_skipped(place: InitEnvironment, tmp_path: Path) -> None:
    (tmp_path / "functions").mkdir()
    code, _, errors = place.run("init", LOCALFN_FUNCTIONS=str(tmp_path / "functions"))
    assert code == 0
    assert "3 skipped because their functions are missing" in errors
    assert (place.query(STATE)["flags"], place.query(STATE)["requests"]) == (1, 0)
