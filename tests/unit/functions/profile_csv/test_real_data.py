"""Check profile_csv on real files, against figures of awk and sqlite3 and Python's statistics."""

from __future__ import annotations

import csv
import json
import statistics
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from examples.profile_csv import check, profile_csv
from localfn import Context
from localfn.outcome.result import to_json

Profile = Callable[[Path], dict[str, Any]]


@pytest.fixture
def profile(make_context: Callable[..., Context]) -> Profile:
    def run(path: Path) -> dict[str, Any]:
        context = make_context(csv=path)
        result = profile_csv(check({}, context), context)
        strict: dict[str, Any] = json.loads(to_json(result))
        assert strict == result
        return strict

    return run


def read_cells(path: Path) -> dict[str, list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        names, *rows = csv.reader(file)
    return {name: [row[place] for row in rows] for place, name in enumerate(names)}


def test_the_weather_of_new_york_has_the_numbers_that_awk_and_sqlite_found(profile: Profile, nyc_weather: Path) -> None:
    result = profile(nyc_weather)
    columns = result["columns"]
    assert result["rows"] == 26_115
    assert list(columns)[:3] == ["origin", "year", "month"]
    assert len(columns) == 15
    temp = columns["temp"]
    assert (temp["kind"], temp["missing"], temp["min"], temp["max"]) == ("number", 1, 10.94, 100.04)
    assert temp["mean"] == pytest.approx(55.2603921268, abs=1e-9)
    assert temp["quantiles"] == pytest.approx({"p05": 28.04, "p25": 39.92, "p50": 55.4, "p75": 69.98, "p95": 82.4})
    assert columns["wind_gust"]["missing"] == 20_778
    assert columns["wind_gust"]["mean"] == pytest.approx(25.4870709312, abs=1e-9)
    assert columns["humid"]["distinct"] == 2_499
    assert columns["humid"]["mean"] == pytest.approx(62.530058972198056, rel=1e-12)
    assert columns["time_hour"]["kind"] == "datetime"
    assert columns["time_hour"]["distinct"] == 8_714
    assert columns["time_hour"]["min"] == "2013-01-01T06:00:00Z"
    assert columns["time_hour"]["max"] == "2013-12-30T23:00:00Z"


def test_the_penguins_have_the_numbers_that_sqlite_found(profile: Profile, data: Path) -> None:
    columns = profile(data / "penguins.csv")["columns"]
    mass = columns["body_mass_g"]
    assert (mass["kind"], mass["min"], mass["max"], mass["missing"], mass["distinct"]) == (
        "integer",
        2700,
        6300,
        2,
        94,
    )
    assert mass["mean"] == pytest.approx(4201.754385964912, rel=1e-14)
    assert columns["species"]["top"] == [
        {"value": "Adelie", "count": 152},
        {"value": "Gentoo", "count": 124},
        {"value": "Chinstrap", "count": 68},
    ]


def test_the_airports_have_the_numbers_that_sqlite_found(profile: Profile, data: Path) -> None:
    columns = profile(data / "airports.csv")["columns"]
    altitude = columns["alt"]
    assert (altitude["min"], altitude["max"], altitude["distinct"]) == (-54, 9078, 911)
    assert altitude["mean"] == pytest.approx(1001.4156378600823, rel=1e-14)
    assert columns["name"]["distinct"] == 1_440
    assert columns["tzone"]["top"][0] == {"value": "America/New_York", "count": 519}
    assert columns["faa"]["kind"] == "text"


def test_raw_penguins_keep_their_units_quoted_commas_and_missing_markers(profile: Profile, data: Path) -> None:
    result = profile(data / "penguins_raw.csv")
    columns = result["columns"]
    kinds = {name: column["kind"] for name, column in columns.items()}
    assert result["rows"] == 344
    assert kinds["Date Egg"] == "date"
    assert kinds["Clutch Completion"] == "boolean"
    assert kinds["Culmen Length (mm)"] == "number"
    assert columns["Stage"]["top"] == [{"value": "Adult, 1 Egg Stage", "count": 344}]
    assert columns["Comments"]["missing"] == 290
    assert columns["Clutch Completion"]["mean"] == pytest.approx(308 / 344)
    assert columns["Date Egg"]["min"] == "2007-11-09"


@pytest.mark.parametrize("name", ["penguins.csv", "penguins_raw.csv", "airports.csv", "nyc_weather_2013.csv"])
def test_every_number_agrees_with_the_statistics_module(
    profile: Profile, data: Path, nyc_weather: Path, name: str
) -> None:
    path = nyc_weather if name == nyc_weather.name else data / name
    result = profile(path)
    cells = read_cells(path)
    assert list(result["columns"]) == list(cells)
    for name, texts in cells.items():
        column = result["columns"][name]
        present = [text for text in texts if text not in ("NA", "")]
        assert column["missing"] == len(texts) - len(present), name
        if column["kind"] in ("integer", "number"):
            check_numbers(column, [float(text) for text in present])
        else:
            assert column["distinct"] == len(set(present)), name
            assert column["quantiles"] is None


def check_numbers(column: dict[str, Any], values: list[float]) -> None:
    assert column["distinct"] == len(set(values))
    assert (column["min"], column["max"]) == (min(values), max(values))
    assert column["mean"] == pytest.approx(statistics.fmean(values), rel=1e-12, abs=1e-12)
    assert column["std"] == pytest.approx(statistics.stdev(values), rel=1e-9, abs=1e-12)
    cuts = statistics.quantiles(values, n=20, method="inclusive")
    found = [column["quantiles"][key] for key in ("p05", "p25", "p50", "p75", "p95")]
    assert found == pytest.approx([cuts[0], cuts[4], cuts[9], cuts[14], cuts[18]], rel=1e-12)
    counts, top = Counter(values), column["top"][0]
    assert top["count"] == max(counts.values()) == counts[top["value"]]
