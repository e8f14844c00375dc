"""Merge the sources of settings: the environment takes precedence over `.env`, and `.env` over `localfn.toml`.

Both files are in the folder in which localfn starts.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from dotenv import dotenv_values

from infra.config.environment import FileValue
from infra.config.setting_files import localfn_toml
from infra.errors import SettingsError
from infra.redaction import redact

DOTENV, ENVIRONMENT = ".env", "the environment"

Layers = dict[str, Mapping[str, str]]  # the variables by the name of their source; later sources take precedence


def read_layers(environ: Mapping[str, str], directory: Path, separators: Mapping[str, str]) -> Layers:
    """Return the variables of each source. separators: as in localfn_toml. Raises SettingsError."""
    # Without interpolation: a password may contain `${`.
    dotenv = dotenv_values(directory / DOTENV, interpolate=False)
    return {
        localfn_toml.FILE: _toml_settings(directory, separators),
        DOTENV: {name: value for name, value in dotenv.items() if value is not None},
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


def _toml_settings(directory: Path, separators: Mapping[str, str]) -> dict[str, FileValue]:
    document = localfn_toml.read(directory)
    return {} if document is None else localfn_toml.settings(document, separators)
