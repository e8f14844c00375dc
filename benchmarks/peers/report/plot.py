"""Draw the figures as SVG: one panel of bars for each case."""

from xml.sax.saxutils import escape

from benchmarks.peers.report.figures import Case, Described, Run

WIDTH, MARGIN, NAMES = 760, 20, 190
BAR, GAP, TITLE, PANEL_GAP = 16, 6, 30, 18
BASELINE = BAR - 4
PAPER = "#ffffff"
VALUES = 80  # room to the right of the longest bar
COLOURS = {"ours": "#c2410c", "peer": "#475569", "bound": "#cbd5e1"}
STYLE = "text{font:12px system-ui,sans-serif;fill:#0f172a}.title{font-weight:600}.name{text-anchor:end}"


def svg(run: Run) -> str:
    """Return the picture: panels with separate scales, bounds in a paler colour."""
    parts, top = [], MARGIN
    for case in run.cases():
        panel, height = _panel(run, case, top)
        parts += panel
        top += height + PANEL_GAP
    height = top - PANEL_GAP + MARGIN
    size = f'width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size}>',
        f"<style>{STYLE}</style>",
        f'<rect width="{WIDTH}" height="{height}" fill="{PAPER}"/>',
    ]
    return "\n".join([*head, *parts, "</svg>\n"])


def _panel(run: Run, case: Case, top: int) -> tuple[list[str], int]:
    """Return the elements of a panel and its height.

    The scale fits the products: beside a bound that is ten times as quick their bars would be slivers. A bar that is
    longer than the scale has a break mark.
    """
    ranked = run.ranked(case)
    values = {contestant.name: run.median(contestant.name, case, case.metric) or 0.0 for contestant in ranked}
    scale = max(
        values[contestant.name]
        for contestant in [contestant for contestant in ranked if contestant.kind != "bound"] or ranked
    )
    title = case.title if case.is_drain else f"{case.title} (median)"
    parts = [f'<text class="title" x="{MARGIN}" y="{top + BASELINE}">{escape(title)}</text>']
    for position, contestant in enumerate(ranked):
        value, y = values[contestant.name], top + TITLE + position * (BAR + GAP)
        shown = f"{value:,.0f}" if case.is_drain else f"{value:,.1f} ms"
        parts += _bar(contestant, value / scale, shown, y)
    return parts, TITLE + len(ranked) * (BAR + GAP)


def _bar(contestant: Described, part: float, shown: str, top: int) -> list[str]:
    """Return the elements of a bar.

    part: its length as a share of the scale.
    """
    length = max(1.0, min(part, 1.0) * (WIDTH - NAMES - VALUES - MARGIN))
    elements = [
        f'<text class="name" x="{NAMES - 8}" y="{top + BASELINE}">{escape(contestant.name)}</text>',
        f'<rect x="{NAMES}" y="{top}" width="{length:.1f}" height="{BAR}" fill="{COLOURS[contestant.kind]}"/>',
        f'<text x="{NAMES + length + 6:.1f}" y="{top + BASELINE}">{shown}</text>',
    ]
    if part > 1:
        x, bottom = NAMES + length - 30, top + BAR
        elements.append(f'<path d="M{x} {bottom}l8 -{BAR}h6l-8 {BAR}z" fill="{PAPER}"/>')
    return elements
