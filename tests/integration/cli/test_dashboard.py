"""Serve rq-dashboard alone with `localfn dashboard`: it checks the host, and changes nothing."""

from pathlib import Path

import httpx

from tests.support.commands import LIMIT_S, localfn_process, running_command
from tests.support.runtime import Runtime, free_port
from tests.support.waiting import wait_until


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/rq/").status_code == 200
    except httpx.TransportError:
        return False


def test_the_command_serves_the_pages_and_ends_by_sigterm(runtime: Runtime) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with running_command(runtime, "dashboard", "--port", str(port)) as process:
        wait_until(lambda: answers(url), LIMIT_S, "the dashboard answers")

        assert httpx.get(f"{url}/").headers["Location"] == "/rq/"
        assert httpx.get(f"{url}/rq/0/data/queues.json").json()["queues"] is not None
        assert httpx.get(f"{url}/rq/", headers={"Host": "evil.example"}).status_code == 403
        assert httpx.post(f"{url}/rq/requeue/default").status_code == 405
        process.terminate()
        assert process.wait(LIMIT_S) == 0


def test_the_command_needs_redis_and_no_database(runtime: Runtime, tmp_path: Path) -> None:
    port = free_port()
    home = str(tmp_path)
    with running_command(runtime, "dashboard", "--port", str(port), LOCALFN_HOME=home, DATABASE_URL="") as process:
        wait_until(lambda: answers(f"http://127.0.0.1:{port}"), LIMIT_S, "the dashboard answers")
        process.terminate()
        assert process.wait(LIMIT_S) == 0
    refused = localfn_process(runtime, "dashboard", LOCALFN_HOME=home, DATABASE_URL="", REDIS_URL="", RQ_REDIS_URL="")
    assert refused.returncode == 3
    assert refused.stderr.endswith("and there is no REDIS_URL.\n")
