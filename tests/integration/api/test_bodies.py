"""Store each body exactly as sent, or reject it: encodings, charsets, compression, parts of a form."""

import gzip
import json
import zlib
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.support.runtime import Runtime

MIB = 1024 * 1024
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "multipart/form-data; boundary=x"}
LATIN = '{"name": "José"}'.encode("latin-1")
UTF8 = '{"name": "José"}'.encode()


def part(head: bytes, content: bytes) -> bytes:
    return b"--x\r\n" + head + b"\r\n\r\n" + content + b"\r\n"


def field(content: bytes, more: bytes = b"") -> bytes:
    return part(b'Content-Disposition: form-data; name="event"' + more, content)


def upload(name: bytes, content: bytes = b"x", more: bytes = b"") -> bytes:
    return part(b"Content-Disposition: form-data; " + name + more, content)


def post(runtime: Runtime, content: bytes, headers: dict[str, str]) -> httpx.Response:
    return runtime.http.post("/api/functions/echo", content=content, headers={**headers, "Prefer": "wait=20"})


def form(runtime: Runtime, *parts: bytes, end: bytes = b"--x--\r\n") -> httpx.Response:
    return post(runtime, b"".join(parts) + end, FORM)


def read_and_delete(runtime: Runtime, answer: httpx.Response) -> dict[str, Any]:
    """Return the accepted request, and delete it."""
    assert answer.status_code == 200, answer.text
    assert runtime.http.delete(answer.headers["Location"]).status_code == 204
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize(
    "content",
    [
        field(UTF8),
        field(b"\xef\xbb\xbf" + UTF8),
        field(UTF8, b"\r\nContent-Type: application/json; charset=UTF-8"),
        field(b'{"name": "Jos\\u00e9"}', b"\r\nContent-Type: text/plain; charset=ISO-8859-1"),
        field(UTF8, b"\r\nContent-Transfer-Encoding: 8bit"),
        field(UTF8, b'; filename="event.json"'),
    ],
)
def test_the_part_event_comes_back_as_it_was_sent(runtime: Runtime, content: bytes) -> None:
    assert read_and_delete(runtime, form(runtime, content))["event"] == {"name": "José"}


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (field(LATIN), 400),
        (field(LATIN, b'; filename="event.json"'), 400),
        (field('{"a": 1}'.encode("utf-16")), 400),
        (field(LATIN, b"\r\nContent-Type: text/plain; charset=ISO-8859-1"), 415),
        (field(UTF8, b"\r\nContent-Type: text/plain; charset=ISO-8859-1"), 415),
        (field(UTF8, b"\r\nContent-Type: text/plain; charset=windows-1252"), 415),
        (field(UTF8, b'; filename="e"\r\nContent-Type: application/json; charset=latin1'), 415),
        (field(b"e30=", b"\r\nContent-Transfer-Encoding: base64"), 415),
        (upload(b'name="csv"; filename="a.csv"', b"eA==", b"\r\nContent-Transfer-Encoding: base64"), 415),
        (upload(b'name="csv"; filename="Jos\xe9.csv"'), 400),
        (upload(b'name="Jos\xe9"; filename="a.csv"'), 400),
        (upload(b"name=\"csv\"; filename*=UTF-8''%FF.csv"), 422),
        (upload('name="csv"; filename="a\ufffd.csv"'.encode()), 422),
        (upload(b'name="csv"; filename="a\\\\b.csv"'), 422),
        (upload(b'name="csv"; filename="C:\\dir\\b.csv"'), 422),
        (upload(b'name="c\\sv"; filename="b.csv"'), 422),
        (upload(b'name="csv"; filename="a\\\\"'), 422),
        (part(b'Content-Disposition: form-data; name="ev\\ent"', b"{}"), 422),
        (upload(b'filename="a.csv"'), 400),
        (part(b"Content-Type: text/plain", b"x"), 400),
        (field(b"{}") + field(b"{}"), 422),
        (field(b"{}") + field(b"{}", b'; filename="e"'), 422),
        (upload(b'name="_charset_"', b"latin-1") + field(b"{}"), 422),
    ],
)
def test_content_that_cannot_be_stored_unchanged_is_rejected(runtime: Runtime, content: bytes, status: int) -> None:
    answer = form(runtime, content)
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json"), answer.text


@pytest.mark.parametrize("end", [b"", b"--x", b"--y--\r\n"])
def test_a_truncated_form_is_rejected(runtime: Runtime, end: bytes) -> None:
    answer = form(runtime, field(b"{}"), end=end)
    assert answer.status_code == 400, answer.text


