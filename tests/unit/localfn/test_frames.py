"""Check the frames between a worker and its sandbox."""

import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localfn.runtime import frames


@given(st.lists(st.tuples(st.text(max_size=20), st.binary(max_size=50)), max_size=5), st.integers(1, 40))
def test_frames_arrive_whole_however_they_are_cut(messages: list[tuple[str, bytes]], size: int) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for text, body in messages:
            frames.write(ours, {"type": "x", "text": text}, body)
        ours.shutdown(socket.SHUT_WR)
        data = b"".join(iter(lambda: theirs.recv(65536), b""))
    reader, found = frames.Reader(max_body=100), []
    for start in range(0, len(data), size):
        reader.feed(data[start : start + size])
        while (frame := reader.next()) is not None:
            found.append((frame[0]["text"], frame[1]))
    assert found == messages


@given(st.binary(max_size=200))
def test_random_bytes_are_an_incomplete_frame_or_a_frame_error(data: bytes) -> None:
    reader = frames.Reader(max_body=100)
    reader.feed(data)
    try:
        while reader.next() is not None:
            pass
    except frames.FrameError:
        pass


def test_a_too_deeply_nested_head_is_a_frame_error() -> None:
    head = b'{"type":"x","deep":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    reader = frames.Reader(max_body=100)
    reader.feed(struct.pack("!II", len(head), 0) + head)
    with pytest.raises(frames.FrameError):
        reader.next()


@pytest.mark.parametrize("lengths", [(frames.MAX_HEAD + 1, 0), (2, 101), (0xFFFFFFFF, 0xFFFFFFFF)])
def test_a_frame_above_the_limit_is_rejected_by_its_header(lengths: tuple[int, int]) -> None:
    reader = frames.Reader(max_body=100)
    reader.feed(struct.pack("!II", *lengths))
    with pytest.raises(frames.FrameError):
        reader.next()
