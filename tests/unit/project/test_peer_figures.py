"""Check the figures of the benchmark of peers."""

from pathlib import Path
from xml.etree import ElementTree

from benchmarks.peers.report import plot, report, tables
from benchmarks.peers.report.figures import (
    CASES,
    CONNECTIONS,
    CPU,
    MEMORY,
    RATE,
    SERVERS_CPU,
    Described,
    Run,
    percentiles,
)
from benchmarks.peers.setups import BATCHED_BOUND, PLAIN_RQ

DRAIN, IDLE = CASES[0], CASES[-1]
USED = dict.fromkeys((CPU, SERVERS_CPU, MEMORY, CONNECTIONS), 100.0)


def a_run() -> Run:
    described = [
        Described("localfn", "ours", "as it is", 1.0),
        Described("quick & small", "peer", "by the book", 1.0),
        Described(PLAIN_RQ, "peer", "by the book", 0.1),
        Described(BATCHED_BOUND, "bound", "by hand", 1.0),
    ]
    run = Run("./dev bench peers", 1_000, 100, {"cores": "2"}, described)
    for one, rates in zip(
        described, ([90, 110, 100], [400, 390, 410], [50, 50, 50], [2_000, 1_000, 3_000]), strict=True
    ):
        for rate in rates:
            run.add(one.name, DRAIN, {RATE: float(rate)} | USED)
    for one in described[:2]:
        run.add(one.name, IDLE, percentiles([float(number) for number in range(1, 101)]))
    return run


def test_ratios_are_of_medians_and_the_best_peer_is_no_bound() -> None:
    run = a_run()
    best = run.best_peer(DRAIN)
    assert best is not None
    assert best.name == "quick & small"
    assert run.ratio("localfn", best.name, DRAIN) == 0.25
    assert run.ratio("localfn", PLAIN_RQ, DRAIN) == 2.0
    assert [one.name for one in run.ranked(DRAIN)] == [BATCHED_BOUND, "quick & small", "localfn", PLAIN_RQ]


def test_percentiles_are_values_that_were_seen() -> None:
    assert percentiles([float(number) for number in range(1, 101)]) == {"p50": 50.0, "p95": 95.0, "p99": 99.0}
    assert percentiles([7.0]) == {"p50": 7.0, "p95": 7.0, "p99": 7.0}


def test_a_base_that_was_not_measured_gives_no_ratio() -> None:
    table = tables.of(a_run(), IDLE)
    assert table.rows[0][-2:] == (tables.NOTHING, tables.NOTHING)
    assert all(len(row) == len(table.header) for row in table.rows)


def test_a_run_written_to_json_is_read_back(tmp_path: Path) -> None:
    report.write_json(a_run(), tmp_path / "run.json")
    assert report.read_json(tmp_path / "run.json") == a_run()


def test_the_picture_is_valid_xml_and_the_page_shows_it(tmp_path: Path) -> None:
    run = a_run()
    report.write_pages(run, tmp_path)
    page = (tmp_path / report.PAGE).read_text()
    assert page.startswith(report.BEGIN)
    assert report.PICTURE in page
    assert "1,000 requests" in page
    ElementTree.parse(tmp_path / report.PICTURE)
    assert plot.svg(run).count('class="title"') == 2