@pytest.mark.parametrize("head", ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; x=y"])
def test_a_form_without_a_boundary_is_rejected(runtime: Runtime, head: str) -> None:
    assert post(runtime, field(b"{}"), {"Content-Type": head}).status_code == 400


def test_uploads_keep_their_names_and_every_byte(runtime: Runtime) -> None:
    content = bytes(range(256)) + b"\r\n--y\r\n--\r\n\r"
    answer = form(runtime, upload('name="Größe"; filename="naïve \\"1\\".csv"'.encode(), content), field(UTF8))
    assert answer.status_code == 200, answer.text
    file = answer.json()["files"][0]
    assert (file["name"], file["filename"], file["size"]) == ("Größe", 'naïve "1".csv', len(content))
    assert runtime.http.get(file["href"]).content == content
    read_and_delete(runtime, answer)


@pytest.mark.parametrize("charset", ["", "; charset=utf-8", '; charset="UTF-8"', "; charset=us-ascii"])
def test_a_json_body_is_utf_8(runtime: Runtime, charset: str) -> None:
    answer = post(runtime, UTF8, {"Content-Type": f"application/json{charset}"})
    assert read_and_delete(runtime, answer)["event"] == {"name": "José"}


def test_a_json_body_of_another_charset_is_rejected_unless_it_is_ascii(runtime: Runtime) -> None:
    latin = {"Content-Type": "application/json; charset=ISO-8859-1"}
    assert post(runtime, UTF8, latin).status_code == 415
    assert post(runtime, LATIN, latin).status_code == 415
    assert post(runtime, LATIN, JSON).status_code == 400
    assert post(runtime, '{"a": 1}'.encode("utf-16-le"), JSON).status_code == 400
    assert read_and_delete(runtime, post(runtime, b'{"a": 1}', latin))["event"] == {"a": 1}


@pytest.mark.parametrize("name", ["gzip", "x-gzip", "GZIP"])
def test_a_gzip_body_is_decompressed(runtime: Runtime, name: str) -> None:
    body = gzip.compress(UTF8[:5]) + gzip.compress(UTF8[5:])  # In two members, as `cat a.gz b.gz` makes them.
    answer = post(runtime, body, {**JSON, "Content-Encoding": name})
    assert read_and_delete(runtime, answer)["event"] == {"name": "José"}


def test_a_gzip_form_is_decompressed(runtime: Runtime) -> None:
    body = gzip.compress(field(UTF8) + upload(b'name="a"; filename="a"', b"content") + b"--x--\r\n")
    answer = post(runtime, body, {**FORM, "Content-Encoding": "gzip"})
    assert read_and_delete(runtime, answer)["files"][0]["size"] == 7


def test_a_chunked_gzip_body_and_a_gzip_batch_are_decompressed(runtime: Runtime) -> None:
    def pieces() -> Iterator[bytes]:
        body = gzip.compress(json.dumps([1, 2]).encode())
        yield body[:7]
        yield body[7:]

    headers = {**JSON, "Content-Encoding": "gzip"}
    answer = runtime.http.post("/api/functions/echo/batch", content=pieces(), headers=headers)
    assert answer.status_code == 202, answer.text
    for id in answer.json()["ids"]:
        runtime.wait_ended(id)
        assert runtime.http.delete(f"/api/requests/{id}").status_code == 204


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{}", 400),
        (gzip.compress(b"{}")[:-3], 400),
        (gzip.compress(b"{}") + b"more", 400),
        (zlib.compress(b"{}"), 400),
        (gzip.compress(b'"' + b"x" * 2 * MIB + b'"'), 413),
        (gzip.compress(b" " * 32 * MIB, 1), 413),
        (gzip.compress(b"") * (MIB // 20 + 2), 413),
    ],
    ids=["plain", "cut off", "trailing bytes", "zlib", "too large", "a bomb", "members of nothing"],
)
def test_a_bad_gzip_body_is_rejected(runtime: Runtime, body: bytes, status: int) -> None:
    answer = httpx.post(f"{runtime.url}/api/functions/echo", content=body, headers={**JSON, "Content-Encoding": "gzip"})
    assert answer.status_code == status, answer.text


@pytest.mark.parametrize("name", ["deflate", "br", "zstd", "gzip, gzip", "compress", "x"])
@pytest.mark.parametrize("path", ["/api/functions/echo", "/api/functions/echo/batch", "/api/schedules"])
def test_another_content_encoding_is_rejected_by_name(runtime: Runtime, name: str, path: str) -> None:
    answer = runtime.http.post(path, content=b"{}", headers={**JSON, "Content-Encoding": name})
    assert answer.status_code == 415
    assert repr(name) in answer.json()["detail"]
    assert answer.headers["Accept-Encoding"] == "gzip"


NUMBERS = b'{"n":[0.1234567890123456789,1E5,1.50,-0.0,1849263518273645211,123456789012345678901234567890]}'


def test_the_numbers_of_an_event_come_back_as_they_are_written(runtime: Runtime) -> None:
    single = post(runtime, NUMBERS, JSON)
    batch = runtime.http.post("/api/functions/echo/batch", content=b"[%s]" % NUMBERS, headers=JSON).json()["ids"]
    form_ = form(runtime, field(NUMBERS))
    ids = [single.json()["id"], *batch, form_.json()["id"]]
    assert NUMBERS in single.content
    for id in ids:
        assert NUMBERS in runtime.http.get(f"/api/requests/{id}").content
    listed = runtime.http.get("/api/requests?limit=500").content
    assert listed.count(NUMBERS) >= len(ids)
    for id in ids:
        runtime.wait_ended(id)
        assert runtime.http.delete(f"/api/requests/{id}").status_code == 204


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("/api/functions/echo", b'{"a":{"b":1,"b":2}}', "'b'"),
        ("/api/functions/echo/batch", b'[{"b":1,"b":2}]', "'b'"),
        ("/api/schedules", b'{"name":"x","name":"y"}', "'name'"),
        ("/api/functions/echo", b'{"a":-1e400}', "-1e400"),
    ],
)
def test_an_unstorable_value_is_rejected_by_name(runtime: Runtime, path: str, body: bytes, words: str) -> None:
    answer = runtime.http.post(path, content=body, headers=JSON)
    assert answer.status_code == 400
    assert words in answer.json()["detail"]
