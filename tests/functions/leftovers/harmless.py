"""Use what is gone before the request ends: nothing is left."""

import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from localfn import Context


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
