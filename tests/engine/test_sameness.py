"""One experiment gives one result: in whatever order it is fitted, whatever the store holds, wherever it was ended."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hybridrec.config.experiment import CheckedExperiment
from hybridrec.config.load import load_experiment
from hybridrec.engine.executor import Executor, ThreadExecutor
from hybridrec.engine.fit import FitContext, FitJob, FitOutcome
from hybridrec.engine.runner import ExperimentRunner, NullProgress
from hybridrec.engine.store import Store
from hybridrec.inference import array_file as artifact
from hybridrec.registry.discovery import Registry

TOYLAND = Path(__file__).parents[1] / "toyland"
Result = tuple[dict[str, Any], dict[str, str]]
"""What a report says of the result, and digests of the slates' arrays by pipeline, target, fold and name."""

# In no place are labels in the order of the alphabet: an order that is lost on the way is another one. Users' tags
# reach all fits as one matrix, of which the splitter hides some.
CONFIG = """\
name: same
seed: 5
data: {reader: toy, assigned: false}
split: {use: masked, test: 0.3}
components:
  user-knn: {neighbours: 5}
  ease: {l2: 5}
  als: {factors: 4, iterations: 2}
  word2vec: {dim: 4, epochs: 2}
  clusters: {use: cluster-draw, uses: word2vec, clusters: 4}
  pop: {use: popularity}
  noise: {use: echo}
targets: {items: 5}
pipelines:
  control: {generators: [{from: als, k: 20}]}
  climbed: &pool
    generators: [{from: user-knn, k: 10}, {from: noise, k: 10}, {from: als, k: 10}]
    scorers: [word2vec, pop, ease, als, clusters]
    rerank: [{use: validated, k: 5, parts: 2}]
  selected: {<<: *pool, rerank: [{use: greedy, k: 5, parts: 2, rounds: 3}]}
  line: {<<: *pool, rerank: [{use: linear, k: 5, parts: 2, l2: 0.1}]}
  trees: {<<: *pool, rerank: [{use: lambdamart, k: 5, parts: 2, trees: 3, min_leaf: 5, leaves: 3}]}
  fixed: {<<: *pool, rerank: [{use: weighted, weights: {word2vec: 0.3, ease: 0.7, als: 0.11, pop: 0.13, noise: 0.17}}]}
compare: {control: control, metrics: [ndcg@5, coverage@5], resamples: 100}
"""


class EndedError(Exception):
    """Stands for all that ends a run while it writes."""


class Trial:
    """The experiment, ready to be carried out again and again."""

    def __init__(self, experiment: CheckedExperiment, registry: Registry) -> None:
        self.experiment = experiment
        self.registry = registry

    def run(self, store: Store, workers: int = 1, executor: Executor | None = None) -> Result:
        """Carry it out and return what must always be the same."""
        config = self.experiment.config.model_copy(update={"workers": workers})
        work = ExperimentRunner(
            replace(self.experiment, config=config), self.registry, store, NullProgress(), executor=executor
        )
        work.distributions.clear()  # to look up their versions takes a third of a run that finds all in the store
        result = work.run()
        slates = {
            f"{name}/{target}/{fold}/{array_name}": hashlib.sha256(array.tobytes()).hexdigest()
            for name, targets in result.slates.items()
            for target, folds in targets.items()
            for fold, slate in enumerate(folds)
            for array_name, array in slate.state().items()
        }
        return result.report.comparable(), slates


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(TOYLAND))
        file = tmp_path_factory.mktemp("config") / "same.yaml"
        file.write_text(CONFIG, encoding="utf-8")
        registry = Registry()
        yield Trial(load_experiment(file, registry), registry)


@pytest.fixture(scope="module")
def filled(trial: Trial, tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, Result]:
    """A store that holds all that the experiment makes, and what it gave when nothing was there yet."""
    store = Store(tmp_path_factory.mktemp("filled"))
    return store, trial.run(store)


