"""Check the bounded log of an attempt."""

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workqueue.logs.buffer import HEAD_BYTES, HEAD_LINES, MAX_LINE_BYTES, TAIL_BYTES, TAIL_LINES, LineBlock, LogBuffer

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def close_and_read(buffer: LogBuffer) -> list[str]:
    return [line.line for line in buffer.take_rest(NOW)]


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=5))
def test_output_in_pieces_of_any_size_gives_the_same_lines(data: bytes, cuts: list[int]) -> None:
    whole, pieces = LogBuffer(), LogBuffer()
    whole.feed("stdout", data, NOW)
    for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(data)], strict=True):
        pieces.feed("stdout", data[start:end], NOW)
    assert close_and_read(pieces) == close_and_read(whole)


def test_streams_do_not_mix_within_a_line() -> None:
    buffer = LogBuffer()
    buffer.feed("stdout", b"a", NOW)
    buffer.feed("stderr", b"b\n", NOW)
    buffer.feed("stdout", b"c\n", NOW)
    assert [(line.number, line.stream, line.line) for line in buffer.take_rest(NOW)] == [
        (1, "stderr", "b"),
        (2, "stdout", "ac"),
    ]


def test_characters_that_postgresql_cannot_store_are_made_visible() -> None:
    buffer = LogBuffer()
    buffer.feed("stdout", b"a\0b\xff\r\n", NOW)
    assert close_and_read(buffer) == ["a\u2400b\ufffd"]


def test_lines_are_taken_once_and_can_be_returned() -> None:
    buffer = LogBuffer()
    buffer.feed("stdout", b"1\n2\n", NOW)
    taken = buffer.take_unstored()
    buffer.feed("stdout", b"3\n", NOW)
    buffer.put_back(taken)
    assert close_and_read(buffer) == ["1", "2", "3"]


def test_a_flood_keeps_its_beginning_and_its_end_and_counts_the_rest() -> None:
    buffer = LogBuffer()
    lines = 100_000
    for number in range(lines):
        buffer.feed("stdout", f"{number:099d}\n".encode(), NOW)
    kept = buffer.take_rest(NOW)
    (mark,) = [line for line in kept if line.stream == "localfn"]
    assert kept[0].line.endswith("00")
    assert kept[-1].line.endswith(str(lines - 1))
    assert mark.line == f"… {lines - (len(kept) - 1)} lines were cut here …"
    assert sum(len(line.line) for line in kept) <= HEAD_BYTES + TAIL_BYTES
    assert len({line.number for line in kept}) == len(kept)
    assert [line.number for line in kept] == sorted(line.number for line in kept)


def test_output_below_the_limits_is_kept_whole() -> None:
    buffer = LogBuffer()
    for number in range(10_000):
        buffer.feed("stdout", f"{number:063d}\n".encode(), NOW)
    assert close_and_read(buffer) == [f"{number:063d}" for number in range(10_000)]


def test_a_flood_of_empty_lines_is_bounded_too() -> None:
    buffer = LogBuffer()
    for _ in range(10):
        buffer.feed("stdout", b"\n" * 100_000, NOW)
    assert len(buffer.take_rest(NOW)) == HEAD_LINES + 1 + TAIL_LINES


def test_a_flood_of_empty_lines_costs_little_for_each_byte() -> None:
    """Read 15 MB as from a pipe, a tenth of a flood that took minutes while each line was an object."""
    kept = list[int]()
    buffer, read = LogBuffer(lambda block: kept.append(block.number)), b"\n" * 65_536
    began = time.process_time()
    reads = 15_000_000 // len(read)
    for _ in range(reads):
        buffer.feed("stdout", read, NOW)
    assert time.process_time() - began < 1.5
    assert kept == sorted(kept)
    lines = buffer.take_rest(NOW)
    assert lines[-1].number == reads * len(read)


