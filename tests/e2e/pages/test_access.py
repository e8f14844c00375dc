"""Check roles on the pages: permissions, the user's own password, users and API keys."""

import re
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.conftest import StartRuntime
from tests.support.runtime import Runtime
from tests.support.waiting import wait_until

PASSWORD = "correct horse battery staple"
SETTINGS = {"LOCALFN_AUTH": "required", "SUPERUSER_USERNAME": "ada", "SUPERUSER_PASSWORD": PASSWORD}


@pytest.fixture(scope="module")
def login_runtime(start_runtime: StartRuntime) -> Iterator[Runtime]:
    """Yield a runtime that requires a login, with a failed request, a waiting one and a schedule."""
    with start_runtime(settings=SETTINGS) as runtime:
        body = {"username": "ada", "password": PASSWORD}
        cookie = httpx.post(f"{runtime.url}/api/session", json=body).headers["Set-Cookie"].partition(";")[0]
        runtime.http.headers["Cookie"] = cookie
        for role in ("viewer", "operator"):
            user = {"username": f"a-{role}", "password": PASSWORD, "role": role}
            assert runtime.http.post("/api/users", json=user).status_code == 201
        runtime.call("charge_invoice")
        runtime.post("echo", {}, params={"delay_s": 3600})
        schedule = {"name": "nightly", "function": "echo", "expression": "@daily"}
        assert runtime.http.post("/api/schedules", json=schedule).status_code == 201
        yield runtime


def log_in(page: Page, runtime: Runtime, name: str, address: str = "/", password: str = PASSWORD) -> None:
    page.goto(runtime.url + address)
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()
    expect(page.locator("summary", has_text=name)).to_be_visible()


def button_labels(page: Page) -> set[str]:
    """Return the labels of the buttons of the page's main part."""
    return {text for button in page.get_by_role("main").get_by_role("button").all() if (text := button.inner_text())}


def test_a_viewer_sees_no_forbidden_action_and_reads_why(page: Page, login_runtime: Runtime) -> None:
    failed = login_runtime.get("/api/requests?status=failed")["items"][0]["id"]
    log_in(page, login_runtime, "a-viewer")
    expect(page.get_by_role("heading", name="Queues")).to_be_visible()
    assert button_labels(page) == set()
    expect(page.get_by_role("link", name="Admin")).to_have_count(0)

    page.goto(f"{login_runtime.url}/requests")
    expect(page.locator("tbody tr")).to_have_count(2)
    expect(page.get_by_role("checkbox")).to_have_count(0)
    page.goto(f"{login_runtime.url}/requests/{failed}")
    expect(page.get_by_text("Your role (viewer) is not allowed to change requests or queues.")).to_be_visible()
    assert not button_labels(page) & {"Retry", "Cancel", "Run again", "Edit and run…"}
    page.goto(f"{login_runtime.url}/functions/echo")
    expect(page.get_by_text("Your role (viewer) is not allowed to invoke functions.")).to_be_visible()
    expect(page.get_by_role("button", name="Invoke")).to_be_disabled()
    page.goto(f"{login_runtime.url}/schedules/nightly")
    expect(page.get_by_text("Your role (viewer) is not allowed to change schedules.")).to_be_visible()
    assert button_labels(page) <= {"Expand all", "Collapse all"}


def test_an_operator_runs_requests_and_schedules_but_changes_no_schedule(page: Page, login_runtime: Runtime) -> None:
    log_in(page, login_runtime, "a-operator", "/schedules/nightly")
    expect(page.get_by_role("button", name="Run now")).to_be_visible()
    assert not button_labels(page) & {"Edit", "Pause", "Delete"}
    waiting = login_runtime.get("/api/requests?status=pending")["items"][0]["id"]
    page.goto(f"{login_runtime.url}/requests/{waiting}")
    page.get_by_role("button", name="Run now").click()
    expect(page.locator(".head .badge")).to_have_text("completed")


def test_an_admin_creates_a_user_that_changes_its_own_password(page: Page, login_runtime: Runtime) -> None:
    log_in(page, login_runtime, "ada", "/users")
    page.get_by_role("button", name="Create user").click()
    page.get_by_label("Username").fill("grace")
    page.get_by_label("Password").fill("short")
    save = page.get_by_role("dialog").get_by_role("button", name="Create user")
    save.click()
    expect(page.get_by_role("alert").filter(has_text="8 to")).to_be_visible()
    page.get_by_label("Password").fill(PASSWORD)
    save.click()
    expect(page.locator("tbody tr").filter(has_text="grace")).to_contain_text("viewer")
    page.locator("summary", has_text="ada").click()
    page.get_by_role("button", name="Log out", exact=True).click()

    log_in(page, login_runtime, "grace", "/overview")
    page.locator("summary", has_text="grace").click()
    page.get_by_role("button", name="Change password").click()
    dialog = page.get_by_role("dialog", name="Change password")
    dialog.get_by_label("Current password").fill("not this one")
    dialog.get_by_label("New password", exact=True).fill("another horse")
    dialog.get_by_label("Repeat new password").fill("another")
    expect(dialog.get_by_text("The new passwords differ.")).to_be_visible()
    dialog.get_by_label("Repeat new password").fill("another horse")
    dialog.get_by_role("button", name="Change password").click()
    expect(dialog.get_by_text("it is not your password")).to_be_visible()
    dialog.get_by_label("Current password").fill(PASSWORD)
    dialog.get_by_role("button", name="Change password").click()
    expect(dialog).to_be_hidden()
    expect(page.get_by_role("heading", name="Queues")).to_be_visible()
    body = {"username": "grace", "password": "another horse"}
    assert httpx.post(f"{login_runtime.url}/api/session", json=body).status_code == 200


def test_a_key_is_shown_once_authenticates_and_is_revoked(page: Page, login_runtime: Runtime) -> None:
    log_in(page, login_runtime, "ada", "/keys")
    page.get_by_role("button", name="Create API key").click()
    dialog = page.get_by_role("dialog", name="Create API key")
    dialog.get_by_label("Name").fill("ci")
    dialog.get_by_label("Functions", exact=True).select_option("echo")
    dialog.get_by_role("button", name="Create key").click()
    expect(dialog.get_by_text("Copy the API key now.")).to_be_visible()
    key = dialog.locator("code").first.inner_text()
    assert re.fullmatch(r"lfn_\S{30,}", key)

    def call() -> int:
        headers = {"Authorization": f"Bearer {key}"}
        return httpx.post(f"{login_runtime.url}/api/functions/echo", headers=headers, json={}).status_code

    assert call() == 202
    dialog.get_by_role("button", name="Done").click()
    row = page.locator("tbody tr").filter(has_text="ci")
    expect(row).to_contain_text("echo")
    expect(page.get_by_text(key)).to_have_count(0)
    row.get_by_role("button", name="Revoke ci").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("No API keys yet")).to_be_visible()

    wait_until(lambda: call() == 401, 10, "the revoked key is rejected")
