"""The series that components report while they are fitted, on the page."""

from __future__ import annotations

import re

import pytest

import hybridrec
from hybridrec.evaluation.report import FitProgressReport, FitReport
from hybridrec.reporting.figures import WIDTH
from hybridrec.reporting.page import render
from hybridrec.reporting.progress_section import Series
from tests.reporting.test_page import Reader


def fit(label="w2v", level="full", repeat=1, fold="fold 1", **numbers):
    steps = list(range(1, len(next(iter(numbers.values()))) + 1)) if numbers else []
    progress = FitProgressReport(of=len(steps), steps=steps, numbers=numbers) if numbers else None
    return FitReport(
        label=label, component="c", version="1", fold=fold, level=level, key="0" * 32, seconds=0, cached=False,
        repeat=repeat, progress=progress,
    )  # fmt: skip


def places(path):
    return [(float(x), float(y)) for x, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", path)]


def test_each_component_and_number_has_a_figure_with_a_line_for_each_fit():
    fits = [
        fit(loss=[3.0, 2.0], ndcg=[0.1, 0.2]),
        fit(level="out_of_fold", loss=[4.0, 2.5]),
        fit(repeat=2, loss=[3.0, 1.5]),
        fit("vae", loss=[9.0, 8.0]),
        fit("ease"),
    ]
    figures = Series.all_of(fits)
    assert [figure.title for figure in figures] == ["w2v: loss by step", "w2v: ndcg by step", "vae: loss by step"]
    loss = figures[0]
    assert {line.label: line.kind for line in loss.lines} == {
        "fold 1, full": "blend", "fold 1, out_of_fold": "single", "fold 1, full, repeat 2": "blend",
    }  # fmt: skip
    assert loss.lines[0].kind == "single", "what is evaluated must be drawn on top"
    assert "fold 1, full, repeat 2: 3 → 1.5 after 2 of 2 steps" in loss.description


def test_a_line_lies_on_its_scale_and_falls_where_its_number_does():
    (figure,) = Series.all_of([fit(loss=[5.0, 3.0, 4.0])])
    (start, low, end) = places(figure.path(figure.lines[0]))
    assert start[0] < low[0] < end[0] < WIDTH
    assert 0 < start[1] < end[1] < low[1] < figure.bottom
    assert [text for _, text in figure.across.ticks] == ["1", "2", "3"]


def test_a_missing_number_interrupts_the_line():
    (figure,) = Series.all_of([fit(loss=[5.0, None, 3.0, 2.0])])
    path = figure.path(figure.lines[0])
    assert (path.count("M"), path.count("L")) == (2, 1)


def test_numbers_of_a_search_and_of_the_fit_after_it_lie_on_scales_of_their_own():
    searched = fit(ndcg=[0.1, 0.3, 0.2, None, None], loss=[None, None, None, 2.0, 1.0])
    searched.progress.steps, searched.progress.of = [1, 2, 3, 1, 2], 2
    ndcg, loss = Series.all_of([searched])
    for figure, steps in (ndcg, 3), (loss, 2):
        (line,) = figure.lines
        drawn = places(figure.path(line))
        assert len(drawn) == steps
        assert [x for x, _ in drawn] == sorted({x for x, _ in drawn})
        assert all(0 < x < WIDTH for x, _ in drawn)
    assert ndcg.lines[0].text == "fold 1, full: 0.1 → 0.2 after 3 of 3 steps"


def test_numbers_that_were_never_finite_have_no_figure():
    assert Series.all_of([fit(loss=[None, None])]) == []


def test_a_lone_point_is_a_dot_on_a_scale():
    (figure,) = Series.all_of([fit(loss=[5.0])])
    assert places(figure.path(figure.lines[0])) == [(pytest.approx(WIDTH / 2), pytest.approx(112))]
    assert figure.path(figure.lines[0]).endswith("h0")
    assert [text for _, text in figure.across.ticks] == ["1"]
    assert figure.lines[0].text == "fold 1, full: 5 → 5 after 1 of 1 steps"


def test_the_page_shows_them_where_there_are_any(hostile_run):
    assert "<h3>Progress</h3>" not in render(hostile_run)
    label = "<b>w2v</b>"
    report = hostile_run.report.model_copy(update={"fits": [fit(label, loss=[3.0, 2.0]), fit(label, loss=[4.0, 2.0])]})
    text = render(hybridrec.Run(hostile_run.folder, report))
    assert "<h3>Progress</h3>" in text
    assert text.count('class="series"') == 2
    assert "<b>w2v" not in text
    Reader(text)
