"""Draw a profile as one SVG: per column its name, kind, share of missing cells and a small histogram."""

from __future__ import annotations

import re
from html import escape
from typing import Any

from examples.csv_profile.summary import Column
from examples.csv_profile.words import counted

WIDTH, LINE, HEAD, FOOT = 860, 40, 92, 20
_NAME_X, _KIND_X, _MISSING_X, _BARS_X, _RANGE_X = 24, 236, 318, 486, 672
_MISSING_WIDTH, _BARS_WIDTH, _BARS_HEIGHT = 96, 168, 26
_FORBIDDEN_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_STYLE = """
svg{background:#fff;font:13px system-ui,-apple-system,"Segoe UI",sans-serif}
text{fill:#1c2733}.title{font-size:18px;font-weight:600}.soft{fill:#66727f;font-size:11.5px}
.name{font-weight:500}.rule{stroke:#e7ebef}.track{fill:#edf0f3}.gap{fill:#d9822b}.bar{fill:#3b7dd8}
@media(prefers-color-scheme:dark){svg{background:#14191f}text{fill:#e6ebf0}.soft{fill:#93a0ad}
.rule{stroke:#28313a}.track{fill:#252d36}.gap{fill:#e59a4b}.bar{fill:#5b9bf0}}
"""


def draw(columns: list[Column], rows: int) -> str:
    """Return the chart as SVG text; `rows` is the number of rows of the table."""
    height = HEAD + LINE * max(1, len(columns)) + FOOT
    title = f"{counted(rows, 'row')} × {counted(len(columns), 'column')}"  # noqa: RUF001 - the sign is meant
    lines = [_line(column, rows, HEAD + LINE * place) for place, column in enumerate(columns)]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}"',
            f'viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{title}">',
            f"<title>{title}</title>",
            f"<style>{_STYLE}</style>",
            _text(_NAME_X, 40, title, "title"),
            *_headings(),
            *(lines or [_text(_NAME_X, HEAD + 26, "The file holds no columns.", "soft")]),
            "</svg>\n",
        ]
    )


def _headings() -> list[str]:
    places = {"column": _NAME_X, "kind": _KIND_X, "missing": _MISSING_X, "values": _BARS_X, "range": _RANGE_X}
    return [_text(x, HEAD - 14, heading, "soft") for heading, x in places.items()]


def _line(column: Column, rows: int, top: int) -> str:
    facts, base = column.facts, top + 25
    share = facts["missing"] / rows if rows else 0.0
    return "".join(
        [
            f'<g><path class="rule" d="M{_NAME_X} {top + 0.5}H{WIDTH - _NAME_X}"/>',
            f"<g><title>{_safe(column.name)}</title>",
            _text(_NAME_X, base, _cut(column.name, 28), "name"),
            "</g>",
            _text(_KIND_X, base, facts["kind"], "soft"),
            _rectangle("track", _MISSING_X, top + 16, _MISSING_WIDTH, 9),
            _rectangle("gap", _MISSING_X, top + 16, _MISSING_WIDTH * share, 9) if share else "",
            _text(_MISSING_X + _MISSING_WIDTH + 8, base, _percent(share), "soft"),
            _histogram(column, top + 33),
            _text(_RANGE_X, base, _range(facts), "soft"),
            "</g>",
        ]
    )


def _histogram(column: Column, bottom: int) -> str:
    """Draw one path for all bars, which keeps the chart of a wide table small."""
    if not column.bars:
        return ""
    step = min(_BARS_WIDTH / len(column.bars), 24.0)
    path = []
    for place, share in enumerate(column.bars):
        if share:
            height = max(1.0, share * _BARS_HEIGHT)
            path.append(f"M{_BARS_X + place * step:.1f} {bottom}v{-height:.1f}h{step - 1:.1f}v{height:.1f}z")
    return f'<path class="bar" d="{"".join(path)}"/>'


def _range(facts: dict[str, Any]) -> str:
    if facts["kind"] in ("text", "boolean"):
        return f"{facts['distinct']:,} distinct"
    if facts["min"] is None:
        return ""
    low, high = (_short(facts[end]) for end in ("min", "max"))
    return low if low == high else f"{low} … {high}"


def _short(value: Any) -> str:
    return value[:10] if isinstance(value, str) else f"{value:.6g}"


def _percent(share: float) -> str:
    if 0 < share < 0.001:
        return "<0.1 %"
    return f"{share * 100:.1f} %" if share else "0 %"


def _rectangle(name: str, x: float, y: float, width: float, height: float) -> str:
    return f'<rect class="{name}" x="{x}" y="{y}" width="{width:.1f}" height="{height}" rx="2"/>'


def _text(x: float, y: float, text: str, name: str) -> str:
    return f'<text x="{x}" y="{y}" class="{name}">{_safe(text)}</text>'


def _safe(text: str) -> str:
    return escape(_FORBIDDEN_IN_XML.sub("\ufffd", text))


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
