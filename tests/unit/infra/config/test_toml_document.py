"""Find the line of a key in a TOML file, whatever stands around it."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.config.setting_files import toml_document
from infra.config.setting_files.toml_document import TomlDocument
from infra.errors import SettingsError

TEXT = '''\
# port = 1
title = """
port = 2
[settings]
port = 3
"""
[settings]  # port = 4
note = 'port = 5'
"port" = 6
functions = [
  "port = 7",  # ]
  "b",
]
lines = \'\'\'
[functions.hello]
timeout_s = 1\'\'\'
[ functions . "hello" ]
limits.memory_mb = 32
inner = {queue = "a", "on_lost" = "fail"}
[functions]
other.timeout_s = 3
"a.b".timeout_s = 4
[[lists]]
x = 1
'''


def parse(folder: Path, content: bytes) -> TomlDocument:
    (folder / "x.toml").write_bytes(content)
    document = toml_document.read(folder / "x.toml")
    assert document is not None
    return document


def read_error(folder: Path, content: bytes) -> str:
    with pytest.raises(SettingsError) as caught:
        parse(folder, content)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ("title", 2),
        ("settings", 7),
        ("settings port", 9),
        ("settings functions", 10),
        ("settings lines", 14),
        ("functions", 17),
        ("functions hello", 17),
        ("functions hello limits memory_mb", 18),
        ("functions hello inner on_lost", 19),
        ("functions other timeout_s", 21),
        ("functions a.b timeout_s", 22),
        ("lists", 23),
        ("functions hello missing", 17),
        ("missing", 1),
    ],
)
def test_the_line_of_a_key_is_that_of_its_statement(tmp_path: Path, newline: str, keys: str, line: int) -> None:
    document = parse(tmp_path, TEXT.replace("\n", newline).encode())
    assert document.line(*keys.split()) == line
    assert document.place(*keys.split()) == f"{tmp_path}/x.toml:{line}"


VALUES = st.one_of(
    st.text(st.characters(exclude_categories=["C"], exclude_characters="\"'\\")).map(lambda text: f'"{text}"'),
    st.sampled_from(
        ["1", "[]", "[ # ]\n1,\n2\n]", '"""\nk0 = 1\n[t]\n"""', "'''\n\"\"\"\n'''", "{a = 1, 'b' = [2]}", "1979-05-27"]
    ),
)


@given(st.lists(st.tuples(st.sampled_from(["", "# k1 = 1\n", "\n\n", "[t{}]\n"]), VALUES), max_size=8))
def test_any_statements_are_told_apart(parts: list[tuple[str, str]]) -> None:
    text, table, places = "", (), list[tuple[tuple[str, ...], int]]()
    for number, (before, value) in enumerate(parts):
        text += before.format(number)
        if before.startswith("["):
            table = (f"t{number}",)  # type: ignore[assignment]
        places.append(((*table, f"k{number}"), text.count("\n") + 1))
        text += f"k{number} = {value}\n"
    document = TomlDocument(Path("x.toml"), text, {})
    assert [document.line(*keys) for keys, _ in places] == [line for _, line in places]


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        (b"a = 1\nb = \n", 2, "not valid TOML: invalid value."),
        (b"a = 1\na = 2\n", 2, "not valid TOML: cannot overwrite a value."),
        (b'a = 1\n\nb = """\nc = 3\n', 3, "not valid TOML: "),
        (b"a = 1\n[settings", 2, "not valid TOML: "),
        (b"a = 1\nb = \xff\n", 2, "the text is not valid UTF-8; save the file as UTF-8."),
        (b"a = 1\nb = " + b"[" * 100_000, 2, "the value is nested too deeply."),
        (b"a = 1\nb = " + b"9" * 5000, 2, "not valid TOML: "),
        (b"a = 1\nb = [0x" + b"f" * 5000 + b"]", 2, "b: the number does not fit into 64 bits."),
        (b'a = 1\nb = [{c = "\\u0000"}]', 2, "b.c: the text contains U+0000; remove it."),
        (b"a = 1\nb = " + b"[" * 104 + b"]" * 104, 2, "b: the value is nested deeper than 103 levels."),
    ],
)
def test_content_that_cannot_be_read_is_reported_with_its_line(
    tmp_path: Path, content: bytes, line: int, reason: str
) -> None:
    assert re.match(re.escape(f"{tmp_path}/x.toml:{line}: {reason}"), read_error(tmp_path, content))


def test_a_byte_order_mark_is_accepted(tmp_path: Path) -> None:
    assert parse(tmp_path, b"\xef\xbb\xbfa = 1\n").data == {"a": 1}


def test_a_folder_in_place_of_the_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "x.toml").mkdir()
    with pytest.raises(SettingsError, match="cannot be read: Is a directory"):
        toml_document.read(tmp_path / "x.toml")
    assert toml_document.read(tmp_path / "missing.toml") is None
