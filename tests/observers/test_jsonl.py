"""`jsonl`: a line for each event of runs, searches and served requests, whatever ends them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
import yaml

import hybridrec
from hybridrec import ConfigError, Query
from hybridrec.observers.jsonl import JsonLines
from hybridrec.testing import ObserverContract

JSONL = ("{toy-events: {}}", "{jsonl: {path: logs/events.jsonl}}")
SERVED = ("workers: 2", "workers: 2\nrefit: all")


class TestJsonLines(ObserverContract):
    observer = JsonLines
    configs = ({"path": "events.jsonl"}, {"path": "logs/deep/events.jsonl"})


def lines(path="logs/events.jsonl"):
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


def test_a_run_is_told_from_start_to_end_under_one_id(experiment):
    run = hybridrec.run(experiment(JSONL))
    told = lines()
    assert len({line["run"] for line in told}) == 1
    assert (told[0]["event"], told[-1]["event"]) == ("RunStarted", "RunFinished")
    assert told[0]["config"] == yaml.safe_load(run.config)
    assert told[-1]["folder"] == str(run.folder)
    fits = [(line["label"], line["level"], line["cached"]) for line in told if line["event"] == "FitFinished"]
    assert sorted(fits) == sorted((fit.label, fit.level, False) for fit in run.report.fits)
    assert {line["pipeline"] for line in told if line["event"] == "StageFinished"} == {"control", "hybrid"}
    hybridrec.run(experiment(JSONL))
    assert len({line["run"] for line in lines()}) == 2


def test_a_run_that_fails_is_told_with_its_error(experiment):
    with pytest.raises(RuntimeError, match="the echo is gone"):
        hybridrec.run(experiment(JSONL, ("{use: echo}", "{use: echo, misbehave: raise}")))
    last = lines()[-1]
    assert last["event"] == "RunFailed"
    assert "RuntimeError: the echo is gone" in last["error"]


def test_trials_of_a_search_are_told(experiment):
    pytest.importorskip("optuna")
    section = "tune: {pipeline: hybrid, trials: 2, search: random, space: {components.ease.l2: {low: 1.0, high: 9.0}}}"
    tuned = hybridrec.tune(experiment(JSONL, ("l2: 5", "l2: 5.0"), ("workers: 2", f"workers: 2\n{section}")))
    told = lines()
    assert len({line["run"] for line in told}) == 1
    fits = [line for line in told if line["event"] == "FitFinished"]
    once = dict.fromkeys(("noise", "pop", "tag-fallback", "popularity"), 1)
    assert Counter(line["label"] for line in fits) == {"ease": 2} | once
    others = [line for line in told if line not in fits]
    assert [line["event"] for line in others] == ["RunStarted", "TrialFinished", "TrialFinished", "SearchFinished"]
    assert told.index(fits[-1]) > told.index(others[1]), "the fit of the second trial comes after the first trial"
    assert [line["metrics"] for line in others[1:3]] == [trial.metrics for trial in tuned.trials]
    assert (told[-1]["folder"], told[-1]["best"]) == (str(tuned.folder), tuned.best[0].number)


def test_served_slates_are_told_to_the_observers_of_the_recommender(experiment, tmp_path):
    run = hybridrec.run(experiment(SERVED))
    cls = hybridrec.find("observer", "jsonl")
    path = tmp_path / "served.jsonl"
    recommender = hybridrec.load(run, observers=[cls(cls.Config(path=path))])
    slate = recommender.recommend([Query(items=["item 01"], id="first"), Query(items=["item 02"])], 3)
    (told,) = lines(path)
    assert (told["event"], told["pipeline"], told["target"]) == ("SlatesServed", "hybrid", "items")
    assert told["requests"][0] == "first"
    frame = slate.to_frame()
    assert [identifier for ids in told["ids"] for identifier in ids] == frame["id"].to_list()
    assert not Path("logs").exists()


def test_a_failing_observer_of_a_recommender_fails_no_request(experiment, tmp_path):
    cls = hybridrec.find("observer", "jsonl")
    run = hybridrec.run(experiment(SERVED))
    recommender = hybridrec.load(run, observers=[cls(cls.Config(path=tmp_path))])
    with pytest.warns(RuntimeWarning, match="the observer 'jsonl', part of hybridrec, failed at SlatesServed"):
        assert len(recommender.recommend(Query(items=["item 01"]), 3)) == 1
    recommender.recommend(Query(items=["item 01"]), 3)


def test_what_observes_changes_no_key_and_no_hash(experiment):
    plain = hybridrec.run(experiment(("observe: {toy-events: {}}\n", "")))
    observed = hybridrec.run(experiment(JSONL))
    assert "observe:" not in plain.config
    assert yaml.safe_load(observed.config)["observe"] == {"jsonl": {"path": str(Path("logs/events.jsonl"))}}
    assert all(fit.cached for fit in observed.report.fits)
    assert observed.report.config_hash == plain.report.config_hash
    assert observed.report.comparable() == plain.report.comparable()


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("{jsnl: {path: x}}", "observe.jsnl: unknown observer 'jsnl': did you mean 'jsonl'"),
        ("{jsonl: {}}", "observe.jsonl.path: this key is required"),
        ("{jsonl: {path: x, pth: y}}", "observe.jsonl.pth: unknown key: did you mean 'path'"),
    ],
)
def test_mistakes_are_told_with_their_place(experiment, section, message):
    with pytest.raises(ConfigError, match=message):
        hybridrec.run(experiment(("{toy-events: {}}", section)))
