"""Check settings: sources, precedence, and the one-line error for a bad value."""

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from hypothesis import given
from hypothesis import strategies as st

from infra.config.declaration import Source, declarations, markdown, read_fields
from infra.config.environment import Environment
from infra.config.settings import NAMES, Settings, load, load_and_export
from infra.errors import SettingsError

# A folder without a .env file.
NOWHERE = Path("/nonexistent")
SETTINGS_PAGE = Path(__file__).parents[4] / "docs" / "reference" / "settings.md"
URLS = {"DATABASE_URL": "postgresql://h/d", "REDIS_URL": "redis://h"}


def read(**environ: str) -> Settings:
    return load(environ, NOWHERE)


def read_error(**environ: str) -> str:
    with pytest.raises(SettingsError) as caught:
        read(**environ)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_the_defaults_are_those_of_the_documentation() -> None:
    settings = read()
    assert settings.home == NOWHERE / ".localfn"
    assert settings.functions == ("./functions",)
    assert (settings.host, settings.port) == ("127.0.0.1", 5000)
    assert (settings.database_url, settings.redis_url) == (None, None)
    assert settings.concurrency == 20
    assert settings.queues == ("high", "default", "low")
    assert (settings.lease_s, settings.grace_s, settings.wait_s) == (8, 30, 60)
    limits = (settings.max_event_bytes, settings.max_upload_bytes, settings.max_result_bytes)
    assert limits == (1 << 20, 100 << 20, 6 << 20)
    assert (settings.files, settings.retention_days) == ("file:", 30)
    assert (settings.static_root, settings.api_root) == ("", "/api")
    assert (settings.log_level, settings.log_format) == ("INFO", "text")


def test_production_listens_everywhere_and_logs_json() -> None:
    settings = read(LOCALFN_ENV="production", **URLS)
    assert (settings.host, settings.log_format) == ("0.0.0.0", "json")
    assert settings.is_production


@pytest.mark.parametrize("missing", URLS)
def test_production_has_no_embedded_services(missing: str) -> None:
    message = read_error(LOCALFN_ENV="production", **(URLS | {missing: ""}))
    assert message.startswith(f"{missing} is missing")


def test_a_misspelt_name_is_rejected_with_the_nearest_one() -> None:
    assert read_error(LOCALFN_CONCURENCY="3") == "LOCALFN_CONCURENCY is unknown; did you mean LOCALFN_CONCURRENCY?"


def test_variables_of_other_programs_are_ignored() -> None:
    assert read(LOCALFNX="1", PATH="/bin") == read()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LOCALFN_ENV", "prod"),
        ("LOCALFN_FUNCTIONS", ":"),
        ("PORT", "http"),
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "\uff15"),
        ("LOCALFN_CONCURRENCY", "0"),
        ("LOCALFN_CONCURRENCY", "-1"),
        ("LOCALFN_CONCURRENCY", "1.5"),
        ("LOCALFN_WORKERS", "21"),
        ("LOCALFN_QUEUES", "high,de fault"),
        ("LOCALFN_LEASE_SECONDS", "0"),
        ("LOCALFN_LEASE_SECONDS", "nan"),
        ("LOCALFN_GRACE_SECONDS", "-1"),
        ("LOCALFN_GRACE_SECONDS", "inf"),
        ("LOCALFN_RETENTION_DAYS", "100001"),
        ("LOCALFN_WAIT_SECONDS", "1e9"),
        ("LOCALFN_CONCURRENCY", "9" * 5000),
        ("LOCALFN_MAX_EVENT_BYTES", "9" * 5000),
        ("LOCALFN_MAX_EVENT_BYTES", "0"),
        ("LOCALFN_MAX_EVENT_BYTES", "6 apples"),
        ("LOCALFN_FILES", "s3://"),
        ("LOCALFN_FILES", "/tmp"),
        ("DATABASE_URL", "mysql://h/d"),
        ("POSTGRES_PORT", "x"),
        ("REDIS_URL", "h:6379"),
        ("LOG_LEVEL", "LOUD"),
        ("LOG_FORMAT", "xml"),
    ],
)
def test_a_bad_value_is_rejected_in_one_line_that_names_it(name: str, value: str) -> None:
    message = read_error(**{name: value})
    assert message.startswith(name)
    assert len(message) < 500


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1048576", 1 << 20),
        ("1MiB", 1 << 20),
        ("1 mib", 1 << 20),
        ("1.5KiB", 1536),
        ("2MB", 2_000_000),
        ("7B", 7),
    ],
)
def test_sizes_are_bytes_or_have_a_unit(text: str, size: int) -> None:
    assert read(LOCALFN_MAX_EVENT_BYTES=text).max_event_bytes == size


