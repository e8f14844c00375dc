"""Check the context of a request."""

from pathlib import Path

import pytest

from localfn.context import MAX_OUTPUT_FILES, Context
from localfn.errors import LocalfnError
from workqueue.invocation import results


def test_a_request_saves_a_limited_number_of_files(tmp_path: Path) -> None:
    context = Context(request_id="id", function_name="f", workdir=tmp_path)
    (tmp_path / "one").write_text("1")
    context.saved = [{"name": f"{number}"} for number in range(1, MAX_OUTPUT_FILES)]
    assert context.save_file("one", "0") == "0"
    assert context.save_file("one", "0") == "0", "a name that exists is replaced"
    with pytest.raises(LocalfnError, match="1000 files"):
        context.save_file("one", "one more")
    assert len(context.saved) == MAX_OUTPUT_FILES == results.MAX_OUTPUT_FILES
