"""Keep the log of a detached `up` in two files of bounded size, and read it.

All output passes through `up`, so `up` bounds the file. It copies a full log to the previous file and empties it. A
rename would need a new descriptor in each process that writes to the log, the orphan guard included.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

FILE, PREVIOUS = "up.log", "up.log.1"
MAX_BYTES = 10 * 1024 * 1024


class LogFile:
    """Manage the log of one home. max_bytes: size of each of the two files."""

    def __init__(self, home: Path, max_bytes: int = MAX_BYTES) -> None:
        self.path = home / FILE
        self._previous = home / PREVIOUS
        self._max_bytes = max_bytes
        self._position = 0

    def open(self) -> BinaryIO:
        """Open the log for writing. In append mode, so that writers continue at the start after it was emptied."""
        return _open_private(self.path, os.O_APPEND)

    def bound(self) -> None:
        """Empty the log when it is full, and keep its content as the previous file if the disk has space for both."""
        try:
            if self.path.stat().st_size < self._max_bytes:
                return
        except FileNotFoundError:  # the user removed it
            return
        try:
            with self.path.open("rb") as full, _open_private(self._previous, os.O_TRUNC) as previous:
                shutil.copyfileobj(full, previous)
        except OSError:
            self._previous.unlink(missing_ok=True)
        os.truncate(self.path, 0)

    def skip_to_end(self) -> None:
        """Let `read_new` return only what is written from now on."""
        with suppress(FileNotFoundError):
            self._position = self.path.stat().st_size

    def read_last(self, count: int) -> list[str]:
        """Return the last lines, from both files. Raises FileNotFoundError if there is no log."""
        content = self.path.read_bytes()
        self._position = len(content)
        if content.count(b"\n") < count:
            with suppress(FileNotFoundError):
                content = self._previous.read_bytes() + content
        return _decode(content)[-count:] if count else []

    def read_new(self) -> list[str]:
        """Return the whole lines since the last call."""
        return _decode(b"".join(self._read_chunks()))

    def _read_chunks(self) -> Iterator[bytes]:
        with suppress(FileNotFoundError), self.path.open("rb") as file:
            if os.fstat(file.fileno()).st_size < self._position:  # emptied since
                with suppress(FileNotFoundError), self._previous.open("rb") as previous:
                    previous.seek(self._position)
                    yield previous.read()
                self._position = 0
            file.seek(self._position)
            content = file.read()
            whole = content[: content.rfind(b"\n") + 1]
            self._position += len(whole)
            yield whole


def _open_private(path: Path, flag: int) -> BinaryIO:
    """Open a file for writing that only the owner can read: functions print into the log what they like."""
    file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | flag, 0o600), "wb")
    os.fchmod(file.fileno(), 0o600)  # an older localfn may have created it for all to read
    return file


def _decode(content: bytes) -> list[str]:
    """Return the lines. Only a line feed ends one: a function may print other separators."""
    return content.decode(errors="replace").removesuffix("\n").split("\n") if content else []
