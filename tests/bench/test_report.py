"""What the benchmarks say of a run."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench.cases import BY_HAND, CASES, GATEWAY, KRAKEND, USUAL
from bench.chart import chart
from bench.peers import krakend
from bench.report import report, table, update
from bench.results import Row, Run, ratio, run_from_json

ABOUT = {"date": "2026-01-01", "machine": "m", "rounds": 3, "seconds": 1, "load": "wrk", "upstreams": "nginx"}


@pytest.fixture
def run() -> Run:
    title = CASES["small"][0].title
    ours, other = Row("small", title, GATEWAY), Row("small", title, BY_HAND)
    for mine, theirs in ((100, 10), (400, 100), (300, 20)):
        ours.add(rate=mine, cpu_us=1)
        other.add(rate=theirs, cpu_us=6)
    return Run(ABOUT, [ours, other])


def test_a_ratio_is_the_median_of_the_rounds_ratios(run: Run) -> None:
    assert ratio(*run.rows, "rate") == 10  # that of the medians is 15


def test_what_was_not_measured_has_no_ratio(run: Run) -> None:
    assert ratio(run.rows[0], None, "rate") is None
    assert ratio(*run.rows, "p50_ms") is None


def test_the_report_has_ratios_and_targets(run: Run) -> None:
    text = report(run)
    assert "| 10.00 × |" in text
    assert "composite, small, to by hand with aiohttp" in text
    assert "5 × | 10.00 × | yes |      6.00 × |" in text


def test_a_run_survives_json(run: Run) -> None:
    assert run_from_json(json.loads(json.dumps(run.as_json()))) == run


def test_columns_are_aligned() -> None:
    assert table([["a", "b"], ["long", "1"]], left=(0,)).splitlines() == [
        "| a    | b |",
        "|------|--:|",
        "| long | 1 |",
    ]


def test_update_replaces_what_is_between_the_markers(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("top\n<!-- bench: begin -->\nold\n<!-- bench: end -->\nbottom\n")
    update(page, "new")
    assert page.read_text() == "top\n<!-- bench: begin -->\nnew\n<!-- bench: end -->\nbottom\n"


def test_update_refuses_a_page_without_markers(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("top\n")
    with pytest.raises(SystemExit):
        update(page, "new")
    assert page.read_text() == "top\n"


def test_the_chart_is_xml_with_a_bar_for_each_contestant(run: Run) -> None:
    root = ElementTree.fromstring(chart(run))
    assert len(root.findall("{http://www.w3.org/2000/svg}rect")) == 2


def test_every_case_that_names_krakend_has_a_configuration() -> None:
    for case in (case for name in USUAL for case in CASES[name] if KRAKEND in case.peers):
        written = json.loads(krakend.config(case, "http://127.0.0.1:1", 2))
        assert all(backend["host"] == ["http://127.0.0.1:1"] for backend in written["endpoints"][0]["backend"])
