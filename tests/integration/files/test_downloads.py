"""Serve files over HTTP: an upload and an output of one name, ranges, conditions, HEAD."""

import pytest

from handlers.files.conditional_headers import UnsatisfiableError, parse_range
from tests.support.runtime import Runtime

CONTENT = bytes(range(256))


@pytest.fixture(scope="module")
def path(runtime: Runtime) -> str:
    """Upload a file of 256 bytes; return its path."""
    request = runtime.call("echo", None, files={"data": ("data.bin", CONTENT)})
    return str(request["files"][0]["href"])


def test_an_upload_and_an_output_of_one_name_have_two_addresses(runtime: Runtime) -> None:
    files = {"event": (None, '{"name": "data.csv"}'), "data.csv": ("data.csv", b"sent")}
    request = runtime.call("save_page", None, files=files)

    files = runtime.get(f"/api/requests/{request['id']}")["files"]
    assert [(file["kind"], file["name"]) for file in files] == [("input", "data.csv"), ("output", "data.csv")]
    upload, output = (file["href"] for file in files)
    assert upload == f"/api/requests/{request['id']}/inputs/data.csv"
    assert output == f"/api/requests/{request['id']}/files/data.csv"
    assert runtime.http.get(upload).content == b"sent"
    assert runtime.http.get(output).content == b"<script>alert(1)</script>"
    assert [file["href"] for file in runtime.get(f"/api/requests/{request['id']}/result")["files"]] == [output]


def test_an_upload_is_found_among_the_files_while_no_output_has_its_name(runtime: Runtime, path: str) -> None:
    assert runtime.http.get(path.replace("/inputs/", "/files/")).content == CONTENT
    assert runtime.http.get(f"{path}x").status_code == 404


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-3", 0, 3),
        ("bytes=0-0", 0, 0),
        ("bytes=250-", 250, 255),
        ("bytes=-6", 250, 255),
        ("bytes=-1000", 0, 255),
        ("bytes=255-9999", 255, 255),
        ("Bytes=4-7", 4, 7),
    ],
)
def test_a_range_is_answered_with_these_bytes(runtime: Runtime, path: str, asked: str, first: int, last: int) -> None:
    answer = runtime.http.get(path, headers={"Range": asked})
    assert (answer.status_code, answer.content) == (206, CONTENT[first : last + 1])
    assert answer.headers["Content-Range"] == f"bytes {first}-{last}/256"
    assert answer.headers["Content-Length"] == str(last + 1 - first)
    assert answer.headers["ETag"]
    assert "Transfer-Encoding" not in answer.headers


@pytest.mark.parametrize("asked", ["bytes=256-", "bytes=256-300", "bytes=-0", "bytes=999999999999-"])
def test_a_range_beyond_the_end_is_a_416(runtime: Runtime, path: str, asked: str) -> None:
    answer = runtime.http.get(path, headers={"Range": asked})
    assert (answer.status_code, answer.headers["Content-Range"]) == (416, "bytes */256")
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    "asked", ["", "bytes", "bytes=", "bytes=-", "bytes=3-1", "bytes=a-b", "lines=0-3", "bytes=0-1,4-5"]
)
def test_an_invalid_or_multiple_range_returns_the_whole_file(runtime: Runtime, path: str, asked: str) -> None:
    answer = runtime.http.get(path, headers={"Range": asked})
    assert (answer.status_code, answer.content) == (200, CONTENT)
    assert answer.headers["Content-Length"] == "256"
    assert answer.headers["Accept-Ranges"] == "bytes"


def test_if_range_makes_a_range_safe(runtime: Runtime, path: str) -> None:
    etag = runtime.http.get(path).headers["ETag"]

    def status(condition: str) -> int:
        return runtime.http.get(path, headers={"Range": "bytes=0-3", "If-Range": condition}).status_code

    assert status(etag) == 206
    assert [status(other) for other in ('"x"', f"W/{etag}", "Mon, 30 Nov 2026 00:00:00 GMT")] == [200, 200, 200]


def test_a_cached_file_is_a_304(runtime: Runtime, path: str) -> None:
    etag = runtime.http.get(path).headers["ETag"]
    answer = runtime.http.get(path, headers={"If-None-Match": f'"x", {etag}', "Range": "bytes=0-3"})
    assert (answer.status_code, answer.content, answer.headers["ETag"]) == (304, b"", etag)


@pytest.mark.parametrize(
    ("name", "condition", "status"),
    [
        ("If-Match", "{etag}", 200),
        ("If-Match", '"x", {etag}', 200),
        ("If-Match", "*", 200),
        ("If-Match", '"x"', 412),
        ("If-Match", "W/{etag}", 412),
        ("If-Unmodified-Since", "{stored}", 200),
        ("If-Unmodified-Since", "Sat, 01 Jan 2000 00:00:00 GMT", 412),
        ("If-Unmodified-Since", "yesterday", 200),
        ("If-Modified-Since", "{stored}", 304),
        ("If-Modified-Since", "Sat, 01 Jan 2000 00:00:00 GMT", 200),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_download_follows_its_condition(
    runtime: Runtime, path: str, method: str, name: str, condition: str, status: int
) -> None:
    headers = runtime.http.get(path).headers
    condition = condition.format(etag=headers["ETag"], stored=headers["Last-Modified"])
    answer = runtime.http.request(method, path, headers={name: condition})
    assert answer.status_code == status


def test_a_condition_on_etags_wins_over_one_on_dates(runtime: Runtime, path: str) -> None:
    etag, long_ago = runtime.http.get(path).headers["ETag"], "Sat, 01 Jan 2000 00:00:00 GMT"
    for condition, status in ((etag, 200), ('"x"', 412)):
        headers = {"If-Match": condition, "If-Unmodified-Since": long_ago}
        assert runtime.http.get(path, headers=headers).status_code == status
    headers = {"If-None-Match": '"x"', "If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"}
    assert runtime.http.get(path, headers=headers).status_code == 200


def test_head_returns_the_length_and_ignores_a_range(runtime: Runtime, path: str) -> None:
    answer = runtime.http.head(path, headers={"Range": "bytes=0-3"})
    assert (answer.status_code, answer.headers["Content-Length"], answer.content) == (200, "256", b"")


def test_an_empty_file_has_no_range(runtime: Runtime) -> None:
    href = runtime.call("echo", None, files={"data": ("empty", b"")})["files"][0]["href"]
    whole = runtime.http.get(href)
    assert (whole.status_code, whole.content, whole.headers["Content-Length"]) == (200, b"", "0")
    assert runtime.http.get(href, headers={"Range": "bytes=0-"}).status_code == 416


def test_a_range_accepts_numbers_of_any_length() -> None:
    assert parse_range("bytes=0-" + "9" * 19, 10) == range(10)
    assert parse_range("bytes=" + "9" * 5000 + "-", 10) is None
    with pytest.raises(UnsatisfiableError):
        parse_range("bytes=0-", 0)
