"""A search end to end: what it chooses, what it reuses, what it writes, and that it never sees the test queries."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import yaml

import hybridrec
from hybridrec import ConfigError, MissingDependencyError, Run
from hybridrec.config.load import load_experiment
from hybridrec.data.splits import Masked
from hybridrec.engine.fit import Fitted
from hybridrec.engine.store import Store
from hybridrec.errors import HybridrecError
from hybridrec.evaluation.report import Report
from hybridrec.inference.batch_runner import BatchRunner
from hybridrec.registry.discovery import Registry
from hybridrec.tuning import tune as tuning
from hybridrec.tuning.yaml_edit import _edited

pytest.importorskip("optuna")

POP, EASE = "pipelines.hybrid.rerank.0.weights.pop", "components.ease.l2"
WEIGHTS = f"{{pipeline: hybrid, trials: 8, search: random, space: {{{POP}: {{low: 0.0, high: 2.0}}}}}}"


@pytest.fixture
def tunable(experiment):
    """The small experiment with a section `tune`, in one line: its path."""

    def write(section=WEIGHTS, *replacements):
        return experiment(("workers: 2", f"workers: 2\ntune: {section}"), *replacements)

    return write


def outcome(tuned):
    """The trials without their times."""
    return [(trial.number, trial.values, trial.state, trial.metrics) for trial in tuned.trials]


REFUSED = {
    "unknown option": ("{pipeline: hybrid, space: {components.ease.l3: [1, 2]}}",
                       "tune.space.components.ease.l3: components.ease has no 'l3' for the search to start from: "
                       "did you mean 'l2'?"),
    "unknown label": ("{pipeline: hybrid, space: {components.eas.l2: [1, 2]}}", "components has no 'eas'"),
    "no place": ("{pipeline: hybrid, space: {pipelines.hybrid.rerank.1.weights.pop: [1, 2]}}",
                 "pipelines.hybrid.rerank has no '1'"),
    "no weight": ("{pipeline: hybrid, space: {pipelines.hybrid.rerank.0.weights.noise: [0, 1]}}",
                  "weights has no 'noise' for the search to start from"),
    "the data": ("{pipeline: hybrid, space: {data.users: [20, 60]}}",
                 "only options below components and pipelines can be tuned"),
    "an end": (f"{{pipeline: hybrid, space: {{{EASE}: {{low: 0, high: 9}}}}}}",
               "tune.space.components.ease.l2: 0 is not possible"),
    "a choice": (f"{{pipeline: hybrid, space: {{{EASE}: [5, much]}}}}", "'much' is not possible"),
    "start outside": (f"{{pipeline: hybrid, space: {{{EASE}: {{low: 6, high: 9}}}}}}", "the config says 5"),
    "start between": (f"{{pipeline: hybrid, space: {{{POP}: {{low: 0, high: 1}}}}}}", "whole numbers"),
    "no range": (f"{{pipeline: hybrid, space: {{{EASE}: {{low: 9, high: 3}}}}}}",
                 f"tune.space.{EASE}: low, 9, must be less than high"),
    "log of 0": (f"{{pipeline: hybrid, space: {{{EASE}: {{low: 0.0, high: 9, log: true}}}}}}", "more than 0"),
    "no pipeline": (f"{{space: {{{EASE}: [5, 9]}}}}", "`pipeline` is missing: say which of control, hybrid"),
    "wrong pipeline": (f"{{pipeline: hybird, space: {{{EASE}: [5, 9]}}}}", "did you mean 'hybrid'?"),
    "metric": (f"{{pipeline: hybrid, metric: ncdg@5, space: {{{EASE}: [5, 9]}}}}", "tune.metric: unknown metric"),
    "cut-off": (f"{{pipeline: hybrid, metric: ndcg@50, space: {{{EASE}: [5, 9]}}}}", "further than the slate"),
    "bound": (f"{{pipeline: hybrid, subject_to: [coverage@5 > 1], space: {{{EASE}: [5, 9]}}}}",
              "tune.subject_to[0]: 'coverage@5 > 1' is not a bound"),
    "search": (f"{{pipeline: hybrid, search: grid, space: {{{EASE}: [5, 9]}}}}", "tune.search: Input should be"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_mistake_in_the_space_is_told_with_its_line(tunable, case):
    section, wanted = REFUSED[case]
    path = tunable(section)
    with pytest.raises(HybridrecError) as info:
        load_experiment(path, Registry())
    message = str(info.value)
    assert message.startswith(f"{path}:22: tune")
    assert wanted in message
    assert "\n" not in message


def test_a_config_without_the_section_is_refused(experiment):
    with pytest.raises(ConfigError, match="has no section `tune`"):
        hybridrec.tune(experiment())


def test_without_optuna_the_command_to_install_it_is_told(tunable, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'hybridrec\[tune\]'"):
        hybridrec.tune(tunable())
    assert not Path("runs").exists()


@pytest.mark.parametrize("search", ["random", "tpe"])
def test_the_first_trial_is_the_config_and_the_best_is_no_worse(tunable, search):
    path = tunable(WEIGHTS.replace("random", search).replace("trials: 8", "trials: 14"))
    tuned = hybridrec.tune(path)
    first, best = tuned.trials[0], tuned.best[0]
    assert first.values == {POP: 0.2}
    assert best.metrics["ndcg@5"] == max(trial.metrics["ndcg@5"] for trial in tuned.trials)
    assert all(0 <= trial.values[POP] <= 2 for trial in tuned.trials)
    assert len({trial.values[POP] for trial in tuned.trials}) == 14
    measured = hybridrec.run(path, validation=True).report.pipelines["hybrid"].metrics["ndcg@5"].mean
    assert first.metrics["ndcg@5"] == pytest.approx(measured, abs=1e-12)
    written = hybridrec.run(tuned.config, validation=True).report.pipelines["hybrid"].metrics["ndcg@5"].mean
    assert best.metrics["ndcg@5"] == pytest.approx(written, abs=1e-12)


@pytest.mark.parametrize("search", ["random", "tpe"])
def test_a_search_is_deterministic_and_goes_on_as_if_it_had_not_been_interrupted(tunable, monkeypatch, search):
    path = tunable(WEIGHTS.replace("random", search).replace("trials: 8", "trials: 16"))
    whole = hybridrec.tune(path)
    assert outcome(hybridrec.tune(path)) == outcome(whole)

    class Killed(BaseException):
        pass

    class Killer(tuning.NullTuneCallback):
        def tried(self, trial, best):
            if trial.number == 11:
                raise Killed

    with pytest.raises(Killed):
        hybridrec.tune(path, runs="killed", callback=Killer())
    (folder,) = Path("killed").iterdir()
    with (folder / "trials.csv").open("a") as table:
        table.write("12,comp")  # it was writing when it died
    again = hybridrec.tune(path, resume_from=folder)
    assert outcome(again) == outcome(whole)
    assert again.config.read_text() == whole.config.read_text()
    assert again.importance == whole.importance


def test_a_finished_search_is_carried_on_with_a_larger_budget(tunable):
    tuned = hybridrec.tune(tunable(), trials=3)
    more = hybridrec.tune(tunable(), trials=5, resume_from=tuned.folder)
    assert outcome(more)[:3] == outcome(tuned)
    assert len(more.trials) == 5


def test_only_the_same_search_is_resumed(tunable):
    tuned = hybridrec.tune(tunable(), trials=2)
    with pytest.raises(ConfigError, match="was begun with another config"):
        hybridrec.tune(tunable(), ["seed=4"], resume_from=tuned.folder)
    with pytest.raises(ConfigError, match="is not a folder of a search"):
        hybridrec.tune(tunable(), resume_from="runs")


def test_time_is_a_budget(tunable):
    assert len(hybridrec.tune(tunable(), seconds=1e-9).trials) == 1


def test_weights_refit_nothing_and_pool_nothing_again(tunable, monkeypatch):
    fits, pools = [], []
    train, candidates = Fitted._trained, BatchRunner.candidates
    monkeypatch.setattr(Fitted, "_trained", lambda fit: (fits.append(fit.job.label), train(fit))[1])
    monkeypatch.setattr(BatchRunner, "candidates", lambda *args: (pools.append(args[1].name), candidates(*args))[1])
    hybridrec.tune(tunable(), trials=6)
    assert sorted(fits) == sorted({"ease", "pop", "noise", "tag-fallback", "popularity"})
    assert pools == ["hybrid"]


def test_a_component_is_refitted_alone(tunable, monkeypatch):
    fits, obtained = [], []
    train, restored = Fitted._trained, Fitted._restored
    monkeypatch.setattr(Fitted, "_trained", lambda fit: (fits.append(fit.job.label), train(fit))[1])
    monkeypatch.setattr(Fitted, "_restored", lambda fit: (obtained.append(fit.job.label), restored(fit))[1])
    section = f"{{pipeline: hybrid, trials: 4, search: random, space: {{{EASE}: {{low: 1.0, high: 9.0}}}}}}"
    hybridrec.tune(tunable(section, ("l2: 5", "l2: 5.0")))
    assert fits.count("ease") == 4
    assert {label for label in fits if fits.count(label) > 1} == {"ease"}
    assert obtained == []


def test_neither_pools_nor_slates_are_stored(tunable):
    hybridrec.tune(tunable(), store="store")
    kinds = {key for artifact in Store(Path("store")).artifacts() for key in artifact.about}
    assert kinds == {"component", "version", "label", "fold", "random", "notes"}


def test_a_learning_reranker_learns_in_every_trial(tunable):
    section = f"{{pipeline: hybrid, trials: 3, search: random, space: {{{EASE}: [5, 50, 500]}}}}"
    tuned = hybridrec.tune(tunable(section, ("[{use: weighted, weights: {ease: 1, pop: 0.2}}]", "[{use: student}]")))
    assert [trial.state for trial in tuned.trials] == ["complete"] * 3


def test_the_best_trial_keeps_the_bounds(tunable):
    free = hybridrec.tune(tunable(WEIGHTS.replace("space", "subject_to: ['coverage@5 >= 0.0'], space")))
    coverage = sorted({trial.metrics["coverage@5"] for trial in free.trials})
    limit = (coverage[-1] + coverage[-2]) / 2
    bound = tunable(WEIGHTS.replace("space", f"subject_to: ['coverage@5 >= {limit:.6f}'], space"))
    tuned = hybridrec.tune(bound)
    assert {trial.number for trial in tuned.best} == {t.number for t in free.trials if t.metrics["coverage@5"] > limit}
    assert {trial.state for trial in tuned.trials} == {"complete", "infeasible"}


def test_if_no_trial_keeps_the_bounds_that_is_an_error_with_the_nearest(tunable):
    with pytest.raises(
        ConfigError, match=r"none of 3 trials keeps coverage@5 >= 1, .*; the nearest, trial \d, has cov"
    ):
        hybridrec.tune(tunable(WEIGHTS.replace("space", "subject_to: [coverage@5 >= 1, ndcg@5 >= 1], space")), trials=3)
    (folder,) = Path("runs").iterdir()
    assert not (folder / "best.yaml").exists()
    assert len((folder / "trials.csv").read_text().splitlines()) == 4


def test_values_that_cannot_be_fitted_are_a_failed_trial(tunable):
    section = "{pipeline: hybrid, trials: 6, search: random, space: {components.noise.misbehave: ['', raise]}}"
    tuned = hybridrec.tune(tunable(section, ("noise: {use: echo}", "noise: {use: echo, misbehave: ''}")))
    failed = [trial for trial in tuned.trials if trial.state == "failed"]
    assert failed
    assert {trial.values["components.noise.misbehave"] for trial in failed} == {"raise"}
    assert {trial.problem for trial in failed} == {"RuntimeError: the echo is gone"}
    assert tuned.best[0].number == 0
    with pytest.raises(RuntimeError):
        hybridrec.tune(tunable(section), ["components.noise.misbehave=raise"], runs="other")


def test_the_table_holds_every_trial(tunable):
    tuned = hybridrec.tune(tunable())
    with (tuned.folder / "trials.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row[POP]) for row in rows] == [trial.values[POP] for trial in tuned.trials]
    assert [float(row["ndcg@5"]) for row in rows] == [trial.metrics["ndcg@5"] for trial in tuned.trials]
    assert json.loads((tuned.folder / "importance.json").read_text()) == tuned.importance == {POP: 1.0}


def test_the_report_of_the_tuned_run_says_how_it_was_tuned(tunable):
    tuned = hybridrec.tune(tunable())
    run = hybridrec.run(tuned.config)
    found = run.report.tuning
    assert found is not None
    assert (found.best, found.values) == (tuned.best[0].number, tuned.best[0].values)
    assert found.trials == [trial.metrics["ndcg@5"] for trial in tuned.trials]
    content = json.loads((run.folder / "report.json").read_text())
    jsonschema.validate(content, Report.model_json_schema())
    assert Run.open(run.folder).report.tuning == found
    assert hybridrec.run(tuned.config, [f"{POP}=0.77"]).report.tuning is None  # that is not what was chosen


def test_a_run_of_a_config_to_be_tuned_takes_it_as_written_and_says_so(tunable):
    report = hybridrec.run(tunable()).report
    assert any("`hybridrec tune` searches" in note for note in report.notes)
    assert report.tuning is None


def test_no_test_query_decides(tunable, monkeypatch):
    """Other truth behind the test queries, another number of them: the same trials."""
    path = tunable()
    before = outcome(hybridrec.tune(path))
    whole = Masked.split

    def every_second(relevant):
        chosen = relevant.multiply(np.arange(relevant.shape[1]) % 2).tocsr()
        chosen.eliminate_zeros()
        return chosen

    def perturbed(self, data, rng):
        for fold in whole(self, data, rng):
            rows = np.arange(len(fold.queries) // 2)
            truth = {target: every_second(relevant[rows]) for target, relevant in fold.truth.items()}
            queries, units, weights = fold.queries.take(rows), fold.units[rows], fold.weights[rows]
            yield replace(fold, queries=queries, truth=truth, units=units, weights=weights)

    monkeypatch.setattr(Masked, "split", perturbed)
    assert outcome(hybridrec.tune(path)) == before


TEXT = """\
# head
name: x   # its name
components:
  als: {factors: 3} # factors
  ease:
  pop: {}
  # below
  w2v:
    dim: 32   # dims
    blocks:   # as a list
      - a
      - b     # last
