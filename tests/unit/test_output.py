"""Output is cut at marks, however it arrives."""

import os
from collections.abc import Iterator

import pytest

from workqueue.sandboxes.output import Stream

MARK = b"\0abc"


@pytest.fixture
def pipe() -> Iterator[tuple[Stream, int]]:
    ours, theirs = os.pipe()
    os.set_blocking(ours, False)
    yield Stream("stdout", ours, MARK), theirs
    os.close(ours)
    os.close(theirs)


def test_what_stands_before_each_mark_belongs_together(pipe: tuple[Stream, int]) -> None:
    stream, theirs = pipe
    os.write(theirs, b"one\n" + MARK + MARK + b"three" + MARK + b"four")

    assert [stream.until_mark() for _ in range(3)] == [b"one\n", b"", b"three"]
    assert stream.so_far() == b"four"


@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_mark_that_arrives_in_pieces_is_no_output(pipe: tuple[Stream, int], size: int) -> None:
    stream, theirs = pipe
    printed, seen = b"a\0ab\0b" + MARK + b"c\0" + MARK, b""
    for start in range(0, len(printed), size):
        os.write(theirs, printed[start : start + size])
        stream.read()
        seen += stream.so_far()

    assert seen == b"a\0ab\0b"
    assert (stream.until_mark(), stream.until_mark()) == (b"", b"c\0")


def test_a_mark_is_waited_for_and_one_that_never_comes_costs_no_output(pipe: tuple[Stream, int]) -> None:
    stream, theirs = pipe
    os.write(theirs, b"broken")

    assert stream.until_mark() == b"broken"


def test_the_end_of_a_pipe_is_an_end(pipe: tuple[Stream, int]) -> None:
    stream, theirs = pipe
    os.write(theirs, b"last" + MARK + b"words" + MARK[:2])
    os.dup2(os.open(os.devnull, os.O_WRONLY), theirs)

    assert (stream.until_mark(), stream.until_mark(), stream.is_open) == (b"last", b"words" + MARK[:2], False)
