"""Start `localfn up` as users do, and stop it."""

import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.up import Up

Start = Callable[..., Up]


@pytest.fixture
def start(short_tmp_path: Path) -> Iterator[Start]:
    running: list[Up] = []

    def begin(name: str = "one", *options: str, **environ: str) -> Up:
        folder = short_tmp_path / name
        folder.mkdir(exist_ok=True)
        up = Up(folder, *options, **environ)
        running.append(up)
        return up

    yield begin
    for up in running:
        stop(up)


def stop(up: Up) -> None:
    """Stop the runtime, and end all its processes if it does not."""
    if up.process.poll() is None:
        up.process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            up.process.communicate(timeout=15)
    up.process.kill()
    up.process.communicate()
    if up.home.is_dir():
        up.records.recover()
