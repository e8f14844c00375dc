"""Leave something that cannot be restored: the sandbox ends."""

import _thread
import ctypes
import faulthandler
import os
import resource
import select
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from localfn import Context

from .state import kept, libc


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


def stay_on_one_processor(context: Context) -> None:
    """Pin the process to one processor."""
    processors = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, processors[:1])


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
        *([stay_on_one_processor] if len(os.sched_getaffinity(0)) > 1 else []),
    )
}
