"""Read secrets from files, as Docker and Kubernetes mount them: POSTGRES_PASSWORD_FILE=/run/secrets/password.

A variable shows up in `docker inspect` and in dumps of the environment; a mounted file does not.
"""

from collections.abc import Mapping
from pathlib import Path

from infra.errors import SettingsError

SECRETS = ("DATABASE_URL", "POSTGRES_PASSWORD", "REDIS_URL", "RQ_REDIS_URL", "SUPERUSER_PASSWORD", "LOCALFN_API_KEY")
SUFFIX = "_FILE"


def with_secret_files(variables: Mapping[str, str], directory: Path) -> dict[str, str]:
    """Return the variables with the contents of the files in place of their paths. Raises SettingsError.

    A variable that is set, too, wins over its file: `localfn up` passes the addresses that it has read to its
    processes. directory: the base of relative paths.
    """
    found = dict(variables)
    for name in SECRETS:
        path = found.pop(name + SUFFIX, "").strip()
        if path and not found.get(name, "").strip():
            found[name] = _read(name + SUFFIX, directory / path)
    return found


def _read(variable: str, path: Path) -> str:
    """Return the text of a file without the line break that editors and `echo` add."""
    try:
        text = path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise SettingsError(f"{variable}: {path} cannot be read: {reason}.") from None
    if not text.strip():
        raise SettingsError(f"{variable}: {path} is empty; write the secret into it.")
    return text