def test_an_empty_value_is_an_unset_one() -> None:
    assert read(PORT="", DATABASE_URL=" ") == read()


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_name_of_the_scheme_becomes_our_driver(scheme: str) -> None:
    assert read(DATABASE_URL=f"{scheme}://u:p@h/d").database_url == "postgresql+psycopg://u:p@h/d"


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1))
def test_any_user_and_password_survive_the_joining_of_the_parts(secret: str) -> None:
    secret = f"p@:/%'$x{secret}x"
    url = read(POSTGRES_HOST="db", POSTGRES_USER=secret, POSTGRES_PASSWORD=secret, POSTGRES_DB="d").database_url
    assert url is not None
    parsed = sqlalchemy.make_url(url)
    assert (parsed.username, parsed.password, parsed.host, parsed.database) == (secret, secret, "db", "d")


def test_the_parts_may_name_a_socket_folder_or_an_ipv6_address() -> None:
    socket = read(POSTGRES_HOST="/run/pg", POSTGRES_USER="u").database_url
    assert socket == "postgresql+psycopg://u@/u?host=/run/pg&port=5432"
    assert read(POSTGRES_HOST="::1", POSTGRES_USER="u").database_url == "postgresql+psycopg://u@[::1]:5432/u"


@pytest.mark.parametrize(
    ("given", "read_as"),
    [
        (
            "u:p@a,b:5433/d?target_session_attrs=read-write",
            "u:p@/d?host=a,b&port=5432,5433&target_session_attrs=read-write",
        ),
        ("a:1,[::1]:2,[::2]/d", "/d?host=a,::1,::2&port=1,2,5432"),
        ("u:p,q/r@h/d?x=1,2", "u:p,q/r@h/d?x=1,2"),
        ("/d?host=/a,/b", "/d?host=/a,/b"),
    ],
)
def test_a_database_url_may_name_several_hosts(given: str, read_as: str) -> None:
    assert read(DATABASE_URL=f"postgresql://{given}").database_url == f"postgresql+psycopg://{read_as}"


def test_database_url_wins_over_the_parts() -> None:
    assert read(DATABASE_URL="postgresql://h/d", POSTGRES_HOST="other").database_url == "postgresql+psycopg://h/d"


def test_rqs_own_url_wins_over_the_general_one() -> None:
    assert read(REDIS_URL="redis://a").redis_url == "redis://a"
    assert read(REDIS_URL="redis://a", RQ_REDIS_URL="redis://b").redis_url == "redis://b"


def test_the_environment_wins_over_the_file_and_the_file_is_taken_literally(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PORT=1\nLOCALFN_CONCURRENCY=7\nPOSTGRES_PASSWORD='a${HOME}b'\n")
    settings = load({"PORT": "2"}, tmp_path)
    assert (settings.port, settings.concurrency) == (2, 7)
    assert settings.database_url == "postgresql+psycopg://postgres:a%24%7BHOME%7Db@localhost:5432/postgres"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"PORT=1\n\nthis is no setting\n", ":3: the line is not a setting; write NAME=value, and close each quote."),
        (b'PORT=1\nLOCALFN_CONCURRENCY="7\n', ":2: the line is not a setting; write NAME=value, and close each quote."),
        (b"PORT=1\nNAME=\xe4\n", ":2: the text is not valid UTF-8; save the file as UTF-8."),
    ],
)
def test_a_mistake_in_dotenv_names_file_and_line(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / ".env").write_bytes(content)
    with pytest.raises(SettingsError) as caught:
        load({}, tmp_path)
    assert str(caught.value) == f"{tmp_path / '.env'}{reason}"


def test_a_folder_named_dotenv_and_a_byte_order_mark_are_accepted(tmp_path: Path) -> None:
    (tmp_path / ".env").mkdir()
    assert load({}, tmp_path).port == read().port
    (tmp_path / ".env").rmdir()
    (tmp_path / ".env").write_bytes(b"\xef\xbb\xbfexport PORT = 7 # a comment\r\nEMPTY\r\n")
    assert load({}, tmp_path).port == 7


