"""The section about tuning: there where the config was tuned, with every trial and the best so far."""

import re

import pytest

from hybridrec import Run
from hybridrec.evaluation.report import TuningReport
from hybridrec.reporting.page import render
from hybridrec.reporting.tuning_section import Course


def tuned(run, trials, feasible=None, metric="ndcg@5"):
    tuning = TuningReport(
        metric=metric,
        search="tpe",
        best=2,
        values={"components.<b>.l2": 12.5, "components.x.fields": ["items"]},
        trials=trials,
        feasible=feasible or [value is not None for value in trials],
        importance={"components.<b>.l2": 0.75},
    )
    return Run(run.folder, run.report.model_copy(update={"tuning": tuning}))


def test_a_run_that_was_not_tuned_has_no_such_section(hostile_run):
    page = render(hostile_run)
    assert Course.of(hostile_run.report) is None
    assert 'id="tuning"' not in page
    assert "#tuning" not in page


def test_the_section_shows_values_importance_and_course(hostile_run):
    page = render(tuned(hostile_run, [0.1, None, 0.3, 0.2]))
    section = page.partition('<section id="tuning"')[2].partition("</section>")[0]
    assert "0.1000 as the config was written, 0.3000 in trial 2" in section
    assert "components.&lt;b&gt;.l2" in section
    assert "12.5" in section
    assert "0.75" in section
    assert '["items"]' in section or "[&#34;items&#34;]" in section
    assert re.search(r'<path class="best" d="M[\d.]+ [\d.]+H', section)


@pytest.mark.parametrize("metric", ["ndcg@5", "less@5"])
def test_the_line_steps_where_a_trial_is_better(hostile_run, metric):
    report = tuned(hostile_run, [0.2, 0.1, 0.3, 0.15, 0.4], [True, True, True, True, False], metric).report
    report = report.model_copy(
        update={"statistics": report.statistics.model_copy(update={"lower_is_better": ["less@5"]})}
    )
    course = Course.of(report)
    assert course.feasible.count("M") == 4
    assert course.infeasible.count("M") == 1
    assert course.best_so_far.count("V") == 1
    heights = [float(y) for y in re.findall(r"[ V]([\d.]+)", course.best_so_far)]
    assert heights == sorted(heights, reverse=metric == "ndcg@5")
