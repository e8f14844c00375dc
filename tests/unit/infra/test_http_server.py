"""Check the parts of the web server: parsed heads, threads for requests, buffered answers."""

import os
import socket
import tempfile
from collections.abc import Iterator

import pytest

from infra.http_server.client_socket import ClientSocket
from infra.http_server.request_head import MAX_AHEAD_BYTES, read_head
from infra.http_server.send_buffer import IN_MEMORY_BYTES
from infra.http_server.thread_allocation import ALL_THREADS, THREADS, RequestClass, ThreadAllocator

GET = b"GET /api/functions HTTP/1.1\r\nHost: localhost\r\n"
POST = b"POST /api/functions/f HTTP/1.1\r\nHost: localhost\r\n"
END = b"\r\n"


def test_a_head_is_incomplete_until_its_end_arrives() -> None:
    whole = GET + END
    for size in range(len(whole)):
        assert read_head(whole[:size], max(size - 1, 0)) is None
    head = read_head(whole + b"next", len(whole) - 1)
    assert head is not None
    assert (head.size, head.body_bytes, head.ahead_bytes) == (len(whole), 0, len(whole))
    assert head.is_complete(len(whole))


@pytest.mark.parametrize(
    ("fields", "body_bytes"),
    [
        (b"Content-Length: 12\r\n", 12),
        (b"content-length:12\r\n", 12),
        (b"X: Content-Length: 5\r\nContent-Length: 12\r\n", 12),
        (b"Content-Length: 12\r\nContent-Length: 12\r\n", None),
        (b"Content-Length: 1, 2\r\n", None),
        (b"Content-Length: -1\r\n", None),
        (b"Content-Length: 99999999999999999999\r\n", None),
        (b"Transfer-Encoding: chunked\r\n", None),
        (b"Content-Length: 12\r\nTransfer-Encoding: chunked\r\n", None),
        (b"Content-Length: 12\r\nExpect: 100-continue\r\n", None),
    ],
)
def test_a_body_is_detected_by_headers_or_by_reading(fields: bytes, body_bytes: int | None) -> None:
    head = read_head(POST + fields + END)
    assert head is not None
    assert head.body_bytes == body_bytes
    assert head.is_complete(head.size + 12) == (body_bytes is not None)
    assert not head.is_complete(head.size + 11)


def test_only_a_small_body_is_received_ahead() -> None:
    small = read_head(POST + b"Content-Length: %d\r\n" % MAX_AHEAD_BYTES + END)
    large = read_head(POST + b"Content-Length: %d\r\n" % (MAX_AHEAD_BYTES + 1) + END)
    assert small is not None
    assert large is not None
    assert (small.ahead_bytes, large.ahead_bytes) == (small.size + MAX_AHEAD_BYTES, large.size)


@pytest.mark.parametrize(
    ("line", "fields", "is_probe"),
    [
        (b"GET /healthz HTTP/1.1", b"", True),
        (b"HEAD /readyz?x=1 HTTP/1.0", b"Host: x\r\n", True),
        (b"POST /healthz HTTP/1.1", b"", False),
        (b"GET /healthz/ HTTP/1.1", b"", False),
        (b"GET /api/healthz HTTP/1.1", b"", False),
        (b"GET /healthz HTTP/1.1", b"Content-Length: 5\r\n", False),
        (b"GET /healthz HTTP/1.1", b"Transfer-Encoding: chunked\r\n", False),
        (b"GET /readyz HTTP/1.1", b"cookie: a=b\r\n", False),
        (b"GET /readyz HTTP/1.1", b"Authorization: Bearer x\r\n", False),
    ],
)
def test_a_probe_has_neither_body_nor_credentials(line: bytes, fields: bytes, is_probe: bool) -> None:
    head = read_head(line + END + fields + END)
    assert head is not None
    assert head.is_probe is is_probe


@pytest.mark.parametrize(
    ("head", "waits"),
    [
        (b"GET /api/requests/x?wait=5 HTTP/1.1\r\n", True),
        (b"GET /api/requests/x?a=b&wait=5 HTTP/1.1\r\n", True),
        (b"GET /api/requests/x?await=5 HTTP/1.1\r\n", False),
        (GET + b"X: ?wait=5\r\n", False),
        (POST + b"prefer: respond-async, WAIT=5\r\n", True),
        (POST + b"Prefer: respond-async\r\n", False),
    ],
)
def test_a_client_that_wants_to_wait_is_known_by_its_head(head: bytes, waits: bool) -> None:
    found = read_head(head + END)
    assert found is not None
    assert found.waits is waits


def test_no_kind_of_request_takes_the_threads_of_another() -> None:
    allocator: ThreadAllocator[int] = ThreadAllocator()
    for kind in (RequestClass.READY, RequestClass.WAITING, RequestClass.INCOMING, RequestClass.PROBE):
        for number in range(1000):
            allocator.add(kind, number)
        assert [found for found, _ in allocator.start()] == [kind] * THREADS[kind]
        allocator.end(kind)
        assert len(list(allocator.start())) == 1


def test_received_and_arriving_bodies_share_the_threads() -> None:
    allocator: ThreadAllocator[int] = ThreadAllocator()
    total = 0
    for _ in range(1000):
        allocator.add(RequestClass.INCOMING, 0)
        for _ in allocator.start():
            total += 1
            allocator.end(RequestClass.INCOMING)  # its body has arrived, and its handler continues
            allocator.count(RequestClass.SLOW)
    assert total == THREADS[RequestClass.SLOW]
    assert (
        total + sum(THREADS[kind] for kind in (RequestClass.PROBE, RequestClass.READY, RequestClass.WAITING))
        == ALL_THREADS
    )


@pytest.fixture
def pair() -> Iterator[tuple[ClientSocket, socket.socket]]:
    server, client = socket.socketpair()
    with ClientSocket(server) as ours, client:
        yield ours, client


def receive(ours: ClientSocket, client: socket.socket) -> bytes:
    found = b""
    client.settimeout(0.2)
    while True:
        try:
            found += client.recv(65_536)
        except TimeoutError:
            if not ours.outgoing.size:
                return found
        if ours.outgoing.size:
            ours.outgoing.send(ours)


def test_an_unread_answer_holds_no_thread_and_arrives_whole(
    pair: tuple[ClientSocket, socket.socket],
) -> None:
    ours, client = pair
    answers = [os.urandom(size) for size in (10, 3_000_000, 10, IN_MEMORY_BYTES, 500_000, 1)]
    for answer in answers:
        ours.sendall(answer)
    assert ours.outgoing.size > 3_000_000
    with tempfile.TemporaryFile() as file:
        file.write(b"before" + b"x" * 1_000_000 + b"after")
        file.flush()
        ours.sendfile(file, offset=6, count=1_000_000)
    ours.sendall(b"end")
    assert receive(ours, client) == b"".join(answers) + b"x" * 1_000_000 + b"end"


def test_prefetched_body_bytes_are_read_first(pair: tuple[ClientSocket, socket.socket]) -> None:
    ours, client = pair
    client.sendall(b"ahead")
    assert ours.receive_ahead(100) == 5
    client.sendall(b"behind")
    assert (ours.recv(3), ours.recv(100), ours.recv(100)) == (b"ahe", b"ad", b"behind")