tune:
  space:
    a.b: [1, 2]   # gone
# tail
compare: {metrics: [ndcg@5]}
"""


def test_a_file_is_edited_where_the_values_stand():
    values = {
        ("components", "als", "factors"): 64,
        ("components", "als", "more"): 0.5,
        ("components", "ease", "l2"): 5,
        ("components", "pop", "a"): "no",
        ("components", "pop", "b"): 1,
        ("components", "w2v", "fields"): ["x", "y"],
        ("components", "w2v", "dim"): 1e-9,
        ("components", "w2v", "blocks"): ["c"],
    }
    edited = _edited(TEXT, values)
    content = yaml.safe_load(TEXT)
    del content["tune"]
    for (_, label, key), value in values.items():
        content["components"][label] = {**(content["components"][label] or {}), key: value}
    assert yaml.safe_load(edited) == content
    for comment in ("# head", "# its name", "# factors", "# below", "# dims", "# tail"):
        assert comment in edited
    assert "# gone" not in edited


def test_the_comments_of_the_author_stay_and_where_values_come_from_is_added(tunable):
    path = tunable(WEIGHTS, ("seed: 3", "seed: 3  # lucky"))
    text = hybridrec.tune(path, ["compare.resamples=200"]).config.read_text()
    assert text.startswith("# Chosen by `hybridrec tune` on validation queries")
    assert "# lucky" in text
    assert "resamples: 200" in text
    assert "tune:" not in text


def test_relative_paths_still_lead_where_they_led(tunable):
    tuned = hybridrec.tune(tunable(WEIGHTS, ("{reader: toy}", "{reader: toy, path: files/a.csv}")))
    assert yaml.safe_load(tuned.config.read_text())["data"]["path"] == str(Path("files/a.csv").resolve())


def test_a_text_that_cannot_be_edited_becomes_the_resolved_config(tunable):
    """An anchor stands for two places, of which only one is to change."""
    path = tunable(
        WEIGHTS,
        ("control: {generators: [{from: pop, k: 20}], ",
         "control: {generators: [{from: ease, k: 20}, {from: noise, k: 10}], scorers: [pop], rerank: &r "
         "[{use: weighted, weights: {ease: 1, pop: 0.2}}], "),
        ("    rerank: [{use: weighted, weights: {ease: 1, pop: 0.2}}]\n    fall", "    rerank: *r\n    fall"),
    )  # fmt: skip
    tuned = hybridrec.tune(path)
    best = load_experiment(tuned.config, Registry()).resolved["pipelines"]
    assert best["hybrid"]["rerank"][0]["weights"]["pop"] == tuned.best[0].values[POP]
