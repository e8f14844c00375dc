"""Read settings and limits of functions from localfn.toml: precedence, types, and mistakes with file and line."""

from pathlib import Path

import pytest

from infra.config.setting_files import function_limits, layers, localfn_toml
from infra.config.settings import NAMES, SEPARATORS, load
from infra.errors import SettingsError
from tests.docs.markdown import fences, pages

URL, OTHER_URL, THIRD_URL = "postgresql://a/d", "postgresql://b/d", "postgresql://c/d"
# Of each setting: a value as TOML has it, the same as text, and two others.
VALUES = {
    "LOCALFN_ENV": ('"LOCAL"', "local", "production", "local"),
    "HOST": ('"127.0.0.2"', "127.0.0.2", "127.0.0.3", "localhost"),
    "PORT": ("5_001", "5001", "5002", "5003"),
    "LOCALFN_HOME": ('"a"', "a", "b", "c"),
    "LOCALFN_FILES": ('"s3://aaa"', "s3://aaa", "s3://bbb", "file:"),
    "LOCALFN_FILES_TIMEOUT_SECONDS": ("5", "5", "2", "3"),
    "DATABASE_URL": (f'"{URL}"', URL, OTHER_URL, THIRD_URL),
    "POSTGRES_HOST": ('"a"', "a", "b", "c"),
    "POSTGRES_PORT": ("1", "1", "2", "3"),
    "POSTGRES_DB": ('"a"', "a", "b", "c"),
    "POSTGRES_USER": ('"a"', "a", "b", "c"),
    "POSTGRES_PASSWORD": ("'''a'''", "a", "b", "c"),
    "REDIS_URL": ('"redis://a"', "redis://a", "redis://b", "redis://c"),
    "RQ_REDIS_URL": ('"redis://a"', "redis://a", "redis://b", "redis://c"),
    "LOCALFN_WAIT_SECONDS": ("0.5", "0.5", "2", "3"),
    "VITE_APP_STATIC_ROOT": ('"/a/"', "/a/", "/b", "/c"),
    "VITE_APP_API_ROOT": ('"/a"', "/a", "/b", "/c"),
    "LOCALFN_FUNCTIONS": ('["./a", "b.c"]', "./a:b.c", "./b", "c"),
    "LOCALFN_PYTHON": ('"./a"', "./a", "b", "c"),
    "LOCALFN_SANDBOX_USER": ('"a"', "a", "b", "c"),
    "LOCALFN_MAX_EVENT_BYTES": ("0x10", "16", "2 KiB", "3"),
    "LOCALFN_MAX_UPLOAD_BYTES": ('"1 MiB"', "1 MiB", "2", "3"),
    "LOCALFN_MAX_RESULT_BYTES": ("1", "1", "2", "3"),
    "LOCALFN_CONCURRENCY": ("1", "1", "2", "3"),
    "LOCALFN_WORKERS": ("1", "1", "2", "3"),
    "LOCALFN_MIN_WORKERS": ("1", "1", "2", "3"),
    "LOCALFN_QUEUES": ('["a", "b"]', "a,b", "b", "c"),
    "LOCALFN_LEASE_SECONDS": ("1e1", "10", "2", "3"),
    "LOCALFN_GRACE_SECONDS": ("0", "0", "2", "3"),
    "LOCALFN_WEB_GRACE_SECONDS": ("0", "0", "2", "3"),
    "LOCALFN_RETENTION_DAYS": ("1.5", "1.5", "2", "3"),
    "LOCALFN_UNKNOWN_FUNCTION_SECONDS": ("5", "5", "2", "3"),
    "LOCALFN_AUTH": ('"required"', "required", "none", "required"),
    "LOCALFN_INSECURE": ("true", "1", "0", "true"),
    "LOCALFN_ALLOWED_HOSTS": ('[\n  "a",\n  "*.b",\n]', "a,*.b", "b", "c"),
    "LOCALFN_ALLOWED_ORIGINS": ('"https://a,https://b"', "https://a,https://b", "https://b", "https://c"),
    "LOCALFN_TRUSTED_PROXIES": ("1", "1", "2", "3"),
    "SUPERUSER_USERNAME": ('"a"', "a", "b", "c"),
    "SUPERUSER_PASSWORD": ('"a"', "a", "b", "c"),
    "SUPERUSER_EMAIL": ('"a"', "a", "b", "c"),
    "LOCALFN_API_KEY": ('"a"', "a", "b", "c"),
    "LOCALFN_URL": ('"http://a"', "http://a", "http://b", "http://c"),
    "LOG_LEVEL": ('"debug"', "DEBUG", "ERROR", "WARNING"),
    "LOG_FORMAT": ('"json"', "json", "text", "json"),
    "OTEL_EXPORTER_OTLP_ENDPOINT": ('"http://a"', "http://a", "http://b", ""),
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": ('"http://a"', "http://a", "http://b", ""),
}
# What some settings cannot be read without.
NEEDED = {
    "SUPERUSER_PASSWORD": {"SUPERUSER_USERNAME": "x"},
    "SUPERUSER_USERNAME": {"SUPERUSER_PASSWORD": "x"},
    "LOCALFN_ENV": {"DATABASE_URL": URL, "REDIS_URL": "redis://h"},
}


