"""Run `localfn up --open` as a newcomer does: in an empty folder, and write the first function while it runs."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from infra.supervisor.termination import is_alive
from tests.e2e.conftest import Start, stop
from tests.support.commands import COMMAND
from tests.support.runtime import make_folder
from tests.support.up import Up, without_runtime_settings
from tests.support.waiting import wait_until

BROWSER = """#!/bin/sh
echo "$$ $1" >"$0.new" && mv "$0.new" "$0.opened"
exec sleep 600
"""


class Newcomer:
    """A user in an empty folder, with a browser that notes its pid and the URL."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.browser = folder / "browser"
        self.browser.write_text(BROWSER)
        self.browser.chmod(0o755)
        self.project = folder / "project"
        self.project.mkdir()
        self.up = Up(self.project, "--open", LOCALFN_FUNCTIONS="./functions", BROWSER=str(self.browser))

    def wait_for_browser(self) -> tuple[psutil.Process, str]:
        opened = Path(f"{self.browser}.opened")
        wait_until(opened.exists, 20, "the browser is open")
        pid, url = opened.read_text().split()
        return psutil.Process(int(pid)), url


@pytest.fixture
def newcomer() -> Iterator[Newcomer]:
    with make_folder() as folder:
        newcomer = Newcomer(folder)
        try:
            yield newcomer
        finally:
            stop(newcomer.up)
            with suppress(FileNotFoundError, psutil.Error):
                newcomer.wait_for_browser()[0].kill()


def test_up_in_an_empty_folder_leads_to_a_first_function(newcomer: Newcomer) -> None:
    up = newcomer.up
    up.wait_ready()
    browser, url = newcomer.wait_for_browser()
    assert url == f"http://127.0.0.1:{up.port}/"
    assert up.ask("/api/functions")["items"] == []

    subprocess.run(
        [*COMMAND, "new"], cwd=newcomer.project, env=without_runtime_settings(), check=True, capture_output=True
    )
    wait_until(lambda: up.ask("/api/functions")["items"], 20, "the function is discovered")
    request = up.submit("hello", {"name": "Ada"}, Prefer="wait=20")
    assert request["result"] == {"hello": "Ada"}

    output = up.end()
    assert up.process.returncode == 0
    assert "localfn: no functions yet; `localfn new` creates a first one" in output
    assert is_alive(browser), "the browser ended with `up`"


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS always has a browser")
def test_without_a_browser_up_prints_the_url_and_continues(start: Start) -> None:
    up = start("one", "--open", DISPLAY="", WAYLAND_DISPLAY="", BROWSER="")
    up.wait_ready()
    assert up.process.stderr is not None
    line = f"localfn: no browser found; the page is at http://127.0.0.1:{up.port}/\n"
    assert line in iter(up.process.stderr.readline, "")
    wait_until(up.is_ready, what="it continues")


@pytest.mark.parametrize("source", ["./nope", "/nope/functions", "no_such_module"])
def test_a_missing_source_of_functions_is_named_before_anything_starts(start: Start, source: str) -> None:
    up = start(LOCALFN_FUNCTIONS=source)
    output, errors = up.process.communicate(timeout=60)
    assert (up.process.returncode, output) == (2, "")
    assert errors == f"localfn: LOCALFN_FUNCTIONS: {source!r} is neither a folder nor a module.\n"
    assert not up.home.exists()
