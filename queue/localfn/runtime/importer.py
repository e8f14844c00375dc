"""Import user code from its current sources inside a sandbox, and list its files."""

from __future__ import annotations

import importlib
import importlib.machinery
import os
import pkgutil
import sys
import traceback
from collections.abc import Iterable
from types import ModuleType
from typing import Any

from localfn import declaration
from localfn.declaration import Function
from localfn.errors import LocalfnError


class NoBytecodeLoader(importlib.machinery.SourceFileLoader):
    """Compile user code from its source each time.

    Python matches a .pyc by whole seconds and size, so it would miss an edit within a second of the last one.
    """

    def path_stats(self, path: str) -> Any:  # noqa: ARG002 - the name is importlib's
        raise OSError("bytecode is neither read nor written for user code")


def load(root: str | None, module: str, name: str) -> Function:
    """Import the module and return the function declared under `name`.

    root: folder to import from; None: the interpreter's own path.
    Raises LocalfnError if the module does not declare the function, and the errors of the import.
    """
    put_on_path(root)
    importlib.import_module(module)
    found = [made for made in declaration.declared if made.name == name]
    if not found:
        raise LocalfnError(f"{module} does not declare the function {name!r} any more")
    return next((made for made in found if made.declared_in == module), found[0])


def describe(root: str | None, module: str) -> tuple[list[dict[str, Any]], Exception | None]:
    """Import the module, with all submodules of a package, and describe the functions that they declare.

    A submodule that fails to import does not cost the functions of the others: the first such error is returned
    beside them. Raises LocalfnError, and the errors of importing the module itself.
    """
    put_on_path(root)
    top = importlib.import_module(module)
    if root and not is_below(getattr(top, "__file__", None) or "", root):
        raise LocalfnError(
            f"{module} has the name of a module of Python's standard library, which comes first: rename it"
        )
    errors: list[Exception] = []
    # walk_packages imports each package again to look into it; an error of that import is already in the list.
    for found in pkgutil.walk_packages(getattr(top, "__path__", []), module + ".", onerror=lambda _: None):
        if not found.name.endswith(".__main__"):
            try:
                importlib.import_module(found.name)
            except Exception as error:
                errors.append(error)
    described = [
        each.describe()
        for each in declaration.declared
        if f"{each.declared_in}.".startswith(f"{module}.") and each.declared_in in sys.modules
    ]
    return described, next(iter(errors), None)


def put_on_path(root: str | None) -> None:
    """Make `root` importable: after the standard library, before installed packages."""
    if root is None:
        return
    details = [
        (importlib.machinery.ExtensionFileLoader, importlib.machinery.EXTENSION_SUFFIXES),
        (NoBytecodeLoader, importlib.machinery.SOURCE_SUFFIXES),
    ]
    make_finder = importlib.machinery.FileFinder.path_hook(*details)

    def finder_below_root(path: str) -> Any:
        if path != root and not is_below(path, root):
            raise ImportError
        return make_finder(path)

    sys.path_hooks.insert(0, finder_below_root)
    installed = (i for i, entry in enumerate(sys.path) if entry.endswith(("site-packages", "dist-packages")))
    sys.path.insert(next(installed, len(sys.path)), root)
    sys.path_importer_cache.pop(root, None)


def files_of(root: str | None, module: str) -> list[list[Any]]:
    """Return the source files of the loaded user code, each as [path, mtime in ns, size in bytes]."""
    folder = root or _folder_of(sys.modules.get(module.partition(".")[0]))
    paths = [getattr(loaded, "__file__", None) or "" for loaded in list(sys.modules.values())]
    return _stat_files(path for path in paths if folder and is_below(path, folder))


def files_behind_error(error: BaseException, root: str | None, module: str) -> list[list[Any]]:
    """Return the files and folders whose change may mend a failed import, in the form of `files_of`.

    These are the loaded files, the files of the traceback, and the folders of sys.path: an installation changes one.
    """
    through = {frame.f_code.co_filename for frame, _ in traceback.walk_tb(error.__traceback__)}
    if isinstance(error, SyntaxError) and error.filename:
        through.add(error.filename)
    return files_of(root, module) + _stat_files(sorted({*through, *sys.path} - {""}))


def _stat_files(paths: Iterable[str]) -> list[list[Any]]:
    found = []
    for path in paths:
        try:
            stat = os.stat(path)
        except OSError:
            continue
        found.append([path, stat.st_mtime_ns, stat.st_size])
    return found


def is_below(path: str, folder: str) -> bool:
    return path.startswith(folder.rstrip(os.sep) + os.sep)


def _folder_of(module: ModuleType | None) -> str | None:
    path = getattr(module, "__file__", None)
    return os.path.dirname(path) if path else None