class ShuffledExecutor(ThreadExecutor):
    """Threads that are given the fits in another order."""

    def __init__(self, workers: int, seed: int) -> None:
        super().__init__(workers)
        self.rng = np.random.default_rng(seed)

    def submit(self, jobs: Sequence[FitJob], context: FitContext) -> Iterator[FitOutcome]:
        """Run the jobs in a random order."""
        return super().submit([jobs[place] for place in self.rng.permutation(len(jobs))], context)


def check_same(result: Result, expected: Result) -> None:
    """Name the first place that differs: two whole reports are no message."""
    for now, then in zip(result, expected, strict=True):
        for (place, value), (other, wanted) in zip(_leaves(now), _leaves(then), strict=True):
            assert (place, value) == (other, wanted)


def _leaves(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, f"{place}/{key}")
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _leaves(inner, f"{place}/{number}")
    else:
        yield place, value


def _verdicts(value: Any) -> Iterator[dict[str, Any]]:
    """Every verdict of a guard, wherever it stands."""
    if isinstance(value, dict):
        if value.get("guarded") is not None:
            yield value
        for inner in value.values():
            yield from _verdicts(inner)


def copied(store: Store, folder: Path) -> Store:
    """The same store somewhere else."""
    shutil.copytree(store.folder, folder)
    return Store(folder)


def test_the_experiment_learns_and_blends(filled):
    """Were the guard to let no blend rank, or the blends to rank alike, little would be compared."""
    report, slates = filled[1]
    blends = ("climbed", "selected", "line", "trees", "fixed")
    assert len({slates[f"{name}/items/0/ids"] for name in blends}) == len(blends)
    assert not all(row["guarded"] for row in _verdicts(report["pipelines"]))


@pytest.mark.parametrize("seeds", [range(5), pytest.param(range(5, 20), marks=pytest.mark.slow)], ids=str)
@pytest.mark.parametrize("workers", [1, 2])
def test_the_order_of_the_fits_and_the_number_of_workers_change_nothing(trial, filled, workers, seeds, tmp_path):
    for seed in seeds:
        check_same(trial.run(Store(tmp_path / str(seed)), workers, ShuffledExecutor(workers, seed)), filled[1])


def test_what_left_the_store_is_made_again_and_is_what_it_was(trial, filled, tmp_path):
    whole, expected = filled
    keys = sorted(entry.key for entry in whole.artifacts())
    assert {next(iter(entry.about)) for entry in whole.artifacts()} == {
        "component",
        "reranker",
        "pool of",
        "results of",
    }
    rng = np.random.default_rng(0)
    some = [rng.choice(keys, rng.integers(2, len(keys)), replace=False) for _ in range(20)]
    for number, gone in enumerate([*([key] for key in keys), *some]):
        store = copied(whole, tmp_path / str(number))
        for key in gone:
            store.drop(key)
        check_same(trial.run(store), expected)
        assert {entry.key for entry in store.artifacts()} <= set(keys)


@pytest.mark.parametrize("remainder", [0, *(pytest.param(number, marks=pytest.mark.slow) for number in (1, 2, 3))])
def test_a_run_that_ended_at_any_write_leaves_nothing_that_changes_the_next(
    trial, filled, remainder, tmp_path, monkeypatch
):
    """Every write is one of four tests' own: a quarter of them is tried each time, the others with the slow tests."""
    write = artifact.write_artifact
    left = [0]

    def ending(path: Path, *given: Any) -> None:
        left[0] -= 1
        if left[0] < 0:
            path.write_bytes(b"half of it")
            raise EndedError
        write(path, *given)

    monkeypatch.setattr("hybridrec.engine.store.write_artifact", ending)
    writes = len(filled[0].artifacts())
    assert writes > 20
    for place in range(remainder, writes, 4):
        store = Store(tmp_path / str(place))
        left[0] = place
        with pytest.raises(EndedError):
            trial.run(store)
        assert len(store.artifacts()) == place
        left[0] = writes
        check_same(trial.run(store), filled[1])
