"""Passes the children's output through: whole lines, after the child's name where a person reads them."""

import contextlib
import os
import re
import selectors
import sys
from typing import IO, BinaryIO

from infra.command_name import with_command_name

COLOURS = (36, 33, 32, 35, 34, 31)
WIDTH = 9
CHUNK_BYTES = 65536
LONGEST_LINE_BYTES = 1024 * 1024


class Output:
    """The pipes of all children: register them with `add`, and `pump` when the selector says so.

    with_names: before each line; without them lines are for a program, which wants them as they are.
    """

    def __init__(self, selector: selectors.BaseSelector, *, with_names: bool) -> None:
        self._selector = selector
        self._with_names = with_names
        self._colours: dict[str, int] = {}
        self._errors: dict[str, _Lines] = {}

    def add(self, name: str, pipe: IO[bytes], target: BinaryIO, noise: re.Pattern[bytes] | None = None) -> None:
        """noise: lines that are not passed on."""
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
        """Pass on what has arrived; forget the pipe when its last writer has closed it."""
        if not lines.read():
            self._selector.unregister(lines.pipe)
            lines.close()

    def last_words(self, name: str) -> str:
        """Return the last line that a child, which has ended, wrote on stderr; empty for none."""
        lines = self._errors.get(name)
        if lines is None:
            return ""
        lines.read_rest()
        return lines.last.decode(errors="replace").strip()

    def drain(self) -> None:
        """Pass on what is left. A pipe that a grandchild still holds open is not waited for."""
        for key in list(self._selector.get_map().values()):
            if isinstance(key.data, _Lines):
                self._selector.unregister(key.fileobj)
                key.data.read()
                key.data.close()


class _Lines:
    """One pipe, and the begun line that waits for its end."""

    def __init__(self, pipe: IO[bytes], target: BinaryIO, prefix: bytes, noise: re.Pattern[bytes] | None) -> None:
        self.pipe = pipe
        self._target = target
        self._prefix = prefix
        self._noise = noise
        self._begun = b""
        self.last = b""  # line that is not empty

    def read_rest(self) -> None:
        """Pass on what has arrived, and the begun line behind it."""
        with contextlib.suppress(EOFError):
            while not self.pipe.closed and self.read_some():
                continue
        if self._begun:
            self._write([self._begun])
            self._begun = b""

    def read(self) -> bool:
        """Read once: a talkative child must not keep the others waiting. Return False when the pipe has ended."""
        try:
            self.read_some()
        except EOFError:
            return False
        return True

    def read_some(self) -> bool:
        """Return whether there was anything to read. Raises EOFError when the pipe has ended."""
        try:
            chunk = os.read(self.pipe.fileno(), CHUNK_BYTES)
        except BlockingIOError:
            return False
        if not chunk:
            raise EOFError
        *whole, self._begun = (self._begun + chunk).split(b"\n")
        if len(self._begun) > LONGEST_LINE_BYTES:  # no line but a flood; it must not fill our memory
            whole, self._begun = [*whole, self._begun], b""
        self._write(whole)
        return True

    def close(self) -> None:
        if self._begun:
            self._write([self._begun])
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
        except (OSError, ValueError):
            # Nobody reads us any more (`localfn up | head`): the children's work goes on all the same. What
            # is left in the buffer must go somewhere, or the interpreter would fail at its very end.
            _send_to_nowhere(self._target)


def _send_to_nowhere(target: BinaryIO) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, target.fileno())
    os.close(nowhere)


def say(text: str) -> None:
    """A line of the supervisor's own, on stderr."""
    try:
        sys.stderr.write(f"localfn: {with_command_name(text)}\n")
        sys.stderr.flush()
    except (OSError, ValueError):
        return
