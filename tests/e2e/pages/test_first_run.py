"""Follow the front page of a runtime without functions to the first function."""

from pathlib import Path

from playwright.sync_api import Page, expect

from infra.project import create_project
from tests.conftest import StartRuntime


def test_the_page_says_how_to_write_a_function_and_continues_when_there_is_one(
    page: Page, start_runtime: StartRuntime, short_tmp_path: Path, pictures: Path
) -> None:
    short_tmp_path.chmod(0o711)
    functions = short_tmp_path / "functions"
    functions.mkdir()
    with start_runtime(settings={"LOCALFN_FUNCTIONS": str(functions)}) as runtime:
        page.goto(runtime.url)
        expect(page.get_by_role("heading", name="Write your first function")).to_be_visible()
        expect(page.get_by_text("localfn new", exact=True)).to_be_visible()
        page.screenshot(path=pictures / "first-run-without-functions.png", full_page=True)

        (functions / "broken.py").write_text("import nothing_of_this_name\n")
        expect(page.get_by_text("nothing_of_this_name").first).to_be_visible()
        create_project(short_tmp_path)
        expect(page.get_by_role("link", name="Invoke hello")).to_be_visible()
        expect(page.get_by_role("heading", name="Make your first request")).to_be_visible()
