"""Read secrets from mounted files."""

from pathlib import Path

import pytest

from infra.config.declaration import declarations
from infra.config.setting_files.secret_files import SECRETS
from infra.config.settings import NAMES, Settings, load
from infra.errors import SettingsError
from infra.sandbox.interpreter_setup import without_runtime_variables


def test_each_secret_can_come_from_a_file(tmp_path: Path) -> None:
    contents = {
        "DATABASE_URL": "postgresql://u:s3cret@h/d",
        "POSTGRES_PASSWORD": "p@ss word",
        "REDIS_URL": "redis://:s3cret@one",
        "RQ_REDIS_URL": "redis://:s3cret@two",
        "SUPERUSER_PASSWORD": "long enough",
        "LOCALFN_API_KEY": "lfn_key",
    }
    assert contents.keys() == set(SECRETS)
    for name, text in contents.items():
        (tmp_path / name).write_text(f"{text}\n")
    files = {f"{name}_FILE": str(tmp_path / name) for name in contents}

    found = load(files | {"SUPERUSER_USERNAME": "ada"}, tmp_path)
    assert found.database_url == "postgresql+psycopg://u:s3cret@h/d"
    assert (found.redis_url, found.superuser_password) == ("redis://:s3cret@two", "long enough")
    assert found.api_key == "lfn_key"
    assert "s3cret" not in repr(found)
    del files["DATABASE_URL_FILE"], files["RQ_REDIS_URL_FILE"]
    found = load(files | {"SUPERUSER_USERNAME": "ada", "POSTGRES_HOST": "h", "POSTGRES_USER": "u"}, tmp_path)
    assert found.database_url == "postgresql+psycopg://u:p%40ss%20word@h:5432/u"
    assert found.redis_url == "redis://:s3cret@one"


def test_all_settings_that_are_secret_can_come_from_files() -> None:
    assert {declared.name for declared in declarations(Settings) if declared.is_secret} <= set(SECRETS)
    assert set(SECRETS) <= NAMES


def test_a_variable_wins_over_its_file_and_an_empty_one_does_not(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("redis://from-file")
    files = {"REDIS_URL_FILE": "url"}
    assert load({**files, "REDIS_URL": "redis://variable"}, tmp_path).redis_url == "redis://variable"
    assert load({**files, "REDIS_URL": ""}, tmp_path).redis_url == "redis://from-file"
    (tmp_path / ".env").write_text("REDIS_URL_FILE=url\n")
    assert load({}, tmp_path).redis_url == "redis://from-file"


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "cannot be read: No such file"), (b"\n", "is empty"), (b"\xff\xfe", "cannot be read: it is not UTF-8")],
)
def test_a_file_without_a_secret_stops_the_start(tmp_path: Path, content: bytes | None, reason: str) -> None:
    if content is not None:
        (tmp_path / "secret").write_bytes(content)
    with pytest.raises(SettingsError, match=f"^POSTGRES_PASSWORD_FILE: .*{reason}"):
        load({"POSTGRES_PASSWORD_FILE": "secret"}, tmp_path)


def test_functions_do_not_see_where_the_secrets_are() -> None:
    assert without_runtime_variables({f"{name}_FILE": "/run/secrets/x" for name in SECRETS}) == {}
