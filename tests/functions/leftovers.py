"""Leave something in a sandbox, and return the state that a request finds."""

import _thread
import contextvars
import ctypes
import decimal
import faulthandler
import gc
import locale
import logging
import os
import resource
import select
import signal
import socket
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from localfn import Context, function

kept: list[Any] = []  # module-level state survives on purpose
told: contextvars.ContextVar[str] = contextvars.ContextVar("told", default="nothing")
libc = ctypes.CDLL(None)
LIMITS = [getattr(resource, f"RLIMIT_{name}") for name in ("AS", "DATA", "FSIZE", "NOFILE", "NPROC", "STACK")]


@function
def leave(event: Any, context: Context) -> Any:
    """Return the state that the request found, and run the action that its event names."""
    found = look(context)
    if "do" in event:
        {**ENDING, **RESTORED, **HARMLESS}[event["do"]](context)
    return found


def look(context: Context) -> dict[str, Any]:
    """Return the state of the process, as JSON."""
    libc.getenv.restype = ctypes.c_char_p
    return {
        "threads": threading.active_count(),
        "timers": [signal.getitimer(timer) for timer in (0, 1, 2)],
        "descriptors": [[fd, os.fstat(fd).st_ino] for fd in range(100) if is_open(fd)],
        "blocking": [os.get_blocking(fd) for fd in range(3)],
        "handlers": [str(signal.getsignal(number)) for number in range(1, 32)],
        "mask": sorted(map(int, signal.pthread_sigmask(signal.SIG_BLOCK, []))),
        "folder": Path.cwd() == context.workdir,
        "umask": umask(),
        "dumpable": libc.prctl(3, 0, 0, 0, 0),
        "environment": [dict(os.environ), type(os.environ).__name__, str(libc.getenv(b"LEFT"))],
        "locale": locale.setlocale(locale.LC_ALL),
        "zone": time.tzname,
        "limits": [resource.getrlimit(kind) for kind in LIMITS],
        "hard limit": resource.getrlimit(resource.RLIMIT_CPU)[1],
        "nice": os.nice(0),
        "affinity": sorted(os.sched_getaffinity(0)),
        "path": list(sys.path),
        "streams": [str(stream) for stream in (sys.stdin, sys.stdout, sys.stderr)],
        "buffering": [sys.stdout.line_buffering, sys.stderr.line_buffering],
        "hooks": [str(hook) for hook in (sys.excepthook, sys.unraisablehook, threading.excepthook)],
        "tracing": [str(sys.gettrace()), str(sys.getprofile())],
        "collector": [gc.isenabled(), gc.get_threshold()],
        "arguments": list(sys.argv),
        "importers": [len(sys.meta_path), len(sys.path_hooks)],
        "switches": [sys.dont_write_bytecode, sys.get_int_max_str_digits(), str(sys.get_asyncgen_hooks())],
        "recursion": sys.getrecursionlimit(),
        "stack": stack_size(),
        "timeout": socket.getdefaulttimeout(),
        "filters": [str(each) for each in warnings.filters],
        "logging": [len(logging.root.handlers), logging.root.level, len(context.logger.handlers)],
        "variable": told.get(),
        "precision": decimal.getcontext().prec,
        "sdk": "localfn.runtime.frames" in sys.modules,
        "cwd entries": [path.name for path in context.workdir.iterdir()],
    }


def is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def stack_size() -> int:
    found = threading.stack_size()
    threading.stack_size(found)
    return found


def umask() -> int:
    found = os.umask(0)
    os.umask(found)
    return found


def wait_in_thread(context: Context) -> None:
    threading.Thread(target=time.sleep, args=(3600,), name="waits", daemon=True).start()


def wait_in_low_level_thread(context: Context) -> None:
    _thread.start_new_thread(time.sleep, (3600,))


def keep_executor(context: Context) -> None:
    kept.append(ThreadPoolExecutor(2))
    kept[-1].submit(int).result()


def start_watchdog(context: Context) -> None:
    """Start a thread in C."""
    faulthandler.dump_traceback_later(3600)


def set_alarm(context: Context) -> None:
    signal.alarm(3600)


def set_real_timer(context: Context) -> None:
    signal.setitimer(signal.ITIMER_REAL, 3600, 3600)


def set_virtual_timer(context: Context) -> None:
    signal.setitimer(signal.ITIMER_VIRTUAL, 3600)


def set_profile_timer(context: Context) -> None:
    signal.setitimer(signal.ITIMER_PROF, 3600)


def create_posix_timer(context: Context) -> None:
    timer = ctypes.c_void_p()
    assert libc.timer_create(time.CLOCK_MONOTONIC, None, ctypes.byref(timer)) == 0


def close_stdin(context: Context) -> None:
    os.close(0)


def replace_stdout(context: Context) -> None:
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 1)


def close_stderr_object(context: Context) -> None:
    sys.stderr.close()


