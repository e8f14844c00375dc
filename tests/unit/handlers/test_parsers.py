"""Check parsers of untrusted input with random data: each returns a value or raises its own error."""

import contextlib
import re
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from handlers.security.origin_check import AllowedHosts, split_host
from infra.redaction import redact_url
from infra.spa_assets import API_ROOT, STATIC_ROOT, inject_base_urls
from localfn.runtime import frames
from seed import fixtures
from seed.errors import FixtureError
from workqueue import event_json
from workqueue.errors import BadEventError, BadExpressionError, EventTooLargeError
from workqueue.schedules.calendar import expression

EXPRESSION = st.one_of(
    st.text(max_size=200),
    st.text("0123456789*/,-?LW# SUNMONJAN@crond(ateilys)hp:T", max_size=200),
    st.builds("cron({})".format, st.text("0123456789*/,-?LW# ", max_size=100)),
    st.builds("rate({} {})".format, st.integers(), st.text(max_size=10)),
    st.builds("at({})".format, st.text("0123456789-:T", max_size=40)),
)


@given(st.binary(max_size=2000), st.lists(st.integers(1, 300), max_size=20))
def test_a_reader_of_frames_gives_frames_or_an_error(data: bytes, cuts: list[int]) -> None:
    reader = frames.Reader(1000)
    for cut in [*cuts, len(data)]:
        reader.feed(data[:cut])
        data = data[cut:]
        try:
            while (frame := reader.next()) is not None:
                assert isinstance(frame[0]["type"], str)
        except frames.FrameError:
            return


@given(
    st.dictionaries(st.text(max_size=5), st.text(max_size=20), max_size=5), st.binary(max_size=100), st.integers(1, 50)
)
def test_a_frame_sent_in_pieces_of_any_size_arrives_whole(head: dict[str, str], body: bytes, size: int) -> None:
    sent = frames.encode(head | {"type": "x"}, body)
    reader, found = frames.Reader(100), []
    for place in range(0, len(sent), size):
        reader.feed(sent[place : place + size])
        found += [frame] if (frame := reader.next()) else []
    assert found == [(head | {"type": "x"}, body)]


@given(EXPRESSION)
def test_an_expression_is_read_or_rejected(text: str) -> None:
    with contextlib.suppress(BadExpressionError):
        expression.parse(text)


@given(st.one_of(st.binary(max_size=500), st.text('[]{}",:\\0123456789eE+-.truefalsn u', max_size=500).map(str.encode)))
def test_an_event_is_read_or_rejected(body: bytes) -> None:
    with contextlib.suppress(BadEventError, EventTooLargeError):
        event_json.parse(body, 400)


@given(st.text(st.characters(codec="utf-8"), max_size=300), st.sampled_from([".json", ".yaml"]))
def test_a_fixture_file_is_read_or_rejected(text: str, suffix: str) -> None:
    with TemporaryDirectory() as folder:
        (Path(folder) / f"a{suffix}").write_text(text, encoding="utf-8")
        with contextlib.suppress(FixtureError):
            fixtures.read_fixtures(Path(folder), with_dev=True)


ROOT = st.sampled_from(["", "/tools/localfn", "https://cdn.example.org/x"])


@given(st.lists(st.sampled_from([STATIC_ROOT, API_ROOT, "/", '"', "x", "\\1", "\\g<0>", "é"]), max_size=20), ROOT, ROOT)
def test_no_placeholder_is_left_and_nothing_else_is_touched(parts: list[str], static: str, api: str) -> None:
    content = "".join(parts)
    made = inject_base_urls(".js", content.encode(), static, api).decode()
    assert STATIC_ROOT not in made
    assert API_ROOT not in made
    if STATIC_ROOT not in content and API_ROOT not in content:
        assert made == content
    assert inject_base_urls(".png", content.encode(), static, api) == content.encode()


@given(st.one_of(st.text(max_size=100), st.text("localhst127.0:[]@/\\#? evil.example", max_size=60)))
def test_only_names_of_this_machine_count_as_local(host: str) -> None:
    found = split_host(f"//{host}")
    if found is not None and AllowedHosts().allows(found[0]):
        name = re.sub(r":\d*$", "", host.strip().lower()).strip("[]").removesuffix(".")
        assert name in ("127.0.0.1", "localhost", "::1") or name.endswith(".localhost")


@given(st.text(st.characters(codec="ascii", exclude_characters="@?&#", min_codepoint=33), min_size=8, max_size=40))
def test_a_password_in_a_url_is_never_shown(password: str) -> None:
    shown = redact_url(f"postgresql://user:{password}@host/db")
    assert password not in shown or password in "postgresql://user:***@host/db"
