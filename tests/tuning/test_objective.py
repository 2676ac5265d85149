"""The objective of a search: what did not change is kept, and no test query decides."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import hybridrec
from hybridrec import DataError
from hybridrec.data.splits import Masked
from hybridrec.engine.fit import Fitted
from hybridrec.engine.store import Store
from hybridrec.inference.batch_runner import BatchRunner
from hybridrec.tuning.objective import LRUCache
from tests.tuning.searches import EASE, WEIGHTS, outcome


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
    assert kinds == {"component", "version", "label", "fold", "random", "notes", "took", "by"}


def test_a_learning_reranker_learns_in_every_trial(tunable):
    section = f"{{pipeline: hybrid, trials: 3, search: random, space: {{{EASE}: [5, 50, 500]}}}}"
    tuned = hybridrec.tune(tunable(section, ("[{use: weighted, weights: {ease: 1, pop: 0.2}}]", "[{use: student}]")))
    assert [trial.state for trial in tuned.trials] == ["complete"] * 3


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
            yield replace(fold, queries=queries, truth=truth, units=units, weights=weights, gains={})

    monkeypatch.setattr(Masked, "split", perturbed)
    assert outcome(hybridrec.tune(path)) == before


def test_what_was_used_least_recently_makes_room():
    cache = LRUCache(budget=10)
    for key, size in (("a", 4), ("b", 4)):
        cache.put(key, key.upper(), size)
    assert cache.get("a") == "A"
    cache.put("c", "C", 4)
    assert [cache.get(key) for key in "abc"] == ["A", None, "C"]
    cache.put("c", "new", 6)  # in its own place: 4 + 6
    assert [cache.get(key) for key in "ac"] == ["A", "new"]
    cache.put("large", "L", 11)
    assert [cache.get(key) for key in ("a", "c", "large")] == [None, None, None]


def test_a_metric_that_no_validation_query_defines_is_named(tunable, monkeypatch):
    path = tunable(WEIGHTS.replace("space", "metric: diversity@5, space"), ("tags: 5", "tags: 5"))
    monkeypatch.setattr("hybridrec.tuning.objective.weighted_mean", lambda values, weights: None)
    with pytest.raises(DataError, match="diversity@5 is not defined for any validation query"):
        hybridrec.tune(path)
