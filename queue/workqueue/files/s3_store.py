"""Store files on S3 as `<prefix>/<request id>/<part>/<name>`, streaming uploads and downloads.

S3 verifies uploads against the checksums that are sent with them. Downloads are verified against the stored checksum.
"""

import contextlib
import errno
import hashlib
import io
import logging
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import IO, Any
from uuid import UUID

from boto3.s3.transfer import TransferConfig
from botocore.exceptions import BotoCoreError, ClientError

from workqueue.errors import BucketMissingError
from workqueue.files.store import StorageError, StoredFile, guess_content_type

log = logging.getLogger(__name__)

MULTIPART_BYTES = 8 * 1024 * 1024
MAX_DELETED_KEYS = 1000  # the most that DeleteObjects takes
NOT_FOUND_CODES = frozenset({"404", "NoSuchKey", "NotFound"})
DENIED_CODES = frozenset({"403", "AccessDenied", "Forbidden", "InvalidAccessKeyId", "SignatureDoesNotMatch"})


class S3Store:
    """FileStore in an S3 bucket.

    make_client: returns a boto3 client. Each process calls it, because a client must not cross a fork. creates_bucket:
    a bucket that has vanished is created again, as emulators forget theirs when they restart.
    """

    def __init__(
        self, bucket: str, prefix: str, make_client: Callable[[], Any], *, creates_bucket: bool = False
    ) -> None:
        self._creates_bucket = creates_bucket
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
            with self._translate_errors():
                self._client.head_bucket(Bucket=self.bucket)
        except FileNotFoundError:
            raise BucketMissingError(f"There is no bucket {self.bucket!r} on S3.") from None

    def put(self, request_id: UUID, part: str, name: str, source: IO[bytes]) -> StoredFile:
        key, reader = f"{request_id}/{part}/{name}", _HashingReader(source)
        media_type = guess_content_type(name)
        with self._translate_errors():
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
        with self._translate_errors():
            body = self._client.get_object(Bucket=self.bucket, Key=self._prefix + stored_as, **options)["Body"]
        # The checksum covers the whole file, so a part cannot be verified.
        return io.BufferedReader(_VerifyingReader(body, self.bucket, stored_as, "" if part else sha256), 1024 * 1024)

    def remove(self, request_id: UUID, part: str = "") -> None:
        prefix = f"{self._prefix}{request_id}/" + (f"{part}/" if part else "")
        with self._translate_errors():
            self._abort_uploads(prefix, lambda _: True)
            keys = [entry["Key"] for entry in self._list_objects(prefix)]
            for start in range(0, len(keys), MAX_DELETED_KEYS):
                objects = [{"Key": key} for key in keys[start : start + MAX_DELETED_KEYS]]
                self._client.delete_objects(Bucket=self.bucket, Delete={"Objects": objects, "Quiet": True})

    def request_ids(self, before: float) -> list[UUID]:
        oldest = dict[UUID, float]()
        with self._translate_errors():
            for entry in self._list_objects(self._prefix):
                with contextlib.suppress(ValueError):  # the key belongs to another program
                    id = UUID(entry["Key"].removeprefix(self._prefix).partition("/")[0])
                    oldest[id] = min(oldest.get(id, before), entry["LastModified"].timestamp())
        return [id for id, time in oldest.items() if time < before]

    def abort_unfinished(self, before: float) -> None:
        with self._translate_errors():
            self._abort_uploads(self._prefix, lambda upload: bool(upload["Initiated"].timestamp() < before))

    def _create_bucket(self) -> None:
        region = self._client.meta.region_name
        where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        with _translate_errors(self.bucket):
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

    @contextlib.contextmanager
    def _translate_errors(self) -> Iterator[None]:
        """Translate S3's errors in the block. A vanished bucket may be created again, for the next try."""
        try:
            with _translate_errors(self.bucket):
                yield
        except BucketVanishedError:
            if self._creates_bucket:
                self._create_bucket()
                log.warning("bucket created again; its files are lost", extra={"bucket": self.bucket})
            raise


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

    def __init__(self, body: Any, bucket: str, stored_as: str, sha256: str) -> None:
        self._body, self._bucket, self._stored_as, self._sha256 = body, bucket, stored_as, sha256
        self._digest = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with _translate_errors(self._bucket):
            data = self._body.read(len(buffer))
        self._digest.update(data)
        if not data and self._sha256 and self._digest.hexdigest() != self._sha256:
            raise StorageError(f"{self._stored_as} on S3 was changed after the upload: its checksum differs.")
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._body.close()
        super().close()


class BucketVanishedError(StorageError):
    """The bucket that the store has used is not there."""


@contextlib.contextmanager
def _translate_errors(bucket: str) -> Iterator[None]:
    """Translate S3's errors in the block. Raises FileNotFoundError, StorageError."""
    try:
        yield
    except ClientError as error:
        details = error.response.get("Error", {})
        code, said = str(details.get("Code")), f"{details.get('Code')} {details.get('Message')}"
        if code in NOT_FOUND_CODES:
            raise FileNotFoundError(errno.ENOENT, str(error)) from None
        if code == "NoSuchBucket":
            raise BucketVanishedError(f"There is no bucket {bucket!r} on S3: {said}") from error
        if code in DENIED_CODES:
            raise StorageError(
                f"S3 denies access to the bucket {bucket!r} of LOCALFN_FILES: {said}; "
                "check the credentials (AWS_ACCESS_KEY_ID, a profile or a role) and the bucket's policy"
            ) from error
        raise StorageError(f"S3 rejects the call: {said}") from error
    except BotoCoreError as error:
        raise StorageError(f"S3 is unavailable: {error}") from error
