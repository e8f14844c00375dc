"""Forward the output of children: whole lines, prefixed with the child's name for people."""

import contextlib
import errno
import os
import re
import selectors
import sys
from typing import IO, BinaryIO

from infra.command_name import with_command_name

COLOURS = (36, 33, 32, 35, 34, 31)
WIDTH = 9
CHUNK_BYTES = 65536
MAX_LINE_BYTES = 1024 * 1024
FULL_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT})


class Output:
    """Manage the pipes of all children: register them with `add`, and `pump` them when they are readable.

    with_names: prefix each line with the child's name; programs need the lines unchanged.
    """

    def __init__(self, selector: selectors.BaseSelector, *, with_names: bool) -> None:
        self._selector = selector
        self._with_names = with_names
        self._colours: dict[str, int] = {}
        self._errors: dict[str, _Lines] = {}

    def add(self, name: str, pipe: IO[bytes], target: BinaryIO, noise: re.Pattern[bytes] | None = None) -> None:
        """Register a pipe of a child. noise: lines to drop."""
        os.set_blocking(pipe.fileno(), False)
        lines = _Lines(pipe, target, self._prefix(name, target), noise)
        if target is sys.stderr.buffer:
            self._errors[name] = lines
        self._selector.register(pipe, selectors.EVENT_READ, lines)

    def _prefix(self, name: str, target: BinaryIO) -> bytes:
        colour = self._colours.setdefault(name, COLOURS[len(self._colours) % len(COLOURS)])
        if target.isatty():
            return f"\033[{colour}m{name:<{WIDTH}}\033[0m ".encode()
        return f"{name:<{WIDTH}} ".encode() if self._with_names else b""

    def pump(self, lines: "_Lines") -> None:
        """Forward the received lines; close the pipe when its last writer has closed it."""
        if not lines.read():
            self._selector.unregister(lines.pipe)
            lines.close()

    def last_stderr_line(self, name: str) -> str:
        """Return the last line that an ended child wrote on stderr; else ""."""
        lines = self._errors.get(name)
        if lines is None:
            return ""
        lines.read_rest()
        return lines.last.decode(errors="replace").strip()

    def drain(self) -> None:
        """Forward the remaining output, without waiting for a pipe that a grandchild holds open."""
        for key in list(self._selector.get_map().values()):
            if isinstance(key.data, _Lines):
                self._selector.unregister(key.fileobj)
                key.data.read()
                key.data.close()


class _Lines:
    """Read lines from one pipe, and buffer an incomplete line."""

    def __init__(self, pipe: IO[bytes], target: BinaryIO, prefix: bytes, noise: re.Pattern[bytes] | None) -> None:
        self.pipe = pipe
        self._target = target
        self._prefix = prefix
        self._noise = noise
        self._partial_line = b""
        self.last = b""  # the last line that is not blank

    def read_rest(self) -> None:
        """Forward what has arrived, and the incomplete line after it."""
        with contextlib.suppress(EOFError):
            while not self.pipe.closed and self.read_some():
                continue
        if self._partial_line:
            self._write([self._partial_line])
            self._partial_line = b""

    def read(self) -> bool:
        """Read once: a child with much output must not delay the others. Return False at the end of the pipe."""
        try:
            self.read_some()
        except EOFError:
            return False
        return True

    def read_some(self) -> bool:
        """Return True if data was read. Raises EOFError at the end of the pipe."""
        try:
            chunk = os.read(self.pipe.fileno(), CHUNK_BYTES)
        except BlockingIOError:
            return False
        if not chunk:
            raise EOFError
        *whole, self._partial_line = (self._partial_line + chunk).split(b"\n")
        if len(self._partial_line) > MAX_LINE_BYTES:  # a flood without line breaks must not fill the memory
            whole, self._partial_line = [*whole, self._partial_line], b""
        self._write(whole)
        return True

    def close(self) -> None:
        if self._partial_line:
            self._write([self._partial_line])
        self.pipe.close()

    def _write(self, lines: list[bytes]) -> None:
        if self._noise is not None:
            lines = [line for line in lines if not self._noise.search(line)]
        if not lines:
            return
        self.last = next((line for line in reversed(lines) if line.strip()), self.last)
        text = b"".join(self._prefix + line + b"\n" for line in lines)
        try:
            self._target.write(text)
            self._target.flush()
        except (OSError, ValueError) as error:
            if isinstance(error, OSError) and error.errno in FULL_ERRNOS:
                return  # a log file on a full disk: these lines are lost, later ones may find space
            # The reader has gone (`localfn up | head`); the children continue. Redirect the rest of the buffer:
            # otherwise the interpreter fails at exit.
            _discard(self._target)


def _discard(target: BinaryIO) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, target.fileno())
    os.close(nowhere)


def print_message(text: str) -> None:
    """Print a line of the supervisor on stderr."""
    try:
        sys.stderr.write(f"localfn: {with_command_name(text)}\n")
        sys.stderr.flush()
    except (OSError, ValueError):
        return
