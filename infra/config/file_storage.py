"""Parse LOCALFN_FILES, and create the file store: a folder, S3, or an S3 emulator through localstack-client."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from infra.config.environment import require_extra
from infra.errors import SettingsError
from workqueue.files.disk_space import Disk

if TYPE_CHECKING:
    from workqueue.files.store import FileStore

BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
PREFIX = re.compile(r"[A-Za-z0-9!_.*'()/-]*")  # the safe characters of S3's guide for object keys
TIMEOUT_S = 20.0  # default of LOCALFN_FILES_TIMEOUT_SECONDS
CONNECT_S = 5.0
MAX_TRIES = 2  # of one call to S3; callers try again themselves
EMULATORS = ("LOCALSTACK_HOST", "AWS_ENDPOINT_URL")


@dataclass(frozen=True)
class Bucket:
    name: str
    prefix: str


def parse(text: str) -> Bucket | None:
    """Return the bucket of `s3://bucket/prefix`; None for `file:`. Raises SettingsError."""
    if text == "file:":
        return None
    parts = urlsplit(text)
    if parts.scheme != "s3":
        raise SettingsError(f"LOCALFN_FILES: {text!r} is not supported; use file: or s3://bucket/prefix.")
    if not BUCKET.fullmatch(parts.netloc):
        raise SettingsError(
            f"LOCALFN_FILES: {parts.netloc!r} is not a valid bucket name; use 3 to 63 of a-z, 0-9, . and -."
        )
    if not PREFIX.fullmatch(parts.path) or parts.query or parts.fragment or ".." in parts.path:
        raise SettingsError(f"LOCALFN_FILES: {parts.path!r} is not a valid prefix; use a-z, 0-9, /, - and _.")
    require_extra("s3", "boto3", "LOCALFN_FILES")
    return Bucket(parts.netloc, parts.path.strip("/"))


def make_store(
    files: str, home: Path, disk: Disk | None = None, *, timeout_s: float = TIMEOUT_S, creates_bucket: bool = False
) -> "FileStore":
    """Return the file store of a process and of its forks.

    files: LOCALFN_FILES. disk: the disk of home. timeout_s: of a call to S3. creates_bucket: again, if it vanishes.
    """
    bucket = parse(files)
    if bucket is None:
        from workqueue.files.store import FolderStore  # loads OpenSSL, and each command reads this module

        return FolderStore(home / "files", disk)
    from workqueue.files.s3_store import S3Store  # boto3 takes 30 MB of memory: import it only for S3

    make_client = partial(s3_client, os.environ, timeout_s)
    return S3Store(bucket.name, bucket.prefix, make_client, creates_bucket=creates_bucket)


def s3_client(environ: Mapping[str, str], timeout_s: float = TIMEOUT_S) -> Any:
    """Return a client of S3 or of an emulator. Credentials and region come from the variables that AWS tools use.

    timeout_s: of a call, its tries together.
    """
    from botocore.config import Config

    read_s = timeout_s / MAX_TRIES
    timeouts: dict[str, Any] = {
        "connect_timeout": min(CONNECT_S, read_s),
        "read_timeout": read_s,
        "retries": {"total_max_attempts": MAX_TRIES, "mode": "standard"},
    }
    if any(environ.get(name) for name in EMULATORS):
        from localstack_client.session import Session

        session = Session(
            aws_access_key_id=environ.get("AWS_ACCESS_KEY_ID") or "test",
            aws_secret_access_key=environ.get("AWS_SECRET_ACCESS_KEY") or "test",
            region_name=environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or "us-east-1",
        )
        # Path style: an emulator has no DNS name for each bucket.
        return session.client("s3", config=Config(**timeouts, s3={"addressing_style": "path"}))
    import boto3

    return boto3.client("s3", config=Config(**timeouts))
