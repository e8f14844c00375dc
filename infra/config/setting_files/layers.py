"""Merge the sources of settings: the environment takes precedence over `.env`, and `.env` over `localfn.toml`.

Both files are in the folder in which localfn starts.
"""

import io
from collections.abc import Iterator, Mapping
from pathlib import Path

from dotenv.parser import parse_stream

from infra.config.environment import FileValue
from infra.config.setting_files import localfn_toml, toml_document
from infra.errors import SettingsError
from infra.redaction import redact

DOTENV, ENVIRONMENT = ".env", "the environment"

Layers = dict[str, Mapping[str, str]]  # the variables by the name of their source; later sources take precedence


def read_layers(environ: Mapping[str, str], directory: Path, separators: Mapping[str, str]) -> Layers:
    """Return the variables of each source. separators: as in localfn_toml. Raises SettingsError."""
    return {
        localfn_toml.FILE: _toml_settings(directory, separators),
        DOTENV: _dotenv_variables(directory / DOTENV),
        ENVIRONMENT: environ,
    }


def merge(layers: Layers) -> dict[str, str]:
    """Return the variables in force."""
    return {name: value for layer in layers.values() for name, value in layer.items()}


def origins(layers: Layers, separators: Mapping[str, str]) -> Iterator[tuple[str, list[str]]]:
    """Yield each source, the strongest first, with the settings in force that come from it."""
    taken: set[str] = set()
    for source, layer in reversed(layers.items()):
        names = [name for name in separators if layer.get(name, "").strip() and name not in taken]
        taken.update(layer)  # an empty value hides the weaker ones, too
        if names:
            yield source, [localfn_toml.key_of(name) if source == localfn_toml.FILE else name for name in names]


def secret_files(directory: Path, separators: Mapping[str, str]) -> list[Path]:
    """Return the files that only their owner should read: `.env`, and a localfn.toml with a password or a key."""
    settings = _toml_settings(directory, separators)
    has_secret = any(redact(line) != line for line in (f"{name}={value}" for name, value in settings.items()))
    return [directory / DOTENV, *([directory / localfn_toml.FILE] if has_secret else [])]


def current_folder() -> Path:
    """Return the folder of the files. Raises SettingsError."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise SettingsError("the current folder was deleted; change to an existing one.") from None


def _dotenv_variables(path: Path) -> dict[str, str]:
    """Return the variables of a `.env` file; none if it is a folder, such as a virtual environment of that name.

    Raises SettingsError, naming file and line: a skipped line could be the limit or the password that matters.
    """
    text = None if path.is_dir() else toml_document.read_text(path)
    variables = {}
    # Without interpolation: a password may contain `${`.
    for binding in parse_stream(io.StringIO(text or "")):
        if binding.error:
            statement = binding.original.string  # with the empty lines before it
            line = binding.original.line + statement[: -len(statement.lstrip())].count("\n")
            raise SettingsError(f"{path}:{line}: the line is not a setting; write NAME=value, and close each quote.")
        if binding.key is not None and binding.value is not None:
            variables[binding.key] = binding.value
    return variables


def _toml_settings(directory: Path, separators: Mapping[str, str]) -> dict[str, FileValue]:
    document = localfn_toml.read(directory)
    return {} if document is None else localfn_toml.settings(document, separators)
