"""Check the context of a request."""

from pathlib import Path

import pytest

from localfn.context import MAX_OUTPUT_FILES, OUTPUT_FOLDER, Context
from localfn.errors import LocalfnError
from workqueue.invocation import attempt_files


def test_a_request_saves_a_limited_number_of_files(tmp_path: Path) -> None:
    context = Context(request_id="id", function_name="f", workdir=tmp_path)
    (tmp_path / "one").write_text("1")
    context.saved = [{"name": f"{number}"} for number in range(1, MAX_OUTPUT_FILES)]
    assert context.save_file("one", "0") == "0"
    assert context.save_file("one", "0") == "0", "a name that exists is replaced"
    with pytest.raises(LocalfnError, match="1000 files"):
        context.save_file("one", "one more")
    assert len(context.saved) == MAX_OUTPUT_FILES == attempt_files.MAX_OUTPUT_FILES


def test_a_second_name_for_a_saved_file_is_rejected(tmp_path: Path) -> None:
    context = Context(request_id="id", function_name="f", workdir=tmp_path)
    (tmp_path / "one").write_text("1")
    context.save_file("one", "report")
    # On macOS the second name exists without this link, because names that differ only in case are one file.
    (tmp_path / OUTPUT_FOLDER / "Report").hardlink_to(tmp_path / OUTPUT_FOLDER / "report")
    with pytest.raises(LocalfnError, match="'Report' is the same file as 'report' on this system"):
        context.save_file("one", "Report")
    assert context.saved == [{"name": "report"}]
