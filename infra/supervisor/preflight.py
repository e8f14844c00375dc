"""Check port and home before an installation: `python -m infra.supervisor.preflight [--port N] [--host H]`.

Uses only the standard library. `localfn up` repeats these checks.
"""

import argparse
import contextlib
import fcntl
import os
import re
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from infra.config.environment import Environment
from infra.config.listen_address import check_port
from infra.config.setting_files import localfn_toml
from infra.errors import HomeError, InfraError, SettingsError

PROBE_BYTES = 64 * 1024
NAMES = ("HOST", "PORT", "LOCALFN_HOME", "LOCALFN_ENV")
SETTING_LINE = re.compile(rf"""\s*(?:export\s+)?({"|".join(NAMES)})\s*=\s*(["']?)(.*?)\2\s*""")


def main(arguments: Sequence[str]) -> None:
    """Exit with one line if the start would fail."""
    try:
        variables = _read_toml(Path.cwd()) | _read_dotenv(Path(".env")) | os.environ
        _check(variables, arguments)
    except InfraError as error:
        sys.stderr.write(f"localfn: {error}\n")
        sys.exit(error.exit_code)


def _check(variables: Mapping[str, str], arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--port", default=variables.get("PORT"))
    everywhere = variables.get("LOCALFN_ENV") == "production"
    parser.add_argument("--host", default=variables.get("HOST") or ("0.0.0.0" if everywhere else "127.0.0.1"))  # noqa: S104
    given, _ = parser.parse_known_args(arguments)
    home = Path.cwd() / Path(variables.get("LOCALFN_HOME") or ".localfn").expanduser()
    check_home(home)
    if not _is_locked(home):  # else `up` reports a running one, or waits for a killed one
        check_port(given.host, _parse_port(variables, given.port))


def check_home(root: Path) -> None:
    """Raise HomeError when the folder cannot be created or written. Leave nothing behind."""
    try:
        nearest = next(path for path in (root, *root.parents) if path.exists() or path.is_symlink())
        with tempfile.TemporaryFile(dir=nearest) as probe:
            probe.write(b"\0" * PROBE_BYTES)
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as error:
        raise HomeError(f"LOCALFN_HOME {root} cannot be used: {error.strerror or error}.") from error


def _parse_port(variables: Mapping[str, str], text: str | None) -> int:
    environment = Environment({**variables, "PORT": text or ""})
    try:
        return environment.integer("PORT", 5000, at_least=1, at_most=65535)
    except SettingsError as error:
        raise environment.located(error) from None


def _is_locked(home: Path) -> bool:
    with contextlib.suppress(FileNotFoundError), (home / "lock").open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _read_toml(folder: Path) -> dict[str, str]:
    """Return the variables in localfn.toml; `localfn up` checks names and values. Raises SettingsError."""
    document = localfn_toml.read(folder)
    table = document.data.get(localfn_toml.SETTINGS, {}) if document else {}
    keys = {name: key for name in NAMES if (key := localfn_toml.key_of(name)) in table}
    return {name: localfn_toml.file_value(document, key) for name, key in keys.items()} if document else {}


def _read_dotenv(path: Path) -> dict[str, str]:
    """Return the variables of simple lines in the `.env` file; `localfn up` parses all of it."""
    try:
        lines = path.read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    return {found[1]: found[3] for line in lines if (found := SETTING_LINE.fullmatch(line))}


if __name__ == "__main__":
    main(sys.argv[1:])
