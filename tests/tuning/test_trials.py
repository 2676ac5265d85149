"""The trials of a search: their table, and the best of them."""

import csv
import json

import pytest

import hybridrec
from hybridrec import StoreError
from hybridrec.config.load import load_experiment
from hybridrec.registry.discovery import Registry
from hybridrec.tuning.trials import Trial, TrialTable, best_of
from tests.tuning.searches import POP, WEIGHTS


def test_the_best_trial_keeps_the_bounds(tunable):
    free = hybridrec.tune(tunable(WEIGHTS.replace("space", "subject_to: ['coverage@5 >= 0.0'], space")))
    coverage = sorted({trial.metrics["coverage@5"] for trial in free.trials})
    limit = (coverage[-1] + coverage[-2]) / 2
    bound = tunable(WEIGHTS.replace("space", f"subject_to: ['coverage@5 >= {limit:.6f}'], space"))
    tuned = hybridrec.tune(bound)
    assert {trial.number for trial in tuned.best} == {t.number for t in free.trials if t.metrics["coverage@5"] > limit}
    assert {trial.state for trial in tuned.trials} == {"complete", "infeasible"}


def test_the_table_holds_every_trial(tunable):
    tuned = hybridrec.tune(tunable())
    with (tuned.folder / "trials.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row[POP]) for row in rows] == [trial.values[POP] for trial in tuned.trials]
    assert [float(row["ndcg@5"]) for row in rows] == [trial.metrics["ndcg@5"] for trial in tuned.trials]
    assert json.loads((tuned.folder / "importance.json").read_text()) == tuned.importance == {POP: 1.0}


@pytest.fixture
def table(tunable, tmp_path):
    section = WEIGHTS.replace(
        "space: {", "subject_to: ['coverage@5 >= 0.1'], space: {components.noise.misbehave: ['', 'no'], "
    )
    checked = load_experiment(tunable(section, ("{use: echo}", "{use: echo, misbehave: ''}")), Registry())
    return TrialTable(tmp_path / "trials.csv", checked.tuning)


def trial(number, state="complete", ndcg=0.5, **more):
    values = {"components.noise.misbehave": "", POP: 0.1 + 0.2}
    metrics = {} if state == "failed" else {"ndcg@5": ndcg, "coverage@5": 0.1}
    return Trial(number, values, state, metrics, **more)


def test_trials_are_read_as_they_were_written(table):
    trials = [trial(0, ndcg=1 / 3), trial(1, "failed", seconds=0.25, problem='one, "two"'), trial(2, "infeasible")]
    assert table.read() == []
    for row in trials:
        table.add(row)
    assert TrialTable(table.path, table.tuning).read() == trials


def test_a_line_that_was_not_finished_is_removed(table):
    table.read()
    table.add(trial(0))
    whole = table.path.read_text()
    table.path.write_text(whole + "1,complete,0.")
    assert table.read() == [trial(0)]
    assert table.path.read_text() == whole


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("number", "nummer", "other columns than those of this search"),
        ("complete", "done", "line 2 is damaged"),
        ("0.5", "0.6", "line 2 is damaged"),
    ],
)
def test_a_table_of_something_else_is_refused(table, old, new, message):
    table.read()
    table.add(trial(0))
    table.path.write_text(table.path.read_text().replace(old, new, 1))
    with pytest.raises(StoreError, match=f"trials.csv cannot be read: {message}"):
        table.read()


def test_lines_in_another_order_are_refused(table):
    table.read()
    for number in range(2):
        table.add(trial(number))
    header, first, second = table.path.read_text().splitlines()
    table.path.write_text("\n".join([header, second, first, ""]))
    with pytest.raises(StoreError, match="line 2 is that of trial 1, not of 0"):
        table.read()


def test_the_best_is_complete_and_of_equals_the_earlier(table):
    trials = [trial(0, ndcg=0.4), trial(1, "infeasible", ndcg=0.9), trial(2), trial(3, "failed"), trial(4)]
    assert [best.number for best in best_of(trials, table.tuning)] == [2, 4, 0]