def write(folder: Path, text: str) -> Path:
    file = folder / "localfn.toml"
    file.write_text(text)
    return file


def settings_error(folder: Path) -> str:
    with pytest.raises(SettingsError) as caught:
        load({}, folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_every_setting_has_a_key_of_its_own() -> None:
    assert VALUES.keys() == NAMES
    assert len({localfn_toml.key_of(name) for name in NAMES}) == len(NAMES)


@pytest.mark.parametrize("name", VALUES)
def test_the_environment_wins_over_dotenv_and_dotenv_over_the_file(tmp_path: Path, name: str) -> None:
    literal, text, in_dotenv, in_environment = VALUES[name]
    needed = NEEDED.get(name, {})
    expected = [load({name: value, **needed}, tmp_path) for value in (text, in_dotenv, in_environment)]
    write(tmp_path, f"[settings]\n{localfn_toml.key_of(name)} = {literal}\n")
    from_file = load(needed, tmp_path)
    (tmp_path / ".env").write_text(f"{name}='{in_dotenv}'\n")
    assert [from_file, load(needed, tmp_path), load({name: in_environment, **needed}, tmp_path)] == expected


def test_an_empty_variable_hides_the_value_of_the_files(tmp_path: Path) -> None:
    write(tmp_path, "[settings]\nport = 80\nconcurrency = 4\n")
    (tmp_path / ".env").write_text("LOCALFN_CONCURRENCY=\n")
    settings = load({"PORT": ""}, tmp_path)
    assert (settings.port, settings.is_port_given, settings.concurrency) == (5000, False, 20)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("prot = 1", "prot is unknown; did you mean port?"),
        ("PORT = 1", "PORT is unknown; write port."),
        ("LOCALFN_LEASE_SECONDS = 1", "LOCALFN_LEASE_SECONDS is unknown; write lease_seconds."),
        ("localfn_queues = 1", "localfn_queues is unknown; write queues."),
        (
            "aws_secret = 1",
            "aws_secret is unknown; localfn has no such setting; variables of functions belong in .env.",
        ),
        ('port = "http"', "port: 'http' is not a whole number from 1 to 65535."),
        ("port = true", "port: 'true' is not a whole number from 1 to 65535."),
        ("port = 5000.0", "port: '5000.0' is not a whole number from 1 to 65535."),
        ("port = [1]", "port: a list is not valid here; write one value."),
        ("port.number = 1", "port: a table is not valid here; write one value."),
        ("host = 1", "host: 1 is not a text; put it in quotes."),
        ("host = 2020-01-01", "host: 2020-01-01 is not a text; put it in quotes."),
        ("lease_seconds = nan", "lease_seconds: 'nan' is not a number above 0, at most 100000."),
        ("max_event_bytes = -1", "max_event_bytes: '-1' is not a size; write a number of bytes, or for example 6MiB."),
        ('queues = ["a", 1]', "queues: 1 is not a text; put it in quotes."),
        ("queues = []", "queues: the list is empty; name at least one item."),
        ('queues = ["a b"]', "queues: 'a b' is not a valid queue name; use letters, digits, - and _."),
        ("insecure = 2", "insecure: '2' is not valid; use one of 1, 0, true, false."),
        ("auth = true", "auth: 'true' is not valid; use one of required, none."),
        ('database_url = "mysql://u:s3cret@h"', "database_url must start with postgresql://."),
        ('redis_url = "redis://:12/34@h"', "redis_url is not a valid URL."),
        ("postgres_port = 0", "postgres_port: '0' is not a whole number from 1 to 65535."),
        ('allowed_hosts = ["https://a"]', "allowed_hosts: 'https://a' is not a valid host;"),
        ("workers = 21", "workers: '21' is not a whole number from 1 to 20."),
        ("superuser_password = 1234", "superuser_password: *** is not a text; put it in quotes."),
    ],
)
def test_a_mistake_names_file_line_and_what_is_right(tmp_path: Path, line: str, reason: str) -> None:
    file = write(tmp_path, f'# {line}\n[settings]\nlog_level = "INFO"\n\n{line}\n')
    message = settings_error(tmp_path)
    assert message.startswith(f"{file}:5: {reason}")
    assert "s3cret" not in message


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[setting]", "[setting] is unknown; did you mean [settings]?"),
        ("[function.report]", "[function] is unknown; did you mean [functions.NAME]?"),
        ("[x]", "[x] is unknown; the tables are [settings], [functions.NAME], [schedules.NAME]."),
        ("port = 1", "port is not in a table; write settings below [settings]."),
        ('functions = "./src"', "functions is not in a table; write settings below [settings]."),
        ("settings = 1", "settings is not a table; write [settings]."),
        ("[[settings]]", "settings is not a table; write [settings]."),
    ],
)
def test_a_wrong_table_is_named_with_the_right_one(tmp_path: Path, text: str, reason: str) -> None:
    file = write(tmp_path, f"\n{text}\n")
    assert settings_error(tmp_path) == f"{file}:2: {reason}"


