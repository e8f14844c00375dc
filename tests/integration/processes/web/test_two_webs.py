"""Recreate one of two webs while clients post through a balancer: no call fails."""

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import httpx

from tests.conftest import StartRuntime
from tests.integration.processes.web.steady_caller import Caller
from tests.support.runtime import STOP_LIMIT_S, Runtime, free_port
from tests.support.waiting import wait_until

REFUSED = ConnectionRefusedError.__name__


def test_one_of_two_webs_behind_a_proxy_is_recreated_and_no_call_fails(start_runtime: StartRuntime) -> None:
    settings = {"LOCALFN_TRUSTED_PROXIES": "1", "LOCALFN_WEB_GRACE_SECONDS": "6"}
    with start_runtime(settings=settings) as first, second_web(first) as second, ExitStack() as stack:
        balancer = stack.enter_context(balance([first, second]))
        callers = [Caller(balancer) for _ in range(4)]
        wait_until(lambda: all(caller.results["202"] > 5 for caller in callers), what="all callers are busy")
        stopping = first.processes.pop("web")
        stopping.terminate()
        wait_until(lambda: first.http.get("/readyz").status_code == 503, what="the stop is announced")
        assert stopping.wait(STOP_LIMIT_S) == 0
        first.start("web")
        wait_until(first.can_accept, 30, "web is back")
        results = sum((caller.end() for caller in callers), Counter())
    assert results.keys() <= {"202", REFUSED}, "a proxy sends a call elsewhere only if it got no connection"


@contextmanager
def second_web(first: Runtime) -> Iterator[Runtime]:
    """Run another web of the same installation."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with httpx.Client(base_url=url, timeout=30) as client:
        second = replace(first, url=url, env=first.env | {"PORT": str(port)}, http=client, processes={})
        second.start("web")
        try:
            wait_until(second.can_accept, 30, "the second web is ready")
            yield second
        finally:
            for process in second.processes.values():
                process.kill()
                process.wait()


@contextmanager
def balance(webs: list[Runtime]) -> Iterator[Callable[[], str]]:
    """Provide a function that returns the URL of a ready web, as a proxy does that checks /readyz once a second."""
    ready = [web.url for web in webs]
    is_over = threading.Event()

    def check() -> None:
        while not is_over.wait(1):
            ready[:] = [web.url for web in webs if web.can_accept()] or ready

    thread = threading.Thread(target=check)
    thread.start()
    try:
        yield lambda: random.choice(ready)
    finally:
        is_over.set()
        thread.join()
