"""Proposals of a search: the config first, and the same ones after an interruption."""

from dataclasses import replace
from pathlib import Path

import pytest

import hybridrec
from hybridrec import MissingDependencyError
from hybridrec.config.experiment import Dimension
from hybridrec.config.load import load_experiment
from hybridrec.config.models import Range
from hybridrec.registry.discovery import Registry
from hybridrec.tuning.sampler import Sampler
from hybridrec.tuning.trials import Trial
from hybridrec.tuning.tune import NullTuneCallback
from tests.tuning.searches import POP, WEIGHTS, outcome


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

    class Killer(NullTuneCallback):
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


SPACE = (
    Dimension("whole", Range(low=1, high=10, step=4), 1),
    Dimension("fine", Range(low=0.001, high=1.0, log=True), 0.1),
    Dimension("choice", ("a", [1, 2], 3), "a"),
)


@pytest.fixture
def tuning(tunable):
    return replace(load_experiment(tunable(), Registry()).tuning, space=SPACE)


@pytest.mark.parametrize("method", ["random", "tpe"])
def test_every_proposal_is_in_the_space_and_depends_on_its_number_and_the_trials_alone(tuning, method):
    sampler = Sampler(tuning, method, 3)
    for number in range(25):
        values = sampler.ask(number)
        assert all(values[dimension.path] in dimension for dimension in SPACE)
        assert sampler.ask(number) == values  # asking leaves nothing behind
        sampler.tell(Trial(number, values, "complete", {"ndcg@5": values["fine"]}))
    assert sampler.ask(0) == {"whole": 1, "fine": 0.1, "choice": "a"}
    assert Sampler(tuning, method, 4).ask(1) != Sampler(tuning, method, 3).ask(1)


def test_the_option_that_decides_is_the_important_one_and_failed_trials_count_for_nothing(tuning):
    sampler, trials = Sampler(tuning, "random", 3), []
    for number in range(60):
        values = sampler.ask(number)
        failed = number % 10 == 9
        trial = Trial(number, values, "failed" if failed else "complete", {} if failed else {"ndcg@5": values["fine"]})
        trials.append(trial)
        sampler.tell(trial)
    importance = sampler.importance(trials)
    assert next(iter(importance)) == "fine"
    assert importance["fine"] > 0.5
    assert sum(importance.values()) == pytest.approx(1, abs=1e-3)
    assert sampler.importance([replace(trial, metrics={"ndcg@5": 1.0}) for trial in trials]) == {}
