"""Store files on a real S3-compatible server: moto's, or the server at LOCALSTACK_HOST."""

import hashlib
import io
import os
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import Engine

from infra.config import file_storage
from tests.conftest import StartRuntime
from tests.integration.lifecycle.steps import accept_request
from tests.support.runtime import Runtime
from tests.support.waiting import wait_until
from workqueue.errors import BucketMissingError
from workqueue.files.s3_store import MULTIPART_BYTES, S3Store
from workqueue.files.store import StorageError
from workqueue.maintenance import cleaner

MIB = 1024 * 1024
ID = UUID(int=7)


@pytest.fixture
def store(s3_environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> S3Store:
    for name, value in s3_environ.items():
        monkeypatch.setenv(name, value)  # localstack-client reads the variable there.
    made = file_storage.make_store(f"s3://bucket-{uuid4().hex}/some/prefix", Path("/nowhere"))
    assert isinstance(made, S3Store)
    made.prepare(create=True)
    return made


@pytest.mark.parametrize("size", [0, 1, MULTIPART_BYTES, 2 * MULTIPART_BYTES + 12_345])
def test_a_stored_file_is_read_back_whole_and_in_small_pieces(store: S3Store, size: int) -> None:
    content = os.urandom(size)
    stored = store.put(ID, "in", "a.csv", io.BytesIO(content))
    assert (stored.size, stored.sha256) == (size, hashlib.sha256(content).hexdigest())
    assert (stored.content_type, stored.stored_as) == ("text/csv", f"{ID}/in/a.csv")
    with store.open(stored.stored_as, stored.sha256) as file:
        assert file.read(10) + file.read() == content


def test_a_large_file_is_read_and_sent_in_parts(store: S3Store) -> None:
    class Source(io.RawIOBase):
        largest = 0
        left = 40 * MIB

        def read(self, size: int = -1) -> bytes:
            assert size >= 0, "it is read whole"
            self.largest = max(self.largest, size)
            given = min(size, self.left)
            self.left -= given
            return b"x" * given

    source = Source()
    stored = store.put(ID, "1", "large", source)  # type: ignore[arg-type]
    assert stored.size == 40 * MIB
    assert source.largest <= MULTIPART_BYTES
    head = store._client.head_object(Bucket=store.bucket, Key=f"some/prefix/{stored.stored_as}")
    assert head["ETag"].strip('"').endswith("-5")
    assert head["ContentType"] == "application/octet-stream"


def test_a_file_changed_during_the_upload_is_an_error(store: S3Store) -> None:
    stored = store.put(ID, "in", "a", io.BytesIO(b"what was stored"))
    store._client.put_object(Bucket=store.bucket, Key=f"some/prefix/{stored.stored_as}", Body=b"something else!")
    with store.open(stored.stored_as, stored.sha256) as file, pytest.raises(StorageError, match="checksum"):
        file.read()


def test_removing_a_part_or_a_request_leaves_other_files(store: S3Store) -> None:
    for part in ("1", "10", "in"):
        store.put(ID, part, "a", io.BytesIO(b"x"))
    other = store.put(UUID(int=70), "1", "a", io.BytesIO(b"x"))
    store.remove(ID, "1")
    with pytest.raises(FileNotFoundError):
        store.open(f"{ID}/1/a")
    store.open(f"{ID}/10/a").close()
    store.remove(ID)
    store.remove(ID)  # Removing missing parts is not an error.
    assert store.request_ids(time.time() + 60) == [UUID(int=70)]
    store.open(other.stored_as).close()


def test_more_files_than_one_call_deletes_are_removed(store: S3Store) -> None:
    for number in range(3):
        store.put(ID, str(number), "a", io.BytesIO(b"x"))
    import workqueue.files.s3_store as module

    before, module.MAX_DELETED_KEYS = module.MAX_DELETED_KEYS, 2
    try:
        store.remove(ID)
    finally:
        module.MAX_DELETED_KEYS = before
    assert store.request_ids(time.time() + 60) == []


def test_old_orphans_and_unfinished_uploads_are_removed(store: S3Store, engine: Engine) -> None:
    known, unknown = accept_request(engine), UUID(int=9)
    for id in (known, unknown):
        store.put(id, "in", "a", io.BytesIO(b"x"))
    key = f"some/prefix/{known}/2/half"
    store._client.create_multipart_upload(
        Bucket=store.bucket, Key=key
    )  # The process that started the upload was killed.
    store._client.put_object(Bucket=store.bucket, Key="some/prefix/notes.txt", Body=b"not ours")

    store.abort_unfinished(before=0)  # moto dates every upload to 2010.
    assert len(store._client.list_multipart_uploads(Bucket=store.bucket)["Uploads"]) == 1
    assert cleaner.remove_orphaned_files(engine, store) == 0
    assert cleaner.remove_orphaned_files(engine, store, before=time.time() + 60) == 1
    assert store.request_ids(time.time() + 60) == [known]
    assert not store._client.list_multipart_uploads(Bucket=store.bucket).get("Uploads")


def test_a_missing_bucket_is_created_in_local_mode_only(store: S3Store) -> None:
    other = S3Store(f"missing-{uuid4().hex}", "", lambda: store._client)
    with pytest.raises(BucketMissingError):
        other.prepare(create=False)
    with pytest.raises(StorageError, match="NoSuchBucket"):
        other.put(ID, "in", "a", io.BytesIO(b"x"))
    for _ in range(2):
        other.prepare(create=True)
    other.put(ID, "in", "a", io.BytesIO(b"x"))


def test_an_unavailable_server_is_a_storage_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(StorageError):
        file_storage.make_store("s3://bucket/x", Path("/nowhere")).put(ID, "in", "a", io.BytesIO(b"x"))


@pytest.fixture(scope="module")
def s3_runtime(start_runtime: StartRuntime, s3_environ: dict[str, str]) -> Iterator[Runtime]:
    """Yield a whole runtime that stores its files on S3."""
    settings = s3_environ | {"LOCALFN_FILES": f"s3://whole-{uuid4().hex}/p", "LOCALFN_CONCURRENCY": "2"}
    with start_runtime(settings=settings) as runtime:
        yield runtime


def test_uploads_and_outputs_are_stored_on_s3_only(s3_runtime: Runtime) -> None:
    text = b"name,mass\n" + b"\n".join(b"penguin %d,%d" % (n, n) for n in range(400_000)) + b"\n"
    assert len(text) > MULTIPART_BYTES

    def post_with_retry() -> httpx.Response | None:
        """Retry as a client does after a 503: an emulator under load returns 500 now and then."""
        answer = s3_runtime.http.post("/api/functions/profile_csv", files={"csv": ("penguins.csv", text, "text/csv")})
        if answer.status_code == 503 and "Retry-After" in answer.headers:
            return None
        assert answer.status_code == 202, answer.text
        return answer

    answer: httpx.Response = wait_until(post_with_retry, 60, "S3 takes the upload")
    request = s3_runtime.wait_ended(answer.json()["id"], 120)
    assert request["status"] == "completed", request
    result = s3_runtime.get(f"/api/requests/{request['id']}/result")
    assert result["data"]["rows"] == 400_000

    upload = s3_runtime.http.get(f"/api/requests/{request['id']}/files/csv")
    assert upload.content == text
    assert upload.headers["Content-Type"].startswith("text/csv")
    assert upload.headers["Content-Length"] == str(len(text))
    part = s3_runtime.http.get(f"/api/requests/{request['id']}/inputs/csv", headers={"Range": "bytes=5-9"})
    assert (part.status_code, part.content) == (206, text[5:10])
    cleaned = s3_runtime.http.get(f"/api/requests/{request['id']}/files/cleaned.csv")
    assert cleaned.content.count(b"\n") == 400_001
    assert not any(path.is_file() for path in (s3_runtime.home / "files").rglob("*"))

    assert s3_runtime.http.delete(f"/api/requests/{request['id']}").status_code == 204
    assert s3_runtime.http.get(f"/api/requests/{request['id']}/files/csv").status_code == 404


@pytest.fixture
def bucket(s3_runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Store]:
    """Return the runtime's bucket, which tests remove and restore."""
    for name in ("LOCALSTACK_HOST", "AWS_ENDPOINT_URL"):
        if name in s3_runtime.env:
            monkeypatch.setenv(name, s3_runtime.env[name])
    store = file_storage.make_store(s3_runtime.env["LOCALFN_FILES"], Path("/nowhere"))
    assert isinstance(store, S3Store)
    yield store
    store.prepare(create=True)


def remove_bucket(store: S3Store) -> None:
    for id in store.request_ids(time.time() + 60):
        store.remove(id)
    store._client.delete_bucket(Bucket=store.bucket)


def test_a_result_waits_for_an_unavailable_store(s3_runtime: Runtime, bucket: S3Store) -> None:
    remove_bucket(bucket)
    request = s3_runtime.post("save_files")
    wait_until(lambda: s3_runtime.get(f"/api/requests/{request['id']}")["phase"] == "save", what="it is to be saved")
    bucket.prepare(create=True)

    ended = s3_runtime.wait_ended(request["id"])
    assert (ended["status"], ended["attempt"]) == ("completed", 1)


def test_an_unavailable_upload_uses_no_attempt_and_a_missing_one_fails(s3_runtime: Runtime, bucket: S3Store) -> None:
    files = {"csv": ("a.csv", b"a,b\n1,2\n", "text/csv")}
    request = s3_runtime.http.post("/api/functions/profile_csv?delay_s=2", files=files).json()
    remove_bucket(bucket)

    def is_given_back() -> bool:
        seen = s3_runtime.get(f"/api/requests/{request['id']}")
        return (seen["status"], seen["error_type"]) == ("pending", "NoStorage")

    assert wait_until(is_given_back, 30, "it is given back")
    bucket.prepare(create=True)
    ended = s3_runtime.wait_ended(request["id"], 60)
    assert (ended["status"], ended["error_type"]) == ("failed", "InputFileMissing")
    assert "a.csv" in ended["error_message"]
