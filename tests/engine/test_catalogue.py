"""Preparations of the catalogue alone are made once, whatever the folds, levels, labels, runs and processes."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

import hybridrec
from hybridrec.config.load import load_experiment
from hybridrec.engine.executor import ThreadExecutor
from hybridrec.engine.fit import FitContext
from hybridrec.engine.fitter import Fitter, TrainingPart
from hybridrec.engine.store import Store
from hybridrec.testing import toy_dataset
from tests.engine.toy_runs import LEARNED

PLUGIN = """
import numpy as np

from hybridrec import InputPath, find

Popularity = find("component", "popularity")


class DescribedOptions(Popularity.Config):
    \"\"\"Options of `described`.\"\"\"

    log: InputPath
    \"\"\"A file that gets a line whenever the catalogue is prepared.\"\"\"
    power: float = 1.0
    \"\"\"Power of the lengths of names.\"\"\"
    weight: float = 1.0
    \"\"\"Weight beside the popularity.\"\"\"


class Described(Popularity):
    \"\"\"Popularity, and long names.\"\"\"

    name = "described"
    Config = DescribedOptions
    prepares = ("log", "power")

    def prepare(self, catalogue):
        with self.config.log.open("a") as log:
            log.write(f"{len(catalogue.interactions.ids)} interactions, weight {self.config.weight}\\n")
        lengths = np.array([len(name) for name in catalogue.items.names()], np.float32)
        return {"lengths": lengths**self.config.power}

    def fit(self, data, rng):
        super().fit(data, rng)
        self.lengths = self.prepared(data)["lengths"] * self.config.weight
        return self

    def notes(self):
        return [f"names of {self.lengths.sum():.0f} letters"]
"""


@pytest.fixture
def plugin(tmp_path):
    path = tmp_path / "described.py"
    path.write_text(PLUGIN)
    return path


@pytest.fixture
def config(experiment):
    """Writes an experiment of two folds and two levels with a component that prepares."""

    def write(options="", *more):
        return experiment(
            ("noise: {use: echo}", f"noise: {{use: described, log: prepared.log{options}}}"),
            ("{use: masked, test: 0.3}", "{use: masked, folds: 2}"),
            LEARNED,
            *more,
        )

    return write


def prepared():
    path = Path("prepared.log")
    return path.read_text().splitlines() if path.exists() else []


def notes(run):
    return [note for note in run.report.notes if note.startswith("noise")]


def test_several_folds_and_levels_and_a_second_run_share_it(config, plugin):
    run = hybridrec.run(config(), plugins=[plugin])
    fits = [fit for fit in run.report.fits if fit.label == "noise"]
    assert len({(fit.fold, fit.level, fit.key) for fit in fits}) == 4
    assert prepared() == ["0 interactions, weight 1.0"], "once, and of the catalogue alone"
    assert len(notes(run)) == 2
    again = hybridrec.run(config(), ["seed=4"], plugins=[plugin])
    assert not any(fit.cached for fit in again.report.fits if fit.label == "noise")
    assert len(prepared()) == 1
    assert notes(again) == notes(run)


def test_options_that_it_does_not_name_share_it_and_others_do_not(config, plugin):
    hybridrec.run(config(), plugins=[plugin])
    weighed = hybridrec.run(config(", weight: 3.0"), plugins=[plugin])
    assert prepared() == ["0 interactions, weight 1.0"]
    hybridrec.run(config(", power: 2.0, weight: 3.0"), plugins=[plugin])
    assert prepared() == ["0 interactions, weight 1.0"] * 2, "what it does not name has its default"
    letters = [int(note.split()[-2]) for note in notes(weighed)]
    assert letters[0] == 3 * int(notes(hybridrec.run(config(), plugins=[plugin]))[0].split()[-2])


def test_another_catalogue_or_source_prepares_again(config, plugin):
    hybridrec.run(config(), plugins=[plugin])
    hybridrec.run(config("", ("folds: 2", "folds: 3")), plugins=[plugin])
    assert len(prepared()) == 1
    hybridrec.run(config("", ("{reader: toy}", "{reader: toy, items: 41}")), plugins=[plugin])
    assert len(prepared()) == 2
    plugin.write_text(PLUGIN.replace("len(name)", "len(name) + 1"))
    hybridrec.run(config(), plugins=[plugin])
    assert len(prepared()) == 3


def test_what_was_lost_is_made_again_and_damaged_too(config, plugin):
    first = hybridrec.run(config(), plugins=[plugin])
    store = Store.default()
    (artifact,) = (each for each in store.artifacts() if "prepared for" in each.about)
    artifact.path.write_bytes(artifact.path.read_bytes()[:-9])
    again = hybridrec.run(config(), ["seed=4"], plugins=[plugin])
    assert len(prepared()) == 2
    assert notes(again) == notes(first)


def test_processes_share_it_as_well(config, plugin, processes):
    run = hybridrec.run(config(), plugins=[plugin], executor=processes)
    assert prepared() == ["0 interactions, weight 1.0"]
    assert len(notes(run)) == 2


def test_a_class_without_a_source_prepares_once_for_each_plan_and_stores_nothing(config, plugin):
    module = sys.modules["made_of_text"] = type(sys)("made_of_text")
    exec(PLUGIN, vars(module))
    run = hybridrec.run(config(), plugins=[module.Described])
    assert len(notes(run)) == 2
    assert len(prepared()) == 2, "once for each fold"
    assert not [each for each in Store.default().artifacts() if "prepared for" in each.about]


def test_an_error_says_what_was_being_done(config, plugin):
    plugin.write_text(PLUGIN.replace('return {"lengths"', 'return {"lengths": 1.0, "other"'))
    with pytest.raises(hybridrec.PluginError, match="'lengths' must be a numpy array, not float") as info:
        hybridrec.run(config(), plugins=[plugin])
    assert "while preparing the catalogue for components.noise" in "".join(info.value.__notes__)


@pytest.mark.parametrize("named", ['"power"', '("powr",)'])
def test_options_that_do_not_exist_are_refused(config, plugin, named):
    plugin.write_text(PLUGIN.replace('("log", "power")', named))
    with pytest.raises(hybridrec.PluginError, match=r"Described\.prepares must be a tuple of its options, not"):
        hybridrec.run(config(), plugins=[plugin])


@pytest.mark.parametrize("irreproducible", [("reproducible", False), ("device", "cuda")])
def test_of_two_preparations_that_may_differ_all_use_the_first(config, plugin, tmp_path, monkeypatch, irreproducible):
    registry = hybridrec.Registry(plugins=[plugin])
    spec = load_experiment(config(), registry).components["noise"]
    data = toy_dataset(60)
    fitter = Fitter(Store(tmp_path / "store"), registry, ThreadExecutor(1), seed=3, memory=10**9)
    job = fitter.job(spec, TrainingPart("test", "full", data, data.fingerprint))
    here, there = (FitContext(fitter.store, registry, {data.fingerprint: data}) for _ in range(2))
    made, first = [], []

    def prepare(self, catalogue):
        made.append(None)
        number = len(made)
        if number == 1:  # another process is faster
            first.append(there.prepared(job))
        setattr(self, *irreproducible)
        return {"lengths": np.full(3, number, np.float32)}

    monkeypatch.setattr(spec.cls, "prepare", prepare)
    np.testing.assert_array_equal(here.prepared(job)["lengths"], first[0]["lengths"])
    assert len(made) == 2
