"""Check the folders and modules of LOCALFN_FUNCTIONS without importing any of them."""

import importlib.util
import os
from collections.abc import Iterable
from pathlib import Path

from infra.config.settings import DEFAULT_FUNCTIONS
from infra.errors import SettingsError


def check_sources(sources: Iterable[str]) -> None:
    """Raise SettingsError when one of the sources is missing. The default folder may be created later."""
    for source in find_missing(sources):
        if source != DEFAULT_FUNCTIONS:
            raise SettingsError(f"LOCALFN_FUNCTIONS: {source!r} is neither a folder nor a module.")


def find_missing(sources: Iterable[str]) -> list[str]:
    """Return the sources that are neither a folder nor an importable module, probably mistyped."""
    return [source for source in sources if not Path(source).is_dir() and not _is_importable(source)]


def have_code(sources: Iterable[str]) -> bool:
    """Return False if all sources are folders without a module or package, or do not exist yet."""
    return any(_has_code(source) for source in sources)


def _has_code(source: str) -> bool:
    folder = Path(source)
    if os.sep not in source and not folder.is_dir():
        return True  # a module
    return any(next(folder.glob(pattern), None) for pattern in ("*.py", "*/__init__.py"))


def _is_importable(source: str) -> bool:
    top = source.partition(".")[0]
    return top.isidentifier() and importlib.util.find_spec(top) is not None
