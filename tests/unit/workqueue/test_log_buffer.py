"""The bounded log of an attempt."""

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workqueue.logs.buffer import HEAD_BYTES, HEAD_LINES, LINE_BYTES, TAIL_BYTES, TAIL_LINES, LineBlock, LogBuffer

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def texts(book: LogBuffer) -> list[str]:
    return [line.line for line in book.take_rest(NOW)]


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=5))
def test_output_in_pieces_of_any_size_gives_the_same_lines(data: bytes, cuts: list[int]) -> None:
    whole, pieces = LogBuffer(), LogBuffer()
    whole.feed("stdout", data, NOW)
    for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(data)], strict=True):
        pieces.feed("stdout", data[start:end], NOW)
    assert texts(pieces) == texts(whole)


def test_streams_do_not_mix_within_a_line() -> None:
    book = LogBuffer()
    book.feed("stdout", b"a", NOW)
    book.feed("stderr", b"b\n", NOW)
    book.feed("stdout", b"c\n", NOW)
    assert [(line.number, line.stream, line.line) for line in book.take_rest(NOW)] == [
        (1, "stderr", "b"),
        (2, "stdout", "ac"),
    ]


def test_characters_that_postgresql_cannot_store_are_made_visible() -> None:
    book = LogBuffer()
    book.feed("stdout", b"a\0b\xff\r\n", NOW)
    assert texts(book) == ["a\u2400b\ufffd"]


def test_lines_are_taken_once_and_can_be_returned() -> None:
    book = LogBuffer()
    book.feed("stdout", b"1\n2\n", NOW)
    taken = book.take_unstored()
    book.feed("stdout", b"3\n", NOW)
    book.put_back(taken)
    assert texts(book) == ["1", "2", "3"]


def test_a_flood_keeps_its_beginning_and_its_end_and_counts_the_rest() -> None:
    book = LogBuffer()
    lines = 100_000
    for number in range(lines):
        book.feed("stdout", f"{number:099d}\n".encode(), NOW)
    kept = book.take_rest(NOW)
    (mark,) = [line for line in kept if line.stream == "localfn"]
    assert kept[0].line.endswith("00")
    assert kept[-1].line.endswith(str(lines - 1))
    assert mark.line == f"… {lines - (len(kept) - 1)} lines were cut here …"
    assert sum(len(line.line) for line in kept) <= HEAD_BYTES + TAIL_BYTES
    assert len({line.number for line in kept}) == len(kept)
    assert [line.number for line in kept] == sorted(line.number for line in kept)


def test_output_below_the_limits_is_kept_whole() -> None:
    book = LogBuffer()
    for number in range(10_000):
        book.feed("stdout", f"{number:063d}\n".encode(), NOW)
    assert texts(book) == [f"{number:063d}" for number in range(10_000)]


def test_a_flood_of_empty_lines_is_bounded_too() -> None:
    book = LogBuffer()
    for _ in range(10):
        book.feed("stdout", b"\n" * 100_000, NOW)
    assert len(book.take_rest(NOW)) == HEAD_LINES + 1 + TAIL_LINES


def test_a_flood_of_empty_lines_costs_little_for_each_byte() -> None:
    """Read 30 MB as from a pipe, a fifth of a flood that took minutes while each line was an object."""
    kept = list[int]()
    book, read = LogBuffer(lambda block: kept.append(block.number)), b"\n" * 65_536
    began = time.process_time()
    reads = 30_000_000 // len(read)
    for _ in range(reads):
        book.feed("stdout", read, NOW)
    assert time.process_time() - began < 3
    assert kept == sorted(kept)
    lines = book.take_rest(NOW)
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
    """The spool gets at most what was read at once, and what is held in memory is what is stored in the end."""
    kept_elsewhere: list[int] = []

    def keep(block: LineBlock) -> None:
        kept_elsewhere.append(block.size)

    book, held = LogBuffer(keep), 0
    for _ in range(25):
        book.feed("stdout", data + ends, NOW)
        held = max(held, sum(len(text.encode()) for block in book._tail.blocks for text in block.texts))
    kept = [line for line in book.take_rest(NOW) if line.stream == "stdout"]

    assert held <= TAIL_BYTES
    assert sum(len(line.line.encode()) for line in kept) <= HEAD_BYTES + TAIL_BYTES
    assert len(kept) <= HEAD_LINES + TAIL_LINES
    assert max(len(line.line.encode()) for line in kept) <= 3 * LINE_BYTES
    assert max(kept_elsewhere) <= 3 * (LINE_BYTES + len(data + ends))


def test_a_broken_line_loses_no_character() -> None:
    book = LogBuffer()
    book.feed("stdout", b"a" + "€".encode() * 20_000 + b"\n", NOW)
    assert "".join(texts(book)) == "a" + "€" * 20_000


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
    book = LogBuffer()
    for start in range(0, len(printed), size):
        book.feed("stderr", printed[start : start + size], NOW)
    assert texts(book)[-1] == line


def test_progress_of_megabytes_is_one_short_line() -> None:
    book = LogBuffer()
    for number in range(20_000):
        book.feed("stderr", f"\r{number} of 100000 [{'#' * 50}]".encode(), NOW)
    assert len(texts(book)) == 1


def test_lines_without_an_end_are_shown_in_their_current_state() -> None:
    book = LogBuffer()
    book.feed("stdout", b"done\nName: ", NOW)
    book.feed("stderr", b"\r 50 %", NOW)
    assert [(line.stream, line.line) for line in book.partial_lines()] == [("stdout", "Name: "), ("stderr", " 50 %")]
    book.feed("stdout", b"Ada\n", NOW)
    book.feed("stderr", b"\r100 %\n", NOW)
    assert book.partial_lines() == []
    assert texts(book) == ["done", "Name: Ada", "100 %"]


def test_a_line_without_end_is_broken() -> None:
    book = LogBuffer()
    for _ in range(10):
        book.feed("stdout", b"x" * LINE_BYTES, NOW)
    kept = texts(book)
    assert "".join(kept) == "x" * 10 * LINE_BYTES
    assert max(map(len, kept)) <= LINE_BYTES


def test_after_a_flood_a_new_log_begins() -> None:
    book = LogBuffer()
    book.feed("stdout", b"x\n" * (HEAD_LINES + TAIL_LINES + 1_000), NOW)
    flooded = book.take_rest(NOW)
    book.feed("stdout", b"cleaned up\n", NOW)
    (line,) = book.take_rest(NOW)
    assert (line.line, line.number > flooded[-1].number) == ("cleaned up", True)
    assert book.take_rest(NOW) == []
