"""Open the page in the user's browser, for `localfn up --open`.

`up` adopts the orphans among its descendants, and kills them all when it stops. A browser that `up` starts would be one
of them, with all its tabs. So a process opens it that is no descendant of `up`: it starts before `up` adopts orphans,
and its parent exits at once. It waits for the URL on a pipe, and ends when `up` has ended without sending one.
"""

import os
import subprocess
import sys
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urljoin

from infra.config.listen_address import http_url, reachable_host
from infra.config.settings import Settings
from infra.supervisor.output import print_message

BOOT = "import localfn_runtime; from infra.browser import main; main()"


@contextmanager
def page_opener(settings: Settings, *, is_wanted: bool) -> Iterator[Callable[[], None]]:
    """Yield a function that opens the page, to be called when the runtime is ready; does nothing unless `is_wanted`."""
    if not is_wanted:
        yield lambda: None
        return
    reader, writer = os.pipe()
    command = [sys.executable, "-P", "-c", BOOT, str(reader)]
    launcher = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=(reader,), start_new_session=True)
    os.close(reader)
    launcher.wait()

    def open_page() -> None:
        with suppress(BrokenPipeError):  # the opener was killed; `up` has printed the URL
            os.write(writer, f"{page_url(settings)}\n".encode())

    try:
        yield open_page
    finally:
        os.close(writer)


def page_url(settings: Settings) -> str:
    """Return the URL of the SPA, for a browser on this machine."""
    return urljoin(http_url(reachable_host(settings.host), settings.port), f"{settings.static_root}/")


def main() -> None:
    """Let the parent exit, wait for the URL on the descriptor in the argument, and open it."""
    if os.fork():
        os._exit(0)
    with os.fdopen(int(sys.argv[1])) as pipe:
        url = pipe.readline().strip()
    if url:
        _open_page(url)


def _open_page(url: str) -> None:
    # Without TERM, webbrowser chooses no browser that runs in the terminal, which shows the output of `up`.
    os.environ.pop("TERM", None)
    try:
        browser = webbrowser.get()
    except webbrowser.Error:
        print_message(f"no browser found; the page is at {url}")
        return
    # The browser may outlive `up`: a reader of the output of `up` must not wait for the browser's end.
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
        os.dup2(nowhere.fileno(), sys.stderr.fileno())
    browser.open(url)
