"""Meet an S3 that hangs, denies, cuts its answers, or has lost its bucket."""

import io
import os
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import httpx
import pytest

from infra.config import file_storage
from tests.conftest import StartRuntime
from tests.integration.files.faulty_s3 import Fault, FaultyS3, run_faulty_s3
from tests.support.commands import localfn
from tests.support.runtime import Runtime
from tests.support.waiting import wait_until
from workqueue.files.s3_store import S3Store
from workqueue.files.store import StorageError

ID = UUID(int=7)
TIMEOUT_S = 1.0
LARGE = os.urandom(2 * 1024 * 1024)


@pytest.fixture(scope="module")
def faulty(s3_environ: dict[str, str]) -> Iterator[FaultyS3]:
    parts = urlsplit(s3_environ.get("AWS_ENDPOINT_URL") or f"http://{s3_environ.get('LOCALSTACK_HOST')}:4566")
    with run_faulty_s3(parts.hostname or "", parts.port or 4566) as made:
        yield made


@pytest.fixture(autouse=True)
def no_fault_at_first(faulty: FaultyS3) -> Iterator[None]:
    yield
    faulty.fault = Fault.NONE
    faulty.end_connections()


@pytest.fixture
def environ(faulty: FaultyS3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOCALSTACK_HOST", raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", faulty.url)


def make_store(*, creates_bucket: bool = True) -> S3Store:
    name = f"s3://bucket-{uuid4().hex}/p"
    made = file_storage.make_store(name, Path("/nowhere"), timeout_s=TIMEOUT_S, creates_bucket=creates_bucket)
    assert isinstance(made, S3Store)
    made.prepare(create=True)
    return made


def break_now(faulty: FaultyS3, fault: Fault) -> None:
    faulty.fault = fault
    faulty.end_connections()


@pytest.mark.usefixtures("environ")
def test_a_call_that_hangs_ends_with_its_timeout(faulty: FaultyS3) -> None:
    store = make_store()
    stored = store.put(ID, "in", "a", io.BytesIO(b"x"))
    break_now(faulty, Fault.HANG)
    began = time.monotonic()
    for call in (store.check_available, lambda: store.put(ID, "in", "b", io.BytesIO(b"x"))):
        with pytest.raises(StorageError, match="unavailable"):
            call()
    with pytest.raises(StorageError, match="unavailable"):
        store.open(stored.stored_as).close()
    assert time.monotonic() - began < 20 * TIMEOUT_S  # botocore's own timeouts are a minute for each try


@pytest.mark.usefixtures("environ")
def test_a_denial_names_the_setting_and_what_s3_said(faulty: FaultyS3) -> None:
    store = make_store()
    break_now(faulty, Fault.DENY)
    with pytest.raises(StorageError, match=r"denies access to the bucket .* of LOCALFN_FILES: AccessDenied .*policy"):
        store.put(ID, "in", "a", io.BytesIO(b"x"))


@pytest.mark.usefixtures("environ")
def test_an_answer_that_is_cut_is_no_short_file(faulty: FaultyS3) -> None:
    store = make_store()
    stored = store.put(ID, "in", "a", io.BytesIO(LARGE))
    break_now(faulty, Fault.CUT)
    with pytest.raises(StorageError), store.open(stored.stored_as, stored.sha256) as file:
        file.read()


@pytest.mark.usefixtures("environ")
@pytest.mark.parametrize("creates_bucket", [True, False])
def test_a_vanished_bucket_is_created_again_where_that_is_allowed(creates_bucket: bool) -> None:
    store = make_store(creates_bucket=creates_bucket)
    store._client.delete_bucket(Bucket=store.bucket)
    with pytest.raises(StorageError, match="NoSuchBucket"):
        store.put(ID, "in", "a", io.BytesIO(b"x"))
    if creates_bucket:
        assert store.put(ID, "in", "a", io.BytesIO(b"x")).size == 1
    else:
        with pytest.raises(StorageError, match="NoSuchBucket"):
            store.put(ID, "in", "a", io.BytesIO(b"x"))


@pytest.fixture(scope="module")
def runtime(start_runtime: StartRuntime, faulty: FaultyS3) -> Iterator[Runtime]:
    settings = {
        "AWS_ENDPOINT_URL": faulty.url,
        "LOCALFN_FILES": f"s3://whole-{uuid4().hex}/p",
        "LOCALFN_FILES_TIMEOUT_SECONDS": str(TIMEOUT_S),
    }
    with start_runtime(settings=settings) as made:
        yield made


def post(runtime: Runtime) -> httpx.Response:
    return runtime.http.post("/api/functions/echo", files={"data": ("large.bin", LARGE)})


@pytest.mark.parametrize("fault", [Fault.HANG, Fault.DENY])
def test_clients_hear_that_the_file_store_does_not_answer(runtime: Runtime, faulty: FaultyS3, fault: Fault) -> None:
    answer = post(runtime)
    assert answer.status_code == 202, answer.text
    path = f"/api/requests/{answer.json()['id']}/files/data"
    before = len(runtime.get("/api/requests?function=echo")["items"])

    break_now(faulty, fault)
    read, submitted = runtime.http.get(path), post(runtime)

    assert (read.status_code, submitted.status_code) == (503, 503), (read.text, submitted.text)
    assert "Retry-After" in read.headers
    assert "Retry-After" in submitted.headers
    assert read.json()["detail"] == "The file store does not answer. Try again."
    assert "nothing was accepted" in submitted.json()["detail"]
    assert len(runtime.get("/api/requests?function=echo")["items"]) == before
    faulty.fault = Fault.NONE
    wait_until(lambda: runtime.http.get(path).content == LARGE, 20, "the file is read once S3 answers")


def test_the_overview_metrics_and_doctor_show_the_outage(runtime: Runtime, faulty: FaultyS3) -> None:
    def shown() -> list[str]:
        return [each["text"] for each in runtime.get("/api/stats")["problems"] if each["code"] == "files_away"]

    assert not shown()
    break_now(faulty, Fault.DENY)
    wait_until(shown, 40, "the overview shows the outage")
    assert "denies access" in shown()[0]
    assert 'localfn_problems{code="files_away"} 1.0' in runtime.http.get("/metrics").text
    assert "denies access" in localfn(runtime, "doctor").stdout
    faulty.fault = Fault.NONE
    wait_until(lambda: not shown(), 20, "the outage is over")


def test_a_download_that_breaks_is_seen_as_broken(runtime: Runtime, faulty: FaultyS3) -> None:
    answer = post(runtime)
    assert answer.status_code == 202, answer.text
    break_now(faulty, Fault.CUT)
    with pytest.raises(httpx.TransportError):
        runtime.http.get(f"/api/requests/{answer.json()['id']}/files/data")
