"""Check that output is split at marks and ordered, in pieces of any size."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workqueue.sandboxes.output_stream import MAX_AHEAD_BYTES, OutputReader, OutputStream

MARK = b"\0abc"
END, OUT, ERR = MARK + b"e", MARK + b"1", MARK + b"2"


@pytest.fixture
def pipes() -> Iterator[tuple[OutputReader, int, int]]:
    yield from open_pipes()


def open_pipes() -> Iterator[tuple[OutputReader, int, int]]:
    (out, their_out), (err, their_err) = os.pipe(), os.pipe()
    for fd in (out, err):
        os.set_blocking(fd, False)
    yield OutputReader([OutputStream("stdout", out, MARK), OutputStream("stderr", err, MARK)]), their_out, their_err
    for fd in (out, err, their_out, their_err):
        os.close(fd)


def read(outputs: OutputReader) -> list[tuple[str, bytes]]:
    outputs.read()
    return outputs.take()


def test_output_before_each_end_mark_belongs_together(pipes: tuple[OutputReader, int, int]) -> None:
    outputs, out, err = pipes
    os.write(out, b"one\n" + END + END + b"three" + END + b"four")
    os.write(err, END + END + b"3" + END)

    assert outputs.take_until_end() == [("stdout", b"one\n")]
    assert outputs.take_until_end() == []
    assert outputs.take_until_end() == [("stdout", b"three"), ("stderr", b"3")]
    assert read(outputs) == [("stdout", b"four")]


def test_output_is_given_as_it_comes_and_never_beyond_the_end(pipes: tuple[OutputReader, int, int]) -> None:
    outputs, out, err = pipes
    os.write(out, b"now")
    assert read(outputs) == [("stdout", b"now")]
    os.write(out, b"more" + END + b"of the next")
    os.write(err, END)
    assert read(outputs) == [("stdout", b"more")]
    assert read(outputs) == []
    assert outputs.take_until_end() == []
    assert read(outputs) == [("stdout", b"of the next")]


def test_streams_alternate_in_the_order_of_the_marks(pipes: tuple[OutputReader, int, int]) -> None:
    outputs, out, err = pipes
    os.write(out, OUT + b"1" + ERR + OUT + b"3" + ERR + END)
    os.write(err, OUT + ERR + b"2" + OUT + ERR + b"4" + END)

    assert [data for _, data in outputs.take_until_end()] == [b"1", b"2", b"3", b"4"]


def test_the_first_stream_after_a_mark_comes_first(pipes: tuple[OutputReader, int, int]) -> None:
    """Let a child process write to the other stream before the next mark."""
    outputs, out, err = pipes
    os.write(out, ERR + b"child" + OUT + b"later" + END)
    os.write(err, ERR + b"parent" + OUT + END)

    assert [data for _, data in outputs.take_until_end()] == [b"parent", b"child", b"later"]


@given(st.lists(st.tuples(st.booleans(), st.binary(min_size=1, max_size=5)), max_size=30), st.data())
def test_output_keeps_the_order_of_printing_in_pieces_of_any_size(
    printed: list[tuple[bool, bytes]], data: st.DataObject
) -> None:
    """Cut every write of the sandbox anywhere, and read at any time in between."""
    writes: list[tuple[bool, bytes]] = []
    for is_error, text in printed:
        kind = ERR if is_error else OUT
        writes += [(False, kind), (True, kind), (is_error, text)]
    writes += [(False, END), (True, END)]
    for outputs, out, err in open_pipes():
        found: list[tuple[str, bytes]] = []
        for is_error, text in writes:
            cut = data.draw(st.integers(0, len(text)))
            os.write(err if is_error else out, text[:cut])
            if data.draw(st.booleans()):
                found += read(outputs)
            os.write(err if is_error else out, text[cut:])
        found += outputs.take_until_end()
        assert merge(found) == merge([("stderr" if e else "stdout", t) for e, t in printed])


def merge(found: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    """Join adjacent pieces of one stream."""
    pieces: list[tuple[str, bytes]] = []
    for name, data in found:
        if pieces and pieces[-1][0] == name:
            pieces[-1] = name, pieces[-1][1] + data
        else:
            pieces.append((name, data))
    return pieces


@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_mark_that_arrives_in_pieces_is_no_output(pipes: tuple[OutputReader, int, int], size: int) -> None:
    outputs, out, err = pipes
    printed, seen = b"a\0ab\0b" + OUT + b"c\0" + END, b""
    os.write(err, OUT + END)
    for start in range(0, len(printed), size):
        os.write(out, printed[start : start + size])
        seen += b"".join(data for _, data in read(outputs))

    assert seen == b"a\0ab\0bc\0"
    assert outputs.take_until_end() == []


def test_a_missing_mark_delays_output_and_loses_none(pipes: tuple[OutputReader, int, int]) -> None:
    outputs, out, _ = pipes
    os.write(out, b"bro" + OUT + b"ken" + END)

    assert merge(outputs.take_until_end()) == [("stdout", b"broken")]


def test_a_pipe_without_marks_holds_back_a_bounded_part_of_the_other(pipes: tuple[OutputReader, int, int]) -> None:
    outputs, out, _ = pipes
    os.write(out, OUT)
    taken, written, most = 0, 0, 0
    while written < 3 * MAX_AHEAD_BYTES:
        written += os.write(out, b"x" * 50_000)
        taken += sum(len(data) for _, data in read(outputs))
        most = max(most, outputs.streams[0].size)

    assert most < 1.1 * MAX_AHEAD_BYTES
    assert taken > MAX_AHEAD_BYTES


def test_the_end_of_a_pipe_is_an_end(pipes: tuple[OutputReader, int, int]) -> None:
    outputs, out, err = pipes
    os.write(out, b"last" + END + b"words" + END[:2])
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for fd in (out, err):
        os.dup2(nowhere, fd)
    os.close(nowhere)

    assert merge(outputs.take_until_end() + outputs.take_until_end()) == [("stdout", b"lastwords" + END[:2])]
    assert not any(stream.is_open for stream in outputs.streams)
