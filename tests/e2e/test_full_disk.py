"""Run `localfn up` on one small disk, fill the disk to the last byte meanwhile, and free it again."""

import signal
from pathlib import Path

import httpx

from infra.disk_reserve import RESERVE_FILE
from tests.e2e.conftest import Start
from tests.support.disks import fill, small_disk
from tests.support.up import CHILDREN
from tests.support.waiting import wait_until

SLOW = """
import time
from localfn import function


@function
def slow(event, context):
    time.sleep(event["s"])
    return "x" * 200_000
"""
SIZE_MB = 220


def test_a_full_disk_stops_no_process_and_loses_no_request(short_tmp_path: Path, start: Start) -> None:
    home = short_tmp_path / "disk"
    with small_disk(home, SIZE_MB):
        (short_tmp_path / "one" / "functions").mkdir(parents=True)
        (short_tmp_path / "one" / "functions" / "slow.py").write_text(SLOW)
        up = start(LOCALFN_HOME=str(home))
        try:
            up.wait_ready()
            with httpx.Client(base_url=f"http://127.0.0.1:{up.port}", timeout=30) as http:
                pids = {name: up.pid(name) for name in CHILDREN}
                check(http, home)
                assert {name: up.pid(name) for name in pids} == pids
        finally:
            errors = up.end(signal.SIGTERM)
    assert "is full; requests are rejected until" in errors
    assert "SIGBUS" not in errors


def check(http: httpx.Client, home: Path) -> None:
    def post(seconds: float) -> httpx.Response:
        return http.post("/api/functions/slow", json={"s": seconds})

    def problems() -> set[str]:
        return {each["code"] for each in http.get("/api/stats").json()["problems"]}

    assert (home / RESERVE_FILE).exists()
    accepted = [post(3).json()["id"] for _ in range(6)]
    filler = fill(home)
    wait_until(lambda: post(0).status_code == 507, 10, "a submit is rejected")
    wait_until(lambda: "disk_full" in problems(), 10, "the overview reports it")
    wait_until(lambda: not (home / RESERVE_FILE).exists(), 10, "the reserve is released")
    for path in ("/", "/healthz", "/api/requests", "/api/stats", "/metrics", f"/api/requests/{accepted[0]}"):
        wait_until(lambda path=path: http.get(path).status_code == 200, 10, path)  # type: ignore[misc]
    # Running requests end; no request starts.
    running = "/api/requests?status=processing"
    wait_until(lambda: not http.get(running).json()["items"], 30, "what ran has ended")
    assert http.get("/api/requests?status=pending").json()["items"]
    answer = http.post(f"/api/requests/{accepted[-1]}/cancel")
    assert answer.status_code == 202, answer.text

    filler.unlink()
    for each in accepted[:-1]:
        wait_until(lambda each=each: http.get(f"/api/requests/{each}").json()["status"] == "completed", 60, each)  # type: ignore[misc]
    wait_until((home / RESERVE_FILE).exists, 10, "the reserve is made again")
    assert post(0).status_code == 202
    wait_until(lambda: not problems(), 20, "nothing is wrong")
