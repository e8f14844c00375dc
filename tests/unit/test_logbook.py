"""The bounded log of an attempt."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from workqueue.logs.logbook import HEAD_BYTES, LINE_BYTES, TAIL_BYTES, Logbook

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def texts(book: Logbook) -> list[str]:
    return [line.line for line in book.close(NOW)]


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=5))
def test_however_output_arrives_the_lines_are_the_same(data: bytes, cuts: list[int]) -> None:
    whole, pieces = Logbook(), Logbook()
    whole.feed("stdout", data, NOW)
    for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(data)], strict=True):
        pieces.feed("stdout", data[start:end], NOW)
    assert texts(pieces) == texts(whole)


def test_streams_do_not_mix_within_a_line() -> None:
    book = Logbook()
    book.feed("stdout", b"a", NOW)
    book.feed("stderr", b"b\n", NOW)
    book.feed("stdout", b"c\n", NOW)
    assert [(line.number, line.stream, line.line) for line in book.close(NOW)] == [
        (1, "stderr", "b"),
        (2, "stdout", "ac"),
    ]


def test_what_postgresql_cannot_store_is_made_visible() -> None:
    book = Logbook()
    book.feed("stdout", b"a\0b\xff\r\n", NOW)
    assert texts(book) == ["a\u2400b\ufffd"]


def test_lines_are_taken_once_and_can_be_put_back() -> None:
    book = Logbook()
    book.feed("stdout", b"1\n2\n", NOW)
    taken = book.take()
    book.feed("stdout", b"3\n", NOW)
    book.put_back(taken)
    assert texts(book) == ["1", "2", "3"]


def test_a_flood_keeps_its_beginning_and_its_end_and_counts_the_rest() -> None:
    book = Logbook()
    lines = 100_000
    for number in range(lines):
        book.feed("stdout", f"{number:099d}\n".encode(), NOW)
    kept = book.close(NOW)
    (mark,) = [line for line in kept if line.stream == "localfn"]
    assert kept[0].line.endswith("00")
    assert kept[-1].line.endswith(str(lines - 1))
    assert mark.line == f"… {lines - (len(kept) - 1)} lines were cut here …"
    assert sum(len(line.line) for line in kept) <= HEAD_BYTES + TAIL_BYTES
    assert len({line.number for line in kept}) == len(kept)
    assert [line.number for line in kept] == sorted(line.number for line in kept)


def test_a_flood_of_empty_lines_is_bounded_too() -> None:
    book = Logbook()
    book.feed("stdout", b"\n" * 1_000_000, NOW)
    assert len(book.close(NOW)) < 20_000


def test_a_line_without_end_is_broken() -> None:
    book = Logbook()
    for _ in range(10):
        book.feed("stdout", b"x" * LINE_BYTES, NOW)
    kept = texts(book)
    assert "".join(kept) == "x" * 10 * LINE_BYTES
    assert max(map(len, kept)) <= LINE_BYTES


def test_after_a_flood_a_new_log_begins() -> None:
    book = Logbook()
    book.feed("stdout", b"x\n" * 200_000, NOW)
    flooded = book.close(NOW)
    book.feed("stdout", b"cleaned up\n", NOW)
    (line,) = book.close(NOW)
    assert (line.line, line.number > flooded[-1].number) == ("cleaned up", True)
    assert book.close(NOW) == []