def open_file(context: Context) -> None:
    kept.append(Path(__file__).open())


def open_socket(context: Context) -> None:
    kept.append(socket.socketpair())


def open_memory_file(context: Context) -> None:
    os.memfd_create("left")


def open_poller(context: Context) -> None:
    kept.append(select.epoll())


def open_timer_file(context: Context) -> None:
    libc.timerfd_create(time.CLOCK_MONOTONIC, 0)


def open_inotify(context: Context) -> None:
    libc.inotify_init()


def leave_event_loop(context: Context) -> None:
    import asyncio

    asyncio.set_event_loop(asyncio.new_event_loop())


def block_signals(context: Context) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})


def leave_pending_signal(context: Context) -> None:
    block_signals(context)
    os.kill(os.getpid(), signal.SIGUSR1)


def handle_crashes(context: Context) -> None:
    """Replace a handler in C, which Python cannot restore."""
    signal.signal(signal.SIGSEGV, signal.SIG_IGN)


def lower_hard_limit(context: Context) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))


def lower_hard_cpu_limit(context: Context) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (10_000, 10_000))


def be_nice(context: Context) -> None:
    os.nice(5)
    # Root may lower the niceness again.
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def stay_on_one_processor(context: Context) -> None:
    """Pin the process to one processor; on a machine with one processor nothing changes."""
    processors = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, processors[:1])


def forget_sdk(context: Context) -> None:
    del sys.modules["localfn.runtime.frames"]


def import_and_set(context: Context) -> None:
    """Change a setting in a request that imports: it may belong to the module."""
    sys.modules.pop("this_is_new", None)
    module = type(sys)("this_is_new")
    sys.modules["this_is_new"] = module
    os.environ["LEFT"] = "by a module"


def change_root(context: Context) -> None:
    """Change the root directory; only root may."""
    os.chroot("/tmp")


ENDING: dict[str, Callable[[Context], None]] = {
    deed.__name__: deed
    for deed in (
        wait_in_thread,
        wait_in_low_level_thread,
        keep_executor,
        start_watchdog,
        set_alarm,
        set_real_timer,
        set_virtual_timer,
        set_profile_timer,
        create_posix_timer,
        close_stdin,
        replace_stdout,
        close_stderr_object,
        open_file,
        open_socket,
        open_memory_file,
        open_poller,
        open_timer_file,
        open_inotify,
        leave_event_loop,
        block_signals,
        leave_pending_signal,
        handle_crashes,
        lower_hard_limit,
        lower_hard_cpu_limit,
        be_nice,
        forget_sdk,
        import_and_set,
        *([change_root] if os.geteuid() == 0 else []),
    )
}


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


def use_executor(context: Context) -> None:
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(int, range(100)))


def drop_executor(context: Context) -> None:
    """Drop an executor without a shutdown; its threads end when it is collected."""
    ThreadPoolExecutor(4).submit(int).result()


def join_threads(context: Context) -> None:
    threads = [threading.Thread(target=int) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def use_alarm(context: Context) -> None:
    signal.alarm(3600)
    signal.alarm(0)


def drop_file_in_cycle(context: Context) -> None:
    cycle = [Path(__file__).open()]
    cycle.append(cycle)  # type: ignore[arg-type]


def run_event_loop(context: Context) -> None:
    import asyncio

    asyncio.run(asyncio.to_thread(int))


HARMLESS: dict[str, Callable[[Context], None]] = {
    deed.__name__: deed
    for deed in (use_executor, drop_executor, join_threads, use_alarm, drop_file_in_cycle, run_event_loop)
}


@function
def write_later(event: Any, context: Context) -> Any:
    """Leave a thread that writes into the later current folder and log; return the text of another one."""
    later = Path("later.txt")

    def write() -> None:
        while True:
            later.write_text(f"data of {event['n']}")
            print(f"written for {event['n']}")

    found = later.exists()
    if event.get("leaves"):
        threading.Thread(target=write, daemon=True).start()
    else:
        time.sleep(0.002)
    if later.exists() and not event.get("leaves"):
        found = True
    return {"n": event["n"], "found": found}


@function
def alarm_soon(event: Any, context: Context) -> Any:
    """Leave an alarm that ends the process soon."""
    if event.get("leaves"):
        signal.setitimer(signal.ITIMER_REAL, 0.005)
    else:
        time.sleep(0.003)
    return event["n"]


@function
def stop_in_cleanup(event: Any, context: Context) -> Any:
    """Start a thread; the cleanup hook ends it if the event says so."""
    over = threading.Event()
    thread = threading.Thread(target=over.wait, name="until cleanup")
    thread.start()
    kept[:] = [over, thread]
    return os.getpid()


@stop_in_cleanup.cleanup
def stop(event: Any, context: Context) -> None:
    print("cleaned up")
    if event.get("stops"):
        over, thread = kept
        over.set()
        thread.join()
