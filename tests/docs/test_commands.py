"""Every command of tutorial and how-to runs, and prints what its page shows."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer

from tests.conftest import Servers, fresh_database
from tests.docs.markdown import ROOT, Fence, fences, pages
from tests.docs.reader import Reader
from tests.support.runtime import make_folder

pytestmark = pytest.mark.timeout(400)


TUTORIAL = pages("tutorial")
HOW_TO = [*(path for path in pages("how-to") if fences(path)), ROOT / "README.md"]

STARTS = [path for path in HOW_TO if any(fence.marker and fence.marker[0] == "after" for fence in fences(path))]


@contextmanager
def reader_with(servers: Servers, redis_number: int, **replaced: str) -> Iterator[Reader]:
    """Make a reader for whom the servers of the pages exist: empty ones, as an operator creates them."""
    with contextmanager(fresh_database)(servers, "template1") as url, make_folder() as folder:
        folder.chmod(0o755)
        servers_of_pages = {
            "postgresql://localfn:secret@db.example.org/localfn": url,
            "redis://:secret@redis.example.org:6379/0": f"{servers.redis_url}?db={redis_number}",
            "./dev functions": "localfn functions",
        }
        reader = Reader(folder, servers_of_pages | replaced)
        try:
            yield reader
        finally:
            reader.stop()


@pytest.fixture(scope="module")
def learner(servers: Servers) -> Iterator[Reader]:
    """Follow the pages of the tutorial, one after another in one folder."""
    with reader_with(servers, redis_number=1) as reader:
        yield reader


@pytest.fixture(scope="module")
def operator(servers: Servers) -> Iterator[Reader]:
    """Run one project for the how-to pages that start nothing themselves."""
    with reader_with(servers, redis_number=2) as reader:
        reader.start("localfn up")
        yield reader


@pytest.fixture(scope="module")
def s3_port() -> Iterator[str]:
    """Yield the port of an S3 server, in the place of the reader's LocalStack."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield str(server.get_host_and_port()[1])
    server.stop()


@pytest.mark.parametrize("path", TUTORIAL, ids=lambda path: path.stem)
def test_the_tutorial_does_what_it_shows(learner: Reader, path: Path) -> None:
    learner.follow(fences(path))


@pytest.mark.parametrize("path", [path for path in HOW_TO if path not in STARTS], ids=lambda path: path.stem)
def test_a_how_to_page_does_what_it_shows(operator: Reader, path: Path) -> None:
    operator.follow(fences(path))


@pytest.mark.parametrize("path", STARTS, ids=lambda path: path.stem)
def test_a_how_to_page_that_starts_a_runtime_does_what_it_shows(servers: Servers, s3_port: str, path: Path) -> None:
    with reader_with(servers, 3, **{":4566": f":{s3_port}"}) as reader:
        reader.follow(fences(path))


# Fences that no test can run, each with its reason on the line above it. A new one changes a number here.
NOT_RUN = {
    "README.md": 2,
    "docs/tutorial/1-first-function.md": 1,
    "docs/tutorial/4-deploy.md": 1,
    "docs/how-to/containers.md": 5,
    "docs/how-to/kubernetes.md": 3,
    "docs/how-to/installing.md": 2,
    "docs/how-to/monitoring.md": 3,
    "docs/how-to/operate.md": 1,
    "docs/how-to/postgresql.md": 4,
    "docs/how-to/production.md": 3,
    "docs/how-to/schedules.md": 1,
    "docs/how-to/upgrading.md": 4,
}


def test_fences_that_are_not_run_are_counted_and_say_why() -> None:
    skipped = [(path, fence) for path in (*TUTORIAL, *HOW_TO) for fence in fences(path) if is_skipped(fence)]
    assert Counter(str(path.relative_to(ROOT)) for path, _ in skipped) == NOT_RUN
    unknown = [fence.place for path in (*TUTORIAL, *HOW_TO) for fence in fences(path) if not is_followed(fence)]
    assert not unknown, f"not console, and neither a file nor marked as not run: {unknown}"


def is_skipped(fence: Fence) -> bool:
    return fence.marker is not None and fence.marker[0] == "not run"


def is_followed(fence: Fence) -> bool:
    """Tell whether the reader knows what to do with a fence."""
    return fence.language in ("", "console") or fence.marker is not None
