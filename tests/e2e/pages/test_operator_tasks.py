"""Invoke functions, create schedules and pause queues in a browser, on the real stack."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.support.runtime import Runtime
from tests.support.waiting import wait_until


def test_the_form_of_a_schema_submits_an_event_and_remembers_it(page: Page, runtime: Runtime) -> None:
    page.goto(f"{runtime.url}/functions/order_as_dict")
    form = page.get_by_role("form", name="Invoke")
    send = form.get_by_role("button", name="Invoke")
    expect(send).to_be_disabled()
    expect(form.get_by_role("status")).to_contain_text("article")

    form.get_by_label("article").fill("lamp")
    send.click()
    expect(page).to_have_url(re.compile("/requests/"))
    expect(page.get_by_role("main")).to_contain_text("Completed", ignore_case=True)

    page.goto(f"{runtime.url}/functions/order_as_dict")
    expect(form.get_by_label("article")).to_have_value("lamp")
    form.get_by_role("button", name="Reset").click()
    expect(form.get_by_label("article")).to_have_value("")


def test_invalid_json_is_marked_with_line_and_column(page: Page, runtime: Runtime) -> None:
    page.goto(f"{runtime.url}/functions/echo")
    form = page.get_by_role("form", name="Invoke")
    form.get_by_role("textbox", name="Event").fill('{\n  "a": 1,\n  "b": oops\n}')
    expect(form.get_by_role("status")).to_contain_text(re.compile("line 3.*column 8", re.IGNORECASE))
    expect(form.get_by_role("button", name="Invoke")).to_be_disabled()


def test_a_dropped_file_is_sent_as_the_part_that_the_function_expects(page: Page, runtime: Runtime) -> None:
    page.goto(f"{runtime.url}/functions/profile_csv")
    form = page.get_by_role("form", name="Invoke")
    dropped = page.evaluate_handle(
        """() => {
            const files = new DataTransfer()
            files.items.add(new File(["a,b\\n1,2\\n3,4\\n"], "few.csv", {type: "text/csv"}))
            return files
        }"""
    )
    form.get_by_role("group", name="Files").dispatch_event("drop", {"dataTransfer": dropped})
    expect(form.get_by_label("Part name for few.csv")).to_have_value("csv")
    form.get_by_role("button", name="Invoke").click()
    expect(page).to_have_url(re.compile("/requests/"))
    expect(page.get_by_role("main")).to_contain_text("Completed", ignore_case=True)


def test_a_schedule_is_created_with_a_preview_run_edited_and_deleted(page: Page, runtime: Runtime) -> None:
    page.goto(f"{runtime.url}/schedules?new=echo")
    editor = page.get_by_role("dialog", name="Create schedule")
    editor.get_by_label("Name").fill("by-hand")
    when = editor.get_by_label("Expression")
    when.fill("61 * * * *")
    expect(editor.get_by_role("alert")).to_be_visible()
    expect(when).to_have_attribute("aria-invalid", "true")
    expect(editor.get_by_role("button", name="Create")).to_be_disabled()

    when.fill("* * * * *")
    expect(editor).to_contain_text("Every minute")
    expect(editor.get_by_role("row")).to_have_count(11)
    editor.get_by_role("button", name="Create").click()

    expect(page).to_have_url(re.compile("/schedules/by-hand"))
    page.get_by_role("button", name="Run now").click()
    expect(page.get_by_role("main")).to_contain_text("Completed", ignore_case=True)
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    page.get_by_role("button", name="Edit").click()
    editor = page.get_by_role("dialog", name="Edit by-hand")
    editor.get_by_label("Expression").fill("rate(2 hours)")
    editor.get_by_role("button", name="Save").click()
    expect(page.get_by_role("main")).to_contain_text("Every 2 hours")

    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page).to_have_url(re.compile("/schedules$"))
    assert runtime.http.get("/api/schedules/by-hand").status_code == 404


def test_a_schedule_created_in_the_browser_fires_at_its_time(page: Page, runtime: Runtime) -> None:
    page.goto(f"{runtime.url}/schedules?new=echo")
    editor = page.get_by_role("dialog", name="Create schedule")
    editor.get_by_label("Name").fill("quick")
    editor.get_by_label("Expression").fill("rate(3 seconds)")
    editor.get_by_role("button", name="Create").click()
    expect(page).to_have_url(re.compile("/schedules/quick"))
    expect(page.get_by_role("main")).to_contain_text("Completed", ignore_case=True)
    runtime.http.delete("/api/schedules/quick")


def test_the_overview_shows_running_and_failed_requests_and_retries_them(page: Page, runtime: Runtime) -> None:
    running = runtime.post("build_report", {"steps": 600, "pause_s": 0.5})["id"]
    failed = runtime.call("charge_invoice")["id"]
    page.goto(runtime.url)
    expect(page).to_have_url(re.compile("/overview$"))
    expect(page.get_by_role("region", name="Running now")).to_contain_text(
        re.compile(r"build_report.*region \d+ of 600")
    )
    row = page.get_by_role("region", name="Latest failures").get_by_role("listitem").first
    expect(row.get_by_role("link")).to_have_attribute("href", f"/requests/{failed}")
    row.get_by_role("button", name="Retry charge_invoice").click()
    wait_until(lambda: len(runtime.attempts(failed)) == 2, 30, "it runs again")
    runtime.http.post(f"/api/requests/{running}/cancel")


@pytest.fixture
def resume_queue(runtime: Runtime) -> str:
    """Resume the queue after the test, even after a failure."""
    runtime.http.post("/api/queues/low/resume")
    return "low"


def test_a_queue_is_paused_purged_and_resumed(page: Page, runtime: Runtime, resume_queue: str) -> None:
    page.goto(f"{runtime.url}/overview")
    page.get_by_role("button", name=f"Pause queue {resume_queue}").click()
    expect(page.get_by_role("button", name=f"Resume queue {resume_queue}")).to_be_visible()
    expect(page.get_by_role("region", name="Problems")).to_contain_text(f"Queue {resume_queue} has been paused since")
    request = runtime.post("echo", 1, params={"queue": resume_queue})

    page.get_by_role("button", name=f"Empty queue {resume_queue}").click()
    page.get_by_role("button", name="Cancel pending requests").click()
    # Assert on lasting text only: the message with the number of cancelled requests disappears after five seconds.
    expect(page.get_by_role("button", name=f"Empty queue {resume_queue}")).to_be_disabled()
    assert runtime.wait_ended(request["id"])["error_type"] == "Cancelled"

    page.get_by_role("button", name=f"Resume queue {resume_queue}").click()
    expect(page.get_by_role("button", name=f"Pause queue {resume_queue}")).to_be_visible()
    assert runtime.call("echo", 1, params={"queue": resume_queue})["status"] == "completed"


def test_a_failed_import_is_shown_with_its_traceback(page: Page, runtime: Runtime) -> None:
    path = runtime.write("broken_here.py", "import nothing_of_this_name\n")
    try:
        page.goto(f"{runtime.url}/functions")
        expect(page.get_by_text("broken_here.py cannot be imported")).to_be_visible()
        page.get_by_text("Traceback", exact=True).click()
        expect(page.get_by_text("No module named 'nothing_of_this_name'").last).to_be_visible()
    finally:
        path.unlink()
