"""Read and write the settings of the Python interpreter that a request may change."""

from __future__ import annotations

import contextlib
import gc
import sys
import threading
import warnings
from typing import Any


def hooks() -> tuple[Any, ...]:
    return sys.excepthook, sys.displayhook, sys.unraisablehook, sys.breakpointhook, threading.excepthook


def set_hooks(value: tuple[Any, ...]) -> None:
    sys.excepthook, sys.displayhook, sys.unraisablehook, sys.breakpointhook, threading.excepthook = value


def tracing() -> tuple[Any, ...]:
    # Python 3.9 has no public function that reads those of new threads.
    return sys.gettrace(), sys.getprofile(), vars(threading)["_trace_hook"], vars(threading)["_profile_hook"]


def set_tracing(value: tuple[Any, ...]) -> None:
    sys.settrace(value[0])
    sys.setprofile(value[1])
    threading.settrace(value[2])
    threading.setprofile(value[3])


def set_path(value: tuple[list[str], list[str]]) -> None:
    sys.path, content = value
    sys.path[:] = content


def set_arguments(value: tuple[list[str], list[str]]) -> None:
    sys.argv, content = value
    sys.argv[:] = content


def switches() -> tuple[Any, ...]:
    # Not every Python 3.9 has a limit for digits.
    digits = getattr(sys, "get_int_max_str_digits", int)()
    hooks = sys.get_asyncgen_hooks()
    return sys.dont_write_bytecode, digits, sys.get_coroutine_origin_tracking_depth(), *hooks


def set_switches(value: tuple[Any, ...]) -> None:
    sys.dont_write_bytecode, digits, depth, first, last = value
    getattr(sys, "set_int_max_str_digits", int)(digits)
    sys.set_coroutine_origin_tracking_depth(depth)
    sys.set_asyncgen_hooks(first, last)


def importers() -> tuple[Any, ...]:
    return sys.meta_path, list(sys.meta_path), sys.path_hooks, list(sys.path_hooks)


def set_importers(value: tuple[Any, ...]) -> None:
    sys.meta_path, finders, sys.path_hooks, hooks = value
    sys.meta_path[:], sys.path_hooks[:] = finders, hooks
    sys.path_importer_cache.clear()  # it holds results of the removed hooks


def collector() -> tuple[Any, ...]:
    return gc.isenabled(), gc.get_threshold(), gc.get_debug()


def set_collector(value: tuple[Any, ...]) -> None:
    is_enabled, threshold, debug = value
    (gc.enable if is_enabled else gc.disable)()
    gc.set_threshold(*threshold)
    gc.set_debug(debug)


def filters() -> tuple[Any, ...]:
    return warnings.filters, list(warnings.filters), warnings.showwarning


def set_filters(value: tuple[Any, ...]) -> None:
    filters, content, warnings.showwarning = value
    filters[:] = content
    warnings.filters = filters
    # Modules cache warnings by the version of the filters. The name of this function depends on the Python version.
    for name in ("_filters_mutated", "_filters_mutated_lock_held"):
        with contextlib.suppress(AttributeError):
            getattr(warnings, name)()
            return