@pytest.mark.parametrize(
    "data",
    [
        b"\xff" * 65_536,
        b"\0" * 65_536,
        b"\x1b" * 65_536,
        b"\xed\xa0\x80" * 20_000,
        "€".encode() * 20_000,
        b"\xff\n" * 5_000,
        b"\xff" * 1_000 + b"\n",
        b"x" * 65_536,
        b"50 %\r" * 10_000,
    ],
)
@pytest.mark.parametrize("ends", [b"", b"\n"])
def test_any_output_is_bounded_by_its_stored_bytes(data: bytes, ends: bytes) -> None:
    """Keep at most one read in the spool, and in memory only the lines that are stored in the end."""
    kept_elsewhere: list[int] = []

    def keep(block: LineBlock) -> None:
        kept_elsewhere.append(block.size)

    buffer, held = LogBuffer(keep), 0
    for _ in range(25):
        buffer.feed("stdout", data + ends, NOW)
        held = max(held, sum(len(text.encode()) for block in buffer._tail.blocks for text in block.texts))
    kept = [line for line in buffer.take_rest(NOW) if line.stream == "stdout"]

    assert held <= TAIL_BYTES
    assert sum(len(line.line.encode()) for line in kept) <= HEAD_BYTES + TAIL_BYTES
    assert len(kept) <= HEAD_LINES + TAIL_LINES
    assert max(len(line.line.encode()) for line in kept) <= 3 * MAX_LINE_BYTES
    assert max(kept_elsewhere) <= 3 * (MAX_LINE_BYTES + len(data + ends))


def test_a_broken_line_loses_no_character() -> None:
    buffer = LogBuffer()
    buffer.feed("stdout", b"a" + "€".encode() * 20_000 + b"\n", NOW)
    assert "".join(close_and_read(buffer)) == "a" + "€" * 20_000


@pytest.mark.parametrize(
    ("printed", "line"),
    [
        (b"10 %\r50 %\r100 %", "100 %"),
        (b"\r10 %\r50 %\r", "50 %"),
        (b"10 %\r\n", "10 %"),
        (b"10 %\r50 %\r\r\n", "50 %"),
        (b"x" * 100 + b"\rdone\n", "done"),
    ],
)
@pytest.mark.parametrize("size", [1, 7, 1_000])
def test_a_carriage_return_begins_the_line_anew(printed: bytes, line: str, size: int) -> None:
    buffer = LogBuffer()
    for start in range(0, len(printed), size):
        buffer.feed("stderr", printed[start : start + size], NOW)
    assert close_and_read(buffer)[-1] == line


def test_progress_of_megabytes_is_one_short_line() -> None:
    buffer = LogBuffer()
    for number in range(20_000):
        buffer.feed("stderr", f"\r{number} of 100000 [{'#' * 50}]".encode(), NOW)
    assert len(close_and_read(buffer)) == 1


def test_lines_without_an_end_are_shown_in_their_current_state() -> None:
    buffer = LogBuffer()
    buffer.feed("stdout", b"done\nName: ", NOW)
    buffer.feed("stderr", b"\r 50 %", NOW)
    assert [(line.stream, line.line) for line in buffer.partial_lines()] == [("stdout", "Name: "), ("stderr", " 50 %")]
    buffer.feed("stdout", b"Ada\n", NOW)
    buffer.feed("stderr", b"\r100 %\n", NOW)
    assert buffer.partial_lines() == []
    assert close_and_read(buffer) == ["done", "Name: Ada", "100 %"]


def test_a_line_without_end_is_broken() -> None:
    buffer = LogBuffer()
    for _ in range(10):
        buffer.feed("stdout", b"x" * MAX_LINE_BYTES, NOW)
    kept = close_and_read(buffer)
    assert "".join(kept) == "x" * 10 * MAX_LINE_BYTES
    assert max(map(len, kept)) <= MAX_LINE_BYTES


def test_after_a_flood_a_new_log_begins() -> None:
    buffer = LogBuffer()
    buffer.feed("stdout", b"x\n" * (HEAD_LINES + TAIL_LINES + 1_000), NOW)
    flooded = buffer.take_rest(NOW)
    buffer.feed("stdout", b"cleaned up\n", NOW)
    (line,) = buffer.take_rest(NOW)
    assert (line.line, line.number > flooded[-1].number) == ("cleaned up", True)
    assert buffer.take_rest(NOW) == []
