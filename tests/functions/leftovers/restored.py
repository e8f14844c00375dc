"""Change a setting of the process: the sandbox restores it, and continues."""

import decimal
import gc
import locale
import logging
import os
import resource
import signal
import socket
import sys
import threading
import time
import warnings
from collections.abc import Callable

from localfn import Context

from .state import libc, told


def change_folder(context: Context) -> None:
    os.chdir("/tmp")


def change_umask(context: Context) -> None:
    os.umask(0o027)


def hide_from_other_processes(context: Context) -> None:
    assert libc.prctl(4, 0, 0, 0, 0) == 0  # PR_SET_DUMPABLE


def change_environment(context: Context) -> None:
    os.environ["LEFT"] = "1"
    del os.environ["PYTHONPATH"]


def put_variable_past_python(context: Context) -> None:
    os.putenv("LEFT", "2")


def replace_environment(context: Context) -> None:
    os.environ = {"LEFT": "3"}  # type: ignore[assignment]  # noqa: B003


def clear_environment(context: Context) -> None:
    libc.clearenv()
    os.environ.clear()


def change_locale(context: Context) -> None:
    locale.setlocale(locale.LC_ALL, "C.UTF-8" if locale.setlocale(locale.LC_ALL) == "C" else "C")


def change_time_zone(context: Context) -> None:
    os.environ["TZ"] = "Asia/Tokyo"
    time.tzset()


def change_time_zone_and_variable_back(context: Context) -> None:
    change_time_zone(context)
    del os.environ["TZ"]


def lower_soft_limits(context: Context) -> None:
    for kind in (resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE, resource.RLIMIT_DATA):
        hard = resource.getrlimit(kind)[1]
        resource.setrlimit(kind, (hard // 2, hard))


def change_path(context: Context) -> None:
    sys.path.insert(0, "/tmp")


def replace_path(context: Context) -> None:
    sys.path = ["/tmp"]


def change_arguments(context: Context) -> None:
    sys.argv.append("--left")


def replace_arguments(context: Context) -> None:
    sys.argv = ["left"]


def add_importers(context: Context) -> None:
    sys.meta_path.insert(0, sys.meta_path[-1])
    sys.path_hooks.clear()


def change_switches(context: Context) -> None:
    sys.dont_write_bytecode = not sys.dont_write_bytecode
    sys.set_int_max_str_digits(0)
    sys.set_coroutine_origin_tracking_depth(9)
    sys.set_asyncgen_hooks(print, print)


def replace_streams(context: Context) -> None:
    import io

    sys.stdout = sys.stderr = io.StringIO()
    sys.stdin = None


def change_buffering(context: Context) -> None:
    sys.stdout.reconfigure(line_buffering=False, errors="strict")  # type: ignore[union-attr]


def make_output_not_wait(context: Context) -> None:
    os.set_blocking(1, False)


def replace_hooks(context: Context) -> None:
    sys.excepthook = sys.unraisablehook = threading.excepthook = print


def trace_all(context: Context) -> None:
    sys.setprofile(lambda *_: None)
    sys.settrace(lambda *_: None)


def handle_signals(context: Context) -> None:
    signal.signal(signal.SIGALRM, print)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)


def disable_collector(context: Context) -> None:
    gc.disable()
    gc.set_threshold(1)


def change_recursion_limit(context: Context) -> None:
    sys.setrecursionlimit(200)


def change_stack_size(context: Context) -> None:
    threading.stack_size(65_536)


def change_socket_timeout(context: Context) -> None:
    socket.setdefaulttimeout(0.001)


def filter_warnings(context: Context) -> None:
    warnings.simplefilter("error")
    warnings.catch_warnings(record=True).__enter__()


def change_logging(context: Context) -> None:
    logging.root.handlers.clear()
    logging.root.setLevel(logging.CRITICAL)
    logging.disable()
    context.logger.addHandler(logging.NullHandler())


def set_context_variable(context: Context) -> None:
    told.set("a secret")
    decimal.getcontext().prec = 3


RESTORED: dict[str, Callable[[Context], None]] = {
    deed.__name__: deed
    for deed in (
        change_folder,
        change_umask,
        hide_from_other_processes,
        change_environment,
        put_variable_past_python,
        replace_environment,
        clear_environment,
        change_locale,
        change_time_zone,
        change_time_zone_and_variable_back,
        lower_soft_limits,
        change_path,
        replace_path,
        change_arguments,
        replace_arguments,
        add_importers,
        change_switches,
        replace_streams,
        change_buffering,
        make_output_not_wait,
        replace_hooks,
        trace_all,
        handle_signals,
        disable_collector,
        change_recursion_limit,
        change_stack_size,
        change_socket_timeout,
        filter_warnings,
        change_logging,
        set_context_variable,
    )
}
