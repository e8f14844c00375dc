"""`localfn dashboard` serves rq-dashboard alone: it shows, checks the host, and changes nothing."""

import httpx

from tests.commands import LIMIT_S, begun
from tests.runtime import Runtime, free_port
from tests.waiting import wait_until


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/rq/").status_code == 200
    except httpx.TransportError:
        return False


def test_the_command_serves_the_pages_and_ends_by_sigterm(runtime: Runtime) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with begun(runtime, "dashboard", "--port", str(port)) as process:
        wait_until(lambda: answers(url), LIMIT_S, "the dashboard answers")

        assert httpx.get(f"{url}/rq/0/data/queues.json").json()["queues"] is not None
        assert httpx.get(f"{url}/rq/", headers={"Host": "evil.example"}).status_code == 403
        assert httpx.post(f"{url}/rq/requeue/default").status_code == 405
        process.terminate()
        assert process.wait(LIMIT_S) == 0