def test_a_misspelt_name_in_the_file_is_rejected_too(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("LOCALFN_HOM=x\n")
    with pytest.raises(SettingsError, match="LOCALFN_HOME"):
        load({}, tmp_path)


def test_the_home_is_absolute() -> None:
    assert read(LOCALFN_HOME="data").home == NOWHERE / "data"
    assert read(LOCALFN_HOME="/var/x").home == Path("/var/x")


def test_a_superuser_needs_a_name_and_a_password() -> None:
    assert read_error(SUPERUSER_USERNAME="ada").startswith("SUPERUSER_PASSWORD")
    assert read_error(SUPERUSER_PASSWORD="x").startswith("SUPERUSER_USERNAME")


@pytest.mark.parametrize(
    "secret",
    [
        {"DATABASE_URL": "postgresql://u:s3cret@h/d"},
        {"DATABASE_URL": "postgresql://u:p@s3cret@h/d"},
        {"DATABASE_URL": "postgresql://h/d?user=u&password=s3cret"},
        {"REDIS_URL": "redis://:s3cret@h"},
        {"POSTGRES_PASSWORD": "s3cret"},
        {"SUPERUSER_USERNAME": "ada", "SUPERUSER_PASSWORD": "s3cret"},
    ],
)
def test_no_password_is_shown(secret: dict[str, str]) -> None:
    settings = read(**secret)
    assert "s3cret" not in repr(settings)
    assert "s3cret" not in str(replace(settings, port=1))


def test_a_bad_url_is_not_quoted() -> None:
    assert "s3cret" not in read_error(DATABASE_URL="mysql://u:s3cret@h")


class RecordingEnvironment(dict[str, str]):
    """Record the names of the variables that are read."""

    def __init__(self, **variables: str) -> None:
        super().__init__(variables)
        self.names: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.names.add(name)
        return super().get(name, default)


def test_exactly_the_declared_variables_are_read() -> None:
    # These three make the code read two lists, and the parts of the database address.
    recorded = RecordingEnvironment(POSTGRES_HOST="h", LOCALFN_ALLOWED_HOSTS="h", LOCALFN_ALLOWED_ORIGINS="https://h")
    read_fields(Settings, Source(Environment(recorded), NOWHERE))
    assert recorded.names == NAMES


@pytest.mark.parametrize("page", [SETTINGS_PAGE.read_text(), markdown(Settings)], ids=["docs", "generated"])
def test_the_reference_lists_exactly_the_declared_variables(page: str) -> None:
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    listed = set(re.findall(r"`([A-Z_]+)`", "".join(rows)))
    parts = {part for declared in declarations(Settings) for part in declared.parts}
    assert all(f"`{name}`" in page for name in NAMES)
    assert listed | parts == NAMES


def test_a_colon_separates_folders_except_inside_an_existing_path(tmp_path: Path) -> None:
    (tmp_path / "a:b c").mkdir()
    (tmp_path / "d").mkdir()
    text = f"{tmp_path}/a:b c:package.module:./d:~/x"
    assert load({"LOCALFN_FUNCTIONS": text}, tmp_path).functions == (
        f"{tmp_path}/a:b c", "package.module", "./d", str(Path.home() / "x"),
    )  # fmt: skip


def test_an_interpreter_given_by_a_path_is_absolute_and_its_links_are_kept(tmp_path: Path) -> None:
    (tmp_path / "python").symlink_to("/usr/bin/python3")
    assert load({"LOCALFN_PYTHON": "./python"}, tmp_path).python == str(tmp_path / "python")
    assert load({"LOCALFN_PYTHON": "python3"}, tmp_path).python == "python3"


def test_the_home_folder_of_no_account_is_rejected() -> None:
    assert read_error(LOCALFN_HOME="~nobody-here/x").startswith("LOCALFN_HOME: '~nobody-here/x' starts with")


def test_the_address_of_another_runtime_is_an_http_url() -> None:
    assert read(LOCALFN_URL="https://host/tools/localfn/").url == "https://host/tools/localfn"
    assert read_error(LOCALFN_URL="host:5000").startswith("LOCALFN_URL must start with http:// or https://")


@pytest.mark.parametrize("name", ["REDIS_URL", "RQ_REDIS_URL"])
@pytest.mark.parametrize("password", ["sec/ret", "sec#ret", "sec?ret", "[secret", "12/34", "12#34", "12?34"])
def test_a_redis_url_whose_password_is_not_encoded_is_rejected_and_not_shown(name: str, password: str) -> None:
    with pytest.raises(SettingsError, match=name) as caught:
        read(**{"DATABASE_URL": "postgresql://h/d", name: f"redis://:{password}@host:6379/0"})
    assert not re.search("sec|ret@|34", str(caught.value))


def test_an_empty_variable_of_aws_is_unset_for_boto3_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compose passes `AWS_DEFAULT_REGION=` for an unset variable, and boto3 takes it for the name of a region."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "environ", {"AWS_DEFAULT_REGION": "", "AWS_PROFILE": "team", "LOG_LEVEL": ""})
    load_and_export()
    assert os.environ == {"AWS_PROFILE": "team", "LOG_LEVEL": ""}
