"""Tables of the page: numbers as text, with what they are sorted and drawn by."""

from __future__ import annotations

import pytest

from hybridrec.evaluation.report import FitProgressReport, Guardrail
from hybridrec.reporting import tables
from hybridrec.reporting.tables import Cell


def test_weights_are_means_over_folds(hostile_run):
    report = hostile_run.report.model_copy(deep=True)
    report.pipelines["hybrid"].learned = {
        "a": {"items": {"all": {"ease": 1.0, "pop": 0.0}}, "tags": {"any": "thing"}},
        "b": {"items": {"all": {"ease": 0.5, "pop": 0.5}, "title": {"ease": 0, "pop": 1}}},
    }
    (table,) = tables.learned_weights(report)
    assert table.headers == ["segment", "ease", "pop", "guarded"]
    expected = ["all", "0.75 (0.50–1.00)", "0.25 (0.00–0.50)", "0 of 2 folds"]
    assert [cell.text for cell in table.rows[0]] == expected
    assert [cell.value for cell in table.rows[1]] == [None, 0, 1, 0]
    assert tables.other_learned(report) == {"hybrid": {"a": {"tags": {"any": "thing"}}}}


def test_a_guard_is_shown(hostile_run):
    report = hostile_run.report.model_copy(deep=True)
    held = {"weights": {"ease": 1.0}, "best_single": "ease", "validation_ndcg@5": {"blend": None}, "guarded": True}
    report.pipelines["hybrid"].learned = {
        "a": {"items": {"all": held}},
        "b": {"items": {"all": {**held, "guarded": False}}},
    }
    (table,) = tables.learned_weights(report)
    assert [cell.text for cell in table.rows[0]] == ["all", "1.00 (1.00–1.00)", "1 of 2 folds"]
    assert not tables.other_learned(report)


@pytest.mark.parametrize(
    ("value", "form", "cell"),
    [
        (None, "{:.4f}", Cell("")),
        (0.0, "{:.4f}", Cell("0.0000", 0.0)),
        (1234, "{:,}", Cell("1,234", 1234)),
        (-0.5, "{:+.1f}", Cell("-0.5", -0.5)),
    ],
)
def test_a_number_is_text_and_what_it_is_sorted_by(value, form, cell):
    assert tables.number(value, form) == cell


def test_a_column_is_numeric_if_any_row_has_a_number():
    table = tables.Table(
        "t", ["a", "b", "c"], [[Cell("x"), Cell("", None), Cell("")], [Cell("y"), Cell("1", 1), Cell("")]]
    )
    assert [table.numeric(column) for column in range(3)] == [False, True, False]


def test_every_arm_has_every_metric_of_the_segment(hostile_run):
    report = hostile_run.report
    table = tables.arms_by_metric(report, "all")
    assert table.headers == ["pipeline", "ndcg@5", "recall@5", "coverage@5"]
    assert [row[0].text for row in table.rows] == list(report.pipelines)
    for row in table.rows:
        metrics = report.pipelines[row[0].text].metrics
        assert [cell.value for cell in row[1:]] == [metrics[name].mean for name in table.headers[1:]]
    segment = next(name for name in report.pipelines["control"].segments if "+" in name)
    table = tables.arms_by_metric(report, segment)
    assert "coverage@5" not in table.headers  # it is a number of the whole run
    assert table.caption.startswith("Queries that know ")
    assert "+" not in table.caption


def test_points_of_borda_are_a_column_of_all_queries_alone(hostile_run):
    report = hostile_run.report.model_copy(deep=True)
    report.pipelines["hybrid"].borda = 7.5
    table = tables.arms_by_metric(report, "all")
    assert table.headers[-1] == "borda"
    assert {row[0].text: row[-1] for row in table.rows if row[-1].text} == {"hybrid": Cell("7.5", 7.5)}
    assert (
        "borda"
        not in tables.arms_by_metric(report, next(iter(set(report.pipelines["hybrid"].segments) - {"all"}))).headers
    )


def test_comparisons_show_what_exists_and_nothing_for_what_does_not(hostile_run):
    row = next(row for row in hostile_run.report.comparison if row.ci95 is not None)
    table = tables.comparisons(
        [row, row.model_copy(update={"p_value": 1e-9, "relative": None, "ci95": None, "wins": None})]
    )
    assert all(len(cells) == len(table.headers) for cells in table.rows)
    full, sparse = (dict(zip(table.headers, cells, strict=True)) for cells in table.rows)
    low, high = row.ci95
    assert full["95 % interval"] == Cell(f"{low:+.4f} … {high:+.4f}", low)
    assert full["wins"] == Cell(str(row.wins), row.wins)
    assert sparse["p"] == Cell("< 0.0001", 1e-9)
    assert [sparse[name] for name in ("relative", "95 % interval", "wins")] == [Cell("")] * 3


def test_losses_are_percent_of_the_control():
    rail = Guardrail(
        control="c", variant="v", metric="latency", margin=0.1, loss=0.055, bounds=(-0.02, 0.13), verdict="undecided"
    )
    (row,) = tables.guardrails([rail]).rows
    assert [cell.text for cell in row] == ["v", "c", "latency", "5.5 %", "-2.0 %", "13.0 %", "10.0 %", "undecided"]
    (row,) = tables.guardrails([rail.model_copy(update={"loss": None, "bounds": None})]).rows
    assert [cell.text for cell in row[3:6]] == ["", "", ""]


def test_shares_of_who_served_add_up(hostile_run):
    table = tables.served_by(hostile_run.report, "ndcg@5")
    for name in hostile_run.report.pipelines:
        shares = [row[3].share for row in table.rows if row[0].text == name]
        assert sum(shares) == pytest.approx(1)


def test_fits_from_the_store_show_no_time(hostile_run):
    report = hostile_run.report.model_copy(deep=True)
    report.fits[0].cached, report.fits[1].cached = True, False
    rows = tables.fits(report).rows
    assert len(rows) == len(report.fits)
    assert rows[0][4] == Cell("from the store")
    assert rows[1][4].value == report.fits[1].seconds


def test_fits_show_the_ends_of_what_they_reported(hostile_run):
    report = hostile_run.report.model_copy(deep=True)
    numbers = {"loss": [2.0, 1.0, 0.5], "norm": [None] * 3}
    report.fits[0].progress = FitProgressReport(of=3, steps=[1, 2, 3], numbers=numbers)
    rows = tables.fits(report).rows
    assert [row[5].text for row in rows[:2]] == ["3 of 3 steps, loss 2 → 0.5", ""]


def test_stages_are_shares_of_the_longest_and_the_same_when_the_page_is_written_again(hostile_run):
    rows = tables.stages(hostile_run.report).rows
    assert [row[0].text for row in rows[:3]] == ["start", "read", "split"]
    assert max(row[1].share for row in rows) == 1
    assert all(0 <= row[1].share <= 1 for row in rows)
    seconds = hostile_run.report.seconds
    later = seconds.model_copy(update={"write": seconds.write + 1, "other": 2.0, "total": seconds.total + 3})
    assert tables.stages(hostile_run.report.model_copy(update={"seconds": later})).rows == rows
