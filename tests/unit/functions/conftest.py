"""Share fixtures: the functions folder on the path, real data, contexts made by the SDK."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from localfn import Context
from tests.unit.functions.fetch_json.loopback_api import Api, serving

ROOT = Path(__file__).parents[3]
DATA = ROOT / "tests" / "data"

# As a sandbox does.
sys.path.insert(0, str(ROOT / "functions"))

MakeContext = Callable[..., Context]


@pytest.fixture
def make_context(tmp_path: Path) -> MakeContext:
    """Return a function that makes contexts with uploads: `make_context(csv=PATH, report=on_progress)`."""

    def make(report: Callable[..., None] | None = None, **files: Path) -> Context:
        options: dict[str, Any] = {} if report is None else {"report": report}
        workdir = tmp_path / "workdir"
        workdir.mkdir(exist_ok=True)
        return Context(
            request_id="0190b3a4-0000-7000-8000-000000000001",
            function_name="example",
            workdir=workdir,
            max_attempts=4,
            files=files,
            **options,
        )

    return make


@pytest.fixture(scope="session")
def nyc_weather(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "nyc_weather_2013.csv"
    path.write_bytes(gzip.decompress((DATA / "nyc_weather_2013.csv.gz").read_bytes()))
    return path


@pytest.fixture(scope="session")
def data() -> Path:
    return DATA


@pytest.fixture
def api() -> Iterator[Api]:
    with serving() as served:
        yield served


@pytest.fixture
def fetch(make_context: MakeContext, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """Call fetch_json where the operator allows 127.0.0.1."""
    # Imported here: this file puts the folder on the path.
    from examples.fetch_json import check, fetch_json

    monkeypatch.setenv("FETCH_JSON_ALLOW_PRIVATE", "127.0.0.1")

    def run(url: str, **event: Any) -> dict[str, Any]:
        context = make_context()
        result: dict[str, Any] = fetch_json(check({"url": url, **event}, context), context)
        return result

    return run


@pytest.fixture
def profile(make_context: MakeContext, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Profile bytes as an upload; "cleaned" is the text of cleaned.csv."""
    from examples.profile_csv import check, profile_csv
    from localfn.outcome.result import to_json

    def run(content: bytes | str, **event: Any) -> dict[str, Any]:
        upload = tmp_path / "upload"
        upload.write_bytes(content if isinstance(content, bytes) else content.encode())
        context = make_context(csv=upload)
        result: dict[str, Any] = json.loads(to_json(profile_csv(check(event, context), context)))
        cleaned = (context.workdir / ".output" / "cleaned.csv").read_bytes().decode()
        return {**result, "cleaned": cleaned}

    return run
