"""Check the overview while services fail, and rq-dashboard below a sub-path."""

import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from infra.embedded.postgres import Postgres
from tests.conftest import StartRuntime
from tests.support.embedded_servers import start, stop
from tests.support.runtime import Runtime

Picture = Callable[[str], None]
SUB_PATH = {"VITE_APP_STATIC_ROOT": "/tools/localfn/", "VITE_APP_API_ROOT": "/tools/localfn/api"}


@pytest.fixture
def picture(page: Page, pictures: Path) -> Picture:
    """Return a function that takes a screenshot."""

    def save_picture(name: str) -> None:
        page.screenshot(path=pictures / f"{name}.png", full_page=True)

    return save_picture


def test_the_overview_names_each_problem_even_without_the_database(
    page: Page, start_runtime: StartRuntime, short_tmp_path: Path, picture: Picture
) -> None:
    service = Postgres(short_tmp_path)
    process = start(service)
    try:
        with start_runtime(database_url=service.url, settings={"LOCALFN_QUEUES": "high,default"}) as runtime:
            for _ in range(6):
                runtime.call("charge_invoice")
            runtime.write("broken_here.py", "import nothing_of_this_name\n")
            worker = runtime.processes.pop("worker")
            worker.send_signal(signal.SIGTERM)
            worker.wait(15)
            runtime.http.post("/api/queues/high/pause")
            runtime.post("echo", 1)
            page.goto(f"{runtime.url}/overview")
            wrong = page.get_by_role("region", name="Problems")
            expect(wrong).to_contain_text("No worker is running: no request starts.")
            expect(wrong).to_contain_text("Function charge_invoice fails: 6 of 6 requests")
            expect(wrong).to_contain_text("Queue high has been paused since")
            picture("overview-trouble")

            stop(service, process)
            expect(wrong).to_contain_text("The database has been unavailable since", timeout=30_000)
            expect(page.get_by_role("heading", name="Queues")).to_be_visible()
            picture("overview-database-away")
            process = start(service)
            expect(wrong).not_to_contain_text("The database has been unavailable", timeout=30_000)
    finally:
        stop(service, process)


@pytest.fixture
def sub_path_runtime(start_runtime: StartRuntime) -> Iterator[Runtime]:
    with start_runtime(settings=SUB_PATH) as runtime:
        yield runtime


def test_the_overview_links_to_rq_dashboard_below_a_sub_path(
    page: Page, sub_path_runtime: Runtime, picture: Picture
) -> None:
    request = sub_path_runtime.call("raise_error")
    page.goto(f"{sub_path_runtime.url}/tools/localfn/overview")
    page.get_by_role("link", name="rq-dashboard").click()
    expect(page).to_have_url(re.compile("/tools/localfn/rq/"))
    expect(page.get_by_role("row", name="default 0 0 0 0 0 1 0")).to_be_visible()
    picture("rq-dashboard")

    page.goto(f"{sub_path_runtime.url}/tools/localfn/rq/0/view/job/{request['id']}-1")
    expect(page.get_by_text(f"raise_error {request['id']}").first).to_be_visible()
    expect(page.get_by_text("KeyError").first).to_be_visible()
    picture("rq-dashboard-job")
