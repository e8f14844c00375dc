"""Let many clients wait: other clients get their responses meanwhile."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from tests.support.runtime import Runtime

WAITING = 200


def test_two_hundred_waiting_clients_do_not_delay_others(runtime: Runtime, tmp_path: Path) -> None:
    flag = tmp_path / "flag"

    async def crowd() -> tuple[list[httpx.Response], list[int], httpx.Response]:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(base_url=runtime.url, limits=limits, timeout=60) as http:
            posts = [
                asyncio.create_task(
                    http.post("/api/functions/wait_for_flag", json={"flag": str(flag)}, headers={"Prefer": "wait=30"})
                )
                for _ in range(WAITING)
            ]
            # All clients are connected, and the maximum number waits: the others got an immediate response.
            waiting = set(posts)
            while len(waiting) > max_waiting():
                _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            looked = [(await http.get("/api/requests?limit=1")).status_code for _ in range(20)]
            submitted = await http.post("/api/functions/echo", json="well")
            flag.touch()
            return await asyncio.gather(*posts), looked, submitted

    with ThreadPoolExecutor(1) as apart:  # A browser test in this thread may have left its event loop running.
        answers, looked, submitted = apart.submit(asyncio.run, crowd()).result()
    assert looked == [200] * 20
    assert submitted.status_code == 202
    assert {answer.status_code for answer in answers} <= {200, 202}
    for answer in answers:
        assert runtime.wait_ended(answer.json()["id"], 90)["status"] == "completed"
    assert runtime.wait_ended(submitted.json()["id"])["status"] == "completed"


def max_waiting() -> int:
    """Return the number of clients that may wait in all web processes together."""
    from infra.config.capacity import cores
    from infra.processes.web import process_count
    from workqueue.transport.change_listener import MAX_WAITERS

    return MAX_WAITERS * process_count(cores())
