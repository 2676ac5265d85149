"""Figures of components as the report holds them: plain JSON, and read back as what they were."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hybridrec import CurveFigure, StripesFigure, TableFigure
from hybridrec.evaluation.report import CurveReport, Report, StripesReport, TableReport, figure_report

FIGURES = {
    "curve": CurveFigure("c", "k", "within", [(np.int64(1), np.float64(2)), (2, float("nan"))], 0, "n"),
    "table": TableFigure("t", ["a", "b", "c"], [["x", np.int32(3), np.nan], [None, 1, np.float32(0.5)]]),
    "stripes": StripesFigure("s", ["a"], np.array([[1 / 3, np.nan, -2]], np.float32), ["t"], "n"),
}


def test_values_are_those_of_json():
    assert figure_report(FIGURES["curve"]).points == [(1.0, 2.0), (2.0, None)]
    rows = figure_report(FIGURES["table"]).rows
    assert rows == [["x", 3, None], [None, 1, 0.5]]
    assert type(rows[0][1]) is int
    assert figure_report(FIGURES["stripes"]).vectors == [[0.3333, None, -2.0]]


@pytest.mark.parametrize(("kind", "cls"), [("curve", CurveReport), ("table", TableReport), ("stripes", StripesReport)])
def test_figures_are_read_as_what_they_were(report, kind, cls):
    figure = figure_report(FIGURES[kind])
    assert type(figure) is cls
    content = report.model_copy(update={"figures": {"label": [figure]}}).model_dump_json()
    assert json.loads(content)["figures"]["label"][0]["kind"] == kind
    assert Report.model_validate_json(content).figures == {"label": [figure]}