def test_a_bad_value_that_is_overridden_stops_no_start(tmp_path: Path) -> None:
    write(tmp_path, "[settings]\nport = 0\n")
    assert load({"PORT": "80"}, tmp_path).port == 80


def test_a_bad_value_of_the_environment_is_not_blamed_on_the_file(tmp_path: Path) -> None:
    write(tmp_path, "[settings]\nport = 80\n")
    with pytest.raises(SettingsError, match=r"^PORT: 'x' is not"):
        load({"PORT": "x"}, tmp_path)


def test_the_source_of_each_setting_in_force_is_known(tmp_path: Path) -> None:
    write(tmp_path, "[settings]\nport = 80\nconcurrency = 4\nhost = 'a'\nlog_level = 'INFO'\n")
    (tmp_path / ".env").write_text("LOCALFN_CONCURRENCY=5\nHOST=b\nOTHER=1\n")
    read = layers.read_layers({"HOST": "c", "LOG_LEVEL": "", "PATH": "/bin"}, tmp_path, SEPARATORS)
    expected = [("the environment", ["HOST"]), (".env", ["LOCALFN_CONCURRENCY"]), ("localfn.toml", ["port"])]
    assert list(layers.origins(read, SEPARATORS)) == expected


@pytest.mark.parametrize(
    ("line", "is_secret"),
    [
        ('superuser_password = "x"', True),
        ('postgres_password = "x"', True),
        ('database_url = "postgresql://u:x@h/d"', True),
        ('redis_url = "redis://:x@h"', True),
        ('database_url = "postgresql://h/d"', False),
        ('superuser_username = "x"  # password = "x"', False),
    ],
)
def test_a_file_with_a_password_is_a_secret_like_dotenv(tmp_path: Path, line: str, is_secret: bool) -> None:
    file = write(tmp_path, f"[settings]\n{line}\n")
    assert layers.secret_files(tmp_path, SEPARATORS) == [tmp_path / ".env", *([file] if is_secret else [])]


def test_limits_are_options_of_functions(tmp_path: Path) -> None:
    write(tmp_path, '[functions.report]\ntimeout_s = 2.5\nqueue = "high"\n[functions."a-b"]\n')
    assert function_limits.read(tmp_path) == {"report": {"timeout_s": 2.5, "queue": "high"}, "a-b": {}}
    assert function_limits.read(tmp_path / "elsewhere") == {}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("timeout = 5", "timeout is not a limit of a function; did you mean timeout_s?"),
        (
            "colour = 5",
            "colour is not a limit of a function; the limits are timeout_s, max_attempts, memory_mb, queue,",
        ),
        ("schedule = '@daily'", "schedule is not a limit of a function; the limits are "),
        ("timeout_s = 0", "timeout_s: 0 is not valid; use a number of seconds above 0, at most 3600."),
        ("timeout_s = nan", "timeout_s: NaN is not valid; use a number of seconds above 0, at most 3600."),
        ("max_attempts = true", "max_attempts: true is not valid; use a whole number from 1 to 100."),
        ("memory_mb = '1 GiB'", 'memory_mb: "1 GiB" is not valid; use a whole number from 32 to 1048576.'),
        ("queue = 2020-01-01", 'queue: "2020-01-01" is not valid; use 1 to 64 characters of A-Z a-z 0-9 _ . -.'),
    ],
)
def test_a_wrong_limit_names_file_line_and_what_is_right(tmp_path: Path, line: str, reason: str) -> None:
    file = write(tmp_path, f"[functions.report]\n# {line}\n{line}\n")
    with pytest.raises(SettingsError) as caught:
        function_limits.read(tmp_path)
    assert str(caught.value).startswith(f"{file}:3: {reason}")


def test_limits_of_an_unknown_function_name_the_nearest_one(tmp_path: Path) -> None:
    file = write(tmp_path, "[functions]\nreport.timeout_s = 5\nreprot.timeout_s = 5\n")
    limits = function_limits.read(tmp_path)
    with pytest.raises(SettingsError) as caught:
        function_limits.check_functions(tmp_path, limits, {"report", "hello"})
    assert str(caught.value) == f"{file}:3: [functions.reprot]: there is no function 'reprot'; did you mean report?"
    function_limits.check_functions(tmp_path, limits, {"report", "reprot"})


def test_the_examples_of_the_documentation_are_valid(tmp_path: Path) -> None:
    found = [fence for page in pages("reference", "how-to") for fence in fences(page) if fence.language == "toml"]
    assert {fence.page.name for fence in found} >= {"settings.md", "schedules.md"}
    for fence in found:
        write(tmp_path, fence.text)
        load({}, tmp_path)
        function_limits.read(tmp_path)
        assert localfn_toml.named_tables(localfn_toml.read(tmp_path), localfn_toml.SCHEDULES)


def test_the_example_shows_every_limit() -> None:
    (example,) = (fence for page in pages("reference") for fence in fences(page) if fence.language == "toml")
    assert all(f"\n{limit} = " in example.text for limit in function_limits.LIMITS)
