"""Figures of components on the page: drawn to scale, without markup of others, and only if there are any."""

from __future__ import annotations

import html
import re

import numpy as np
import pytest

from hybridrec import CurveFigure, Run, StripesFigure, TableFigure
from hybridrec.evaluation.report import figure_report
from hybridrec.reporting import page as pages
from hybridrec.reporting.component_section import LEVELS, DrawnCurve, DrawnStripes, DrawnTable, component_figures
from hybridrec.reporting.figures import WIDTH
from tests.reporting.conftest import tamed
from tests.reporting.test_page import Reader

CURVE = CurveFigure("Elbow", "clusters", "within", [(10, 9.0), (20, 4.0), (30, np.nan), (40, 3.0)], chosen=1)
STRIPES = np.array([[1, 1, -1, 0, 0.5], [0, 0, 0, 0, np.nan]], np.float32)


@pytest.fixture
def shown(hostile_run):
    """The hostile run with figures whose every text tries to be markup."""

    def with_figures(*figures):
        reports = {"pop": list(map(figure_report, figures))}
        return Run(hostile_run.folder, hostile_run.report.model_copy(update={"figures": reports}))

    return with_figures


def test_points_are_to_scale_and_the_chosen_one_is_marked():
    curve = DrawnCurve.of(figure_report(CURVE))
    assert curve.points == [(10, 9), (20, 4), (40, 3)]
    assert all(0 < curve.across(x) < WIDTH and 12 < curve.down(y) < curve.bottom for x, y in curve.points)
    assert curve.across(20) - curve.across(10) == pytest.approx((curve.across(40) - curve.across(10)) / 3)
    assert curve.down(9) < curve.down(4) < curve.down(3)
    assert curve.chosen == (20, 4)
    assert curve.description == "Elbow: within from 9 at 10 to 3 at 40 clusters; chosen: 20"
    assert DrawnCurve.of(figure_report(CurveFigure("none", "x", "y", [(np.nan, 1)]))) is None


def test_a_chosen_point_without_a_number_is_not_marked():
    nowhere = DrawnCurve.of(figure_report(CurveFigure("c", "x", "y", [(1, 2), (2, np.nan)], chosen=1)))
    assert nowhere.chosen is None
    assert "chosen" not in nowhere.description


def test_many_points_are_a_line_without_dots():
    points = [(x, float(x % 7)) for x in range(500)]
    assert DrawnCurve.of(figure_report(CurveFigure("c", "x", "y", points))).dots == ()


def test_stripes_are_stronger_the_farther_from_0():
    drawn = DrawnStripes.of(figure_report(StripesFigure("s", ["a", "b"], STRIPES, ["", "near"])))
    first, second = drawn.rows
    assert drawn.dimensions == 5
    strongest = {(shade.side, shade.path) for shade in first.shades if shade.opacity == 1}
    assert strongest == {("above", "M0 0h2v1h-2z"), ("below", "M2 0h1v1h-1z")}
    (half,) = [shade for shade in first.shades if shade.opacity < 1]
    assert (half.side, half.path) == ("above", "M4 0h1v1h-1z")
    assert half.opacity == pytest.approx(0.5, abs=1 / LEVELS)
    assert (second.name, second.text, list(second.shades)) == ("b", "near", [])


def test_vectors_of_zeros_are_blank():
    drawn = DrawnStripes.of(figure_report(StripesFigure("s", ["a"], np.zeros((1, 3), np.float32))))
    assert list(drawn.rows[0].shades) == []


def test_cells_keep_their_numbers_for_sorting():
    drawn = DrawnTable.of(figure_report(TableFigure("t", ["a", "b", "c"], [["x", 12_345, 0.123456], [None, 7, None]])))
    assert [[cell.text for cell in row] for row in drawn.table.rows] == [["x", "12,345", "0.1235"], ["", "7", ""]]
    assert drawn.table.rows[0][1].value == 12_345
    assert not drawn.folded
    assert DrawnTable.of(figure_report(TableFigure("t", ["a"], [[1]] * 13))).folded


def test_the_page_draws_them_and_takes_no_text_for_markup(shown):
    texts = iter(range(100))
    run = shown(
        CurveFigure(tamed(next(texts)), tamed(next(texts)), tamed(next(texts)), CURVE.points, 1, tamed(next(texts))),
        StripesFigure(tamed(4), [tamed(5), tamed(0)], STRIPES, [tamed(1), tamed(2)], tamed(3)),
        TableFigure(tamed(4), [tamed(5), tamed(0)], [[tamed(1), 3]] * 13, tamed(2)),
    )
    text = pages.render(run)
    parsed = Reader(text)
    assert "components" in {section["id"] for section in parsed.all("section")}
    assert "#components" in {link["href"] for link in parsed.all("a")}
    assert len(parsed.all("script")) == 1
    assert not parsed.all("img")
    assert [path for path in parsed.all("path") if path.get("class") in ("above", "below")]
    section = text[text.index('<section id="components"') :].partition("</section>")[0]
    assert section.count('class="stripes"') == 2
    assert section.count("<details>") == 1
    assert all(tamed(number) in html.unescape(section) for number in range(6))
    ids = re.findall(r' id="([^"]+)"', text)
    assert len(ids) == len(set(ids))


def test_a_run_without_figures_has_no_such_section(hostile_run):
    assert component_figures(hostile_run.report) == []
    text = pages.render(hostile_run)
    assert 'id="components"' not in text
    assert "#components" not in text
