"""Store files on S3 as `<prefix>/<request id>/<part>/<name>`, streaming uploads and downloads.

S3 verifies uploads against the checksums that are sent with them. Downloads are verified against the stored checksum.
"""

import contextlib
import errno
import hashlib
import io
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import IO, Any
from uuid import UUID

from boto3.s3.transfer import TransferConfig
from botocore.exceptions import BotoCoreError, ClientError

from workqueue.errors import BucketMissingError
from workqueue.files.store import StorageError, StoredFile, guess_content_type

MULTIPART_BYTES = 8 * 1024 * 1024
MAX_DELETED_KEYS = 1000  # the most that DeleteObjects takes
NOT_FOUND_CODES = frozenset({"404", "NoSuchKey", "NotFound"})


class S3Store:
    """FileStore in an S3 bucket.

    make_client: returns a boto3 client. Each process calls it, because a client must not cross a fork.
    """

    def __init__(self, bucket: str, prefix: str, make_client: Callable[[], Any]) -> None:
        self.bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._make_client = make_client

    @cached_property
    def _client(self) -> Any:
        return self._make_client()

    def prepare(self, *, create: bool) -> None:
        try:
            self.check_available()
        except BucketMissingError:
            if not create:
                raise
            self._create_bucket()

    def check_available(self) -> None:
        try:
            with _translate_errors():
                self._client.head_bucket(Bucket=self.bucket)
        except FileNotFoundError:
            raise BucketMissingError(f"There is no bucket {self.bucket!r} on S3.") from None

    def put(self, request_id: UUID, part: str, name: str, source: IO[bytes]) -> StoredFile:
        key, reader = f"{request_id}/{part}/{name}", _HashingReader(source)
        media_type = guess_content_type(name)
        with _translate_errors():
            # A multipart upload keeps only a few parts in memory, however large the file is.
            self._client.upload_fileobj(
                reader,
                self.bucket,
                self._prefix + key,
                ExtraArgs={"ContentType": media_type, "ChecksumAlgorithm": "SHA256"},
                Config=TransferConfig(multipart_threshold=MULTIPART_BYTES, multipart_chunksize=MULTIPART_BYTES),
            )
            stored = self._client.head_object(Bucket=self.bucket, Key=self._prefix + key)["ContentLength"]
        if stored != reader.size:
            raise StorageError(f"{name}: {reader.size} bytes were sent to S3, but it stored {stored}.")
        return StoredFile(name, name, reader.size, media_type, reader.digest.hexdigest(), key)

    def open(self, stored_as: str, sha256: str = "", part: range | None = None) -> IO[bytes]:
        options = {"Range": f"bytes={part.start}-{part.stop - 1}"} if part else {}
        with _translate_errors():
            body = self._client.get_object(Bucket=self.bucket, Key=self._prefix + stored_as, **options)["Body"]
        # The checksum covers the whole file, so a part cannot be verified.
        return io.BufferedReader(_VerifyingReader(body, stored_as, "" if part else sha256), 1024 * 1024)

    def remove(self, request_id: UUID, part: str = "") -> None:
        prefix = f"{self._prefix}{request_id}/" + (f"{part}/" if part else "")
        with _translate_errors():
            self._abort_uploads(prefix, lambda _: True)
            keys = [entry["Key"] for entry in self._list_objects(prefix)]
            for start in range(0, len(keys), MAX_DELETED_KEYS):
                objects = [{"Key": key} for key in keys[start : start + MAX_DELETED_KEYS]]
                self._client.delete_objects(Bucket=self.bucket, Delete={"Objects": objects, "Quiet": True})

    def request_ids(self, before: float) -> list[UUID]:
        oldest = dict[UUID, float]()
        with _translate_errors():
            for entry in self._list_objects(self._prefix):
                with contextlib.suppress(ValueError):  # the key belongs to another program
                    id = UUID(entry["Key"].removeprefix(self._prefix).partition("/")[0])
                    oldest[id] = min(oldest.get(id, before), entry["LastModified"].timestamp())
        return [id for id, time in oldest.items() if time < before]

    def abort_unfinished(self, before: float) -> None:
        with _translate_errors():
            self._abort_uploads(self._prefix, lambda upload: bool(upload["Initiated"].timestamp() < before))

    def _create_bucket(self) -> None:
        region = self._client.meta.region_name
        where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        with _translate_errors():
            try:
                self._client.create_bucket(Bucket=self.bucket, **where)
            except self._client.exceptions.BucketAlreadyOwnedByYou:
                return  # another process has just created it

    def _list_objects(self, prefix: str) -> Iterator[dict[str, Any]]:
        for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix):
            yield from page.get("Contents", ())

    def _abort_uploads(self, prefix: str, is_selected: Callable[[dict[str, Any]], bool]) -> None:
        """Abort multipart uploads that were never completed: listings omit them, but S3 charges for them."""
        for page in self._client.get_paginator("list_multipart_uploads").paginate(Bucket=self.bucket, Prefix=prefix):
            for upload in filter(is_selected, page.get("Uploads", ())):
                self._client.abort_multipart_upload(Bucket=self.bucket, Key=upload["Key"], UploadId=upload["UploadId"])


class _HashingReader(io.RawIOBase):
    """A reader that counts and hashes the bytes that pass through it."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self.size, self.digest = 0, hashlib.sha256()

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._source.read(size)
        self.size += len(data)
        self.digest.update(data)
        return data


class _VerifyingReader(io.RawIOBase):
    """A reader that verifies the checksum at the end. sha256: in hex; empty to skip the check.

    Raises StorageError at the end of the body if the checksum differs.
    """

    def __init__(self, body: Any, stored_as: str, sha256: str) -> None:
        self._body, self._stored_as, self._sha256 = body, stored_as, sha256
        self._digest = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with _translate_errors():
            data = self._body.read(len(buffer))
        self._digest.update(data)
        if not data and self._sha256 and self._digest.hexdigest() != self._sha256:
            raise StorageError(f"{self._stored_as} on S3 was changed after the upload: its checksum differs.")
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._body.close()
        super().close()


@contextlib.contextmanager
def _translate_errors() -> Iterator[None]:
    """Translate S3's errors in the block. Raises FileNotFoundError, StorageError."""
    try:
        yield
    except ClientError as error:
        details = error.response.get("Error", {})
        if str(details.get("Code")) in NOT_FOUND_CODES:
            raise FileNotFoundError(errno.ENOENT, str(error)) from None
        raise StorageError(f"S3 rejects the call: {details.get('Code')} {details.get('Message')}") from error
    except BotoCoreError as error:
        raise StorageError(f"S3 is unavailable: {error}") from error
