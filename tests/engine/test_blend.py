"""Re-rankers learn from fits that have not seen the answers, from their statistics, and from nothing of the test."""

from dataclasses import replace

import numpy as np
import pytest

from hybridrec.config.load import load_experiment
from hybridrec.engine.blend import StackingSet
from hybridrec.engine.executor import ThreadExecutor
from hybridrec.engine.fitter import Fitter
from hybridrec.engine.runner import read
from hybridrec.engine.store import NullStore, Store
from hybridrec.engine.train import FoldTrainer
from hybridrec.inference.batch_runner import BatchRunner
from hybridrec.registry.discovery import Registry

RERANK = "[{use: weighted, weights: {ease: 1, pop: 0.2}}]"


@pytest.fixture
def trained_fold(experiment, tmp_path):
    """Prepares the only fold of the small experiment for another chain of re-rankers: its plan and its blend."""

    def prepare(chain, change=lambda fold: fold, store="store"):
        checked = load_experiment(experiment((RERANK, chain)), Registry())
        place, memory = Store(tmp_path / store), checked.config.memory
        executor = ThreadExecutor(1)
        fitter = Fitter(place, Registry(), executor, seed=checked.config.seed, memory=memory)
        trainer = FoldTrainer(checked, fitter, BatchRunner(place, executor, memory))
        (fold,) = checked.splitter.split(read(checked), np.random.default_rng(0))
        plan = trainer.plan(change(fold))
        return plan, next(arm for arm in trainer.prepare(plan).arms if arm.name == "hybrid")

    return prepare


@pytest.fixture
def calls(toyland, monkeypatch):
    """The calls of the student of the plugin `toyland`, in order: fingerprints of fits, and "learn"."""
    from toyland import Student

    made = []
    learn = Student.fit_on_predictions
    monkeypatch.setattr(Student, "fit", lambda self, data, rng: (made.append(data.fingerprint), self)[1])
    monkeypatch.setattr(
        Student, "fit_on_predictions", lambda self, *given: (made.append("learn"), learn(self, *given))[1]
    )
    return made


def test_a_learner_is_fitted_where_it_learns_and_again_where_it_ranks(trained_fold, calls):
    plan, _ = trained_fold("[{use: student}]")
    base, final = plan.splits.parts["out_of_fold"].fingerprint, plan.splits.parts["full"].fingerprint
    assert base != final
    assert calls == [base, "learn", final] * 2  # for items and for tags
    calls.clear()
    trained_fold("[{use: student}]")
    assert calls == [base, final] * 2  # what was learned is in the store


def test_what_stands_before_a_learner_has_the_statistics_of_the_base_level_too(trained_fold, monkeypatch):
    """The pool that is learned on is the one that all components and re-rankers of the base level make."""
    from hybridrec_rerank.corrections import PopularityCorrection

    fitted = []
    fit = PopularityCorrection.fit
    monkeypatch.setattr(
        PopularityCorrection, "fit", lambda self, data, rng: (fitted.append(data.fingerprint), fit(self, data, rng))[1]
    )
    chain = "{items: [{use: weighted}, {use: popularity-correction}, {use: student}], tags: [{use: weighted}]}"
    plan, _ = trained_fold(chain)
    assert fitted == [plan.splits.parts["out_of_fold"].fingerprint, plan.splits.parts["full"].fingerprint]


def test_answers_are_not_taken_for_those_on_another_training_part(trained_fold):
    """A re-ranker that takes nothing but statistics from the data has them in its key."""
    chain = "{items: [{use: weighted}, {use: popularity-correction}], tags: [{use: weighted}]}"

    def thinner(fold):
        return replace(fold, train=fold.train.hide(np.arange(len(fold.train.interactions.ids)) == 0))

    (_, before), (_, after) = trained_fold(chain), trained_fold(chain, thinner)
    assert set(before.rerankers.keys).isdisjoint(after.rerankers.keys)


def test_answers_are_not_taken_for_those_of_other_lessons(trained_fold, tmp_path):
    """Other weights, for any reason, lead to no slates that the former ones made."""
    _, before = trained_fold("[{use: student}]")
    store = Store(tmp_path / "store")
    for entry in store.artifacts():
        if "reranker" in entry.about:
            other = {"lesson": store.get(entry.key)["lesson"] + 1}
            store.drop(entry.key)
            store.put(entry.key, other, entry.about)
    _, after = trained_fold("[{use: student}]")
    assert before.order_key != after.order_key
    assert set(before.rerankers.keys).isdisjoint(after.rerankers.keys)


@pytest.mark.parametrize("name", ["validated", "greedy", "linear", "lambdamart"])
def test_what_is_learned_knows_nothing_of_the_test(trained_fold, name):
    """Other answers to the test queries, another store: to the last bit the same is learned."""

    def other_answers(fold):
        rng = np.random.default_rng(1)
        shuffled = {target: truth[:, rng.permutation(truth.shape[1])] for target, truth in fold.truth.items()}
        return replace(fold, truth=shuffled)

    (_, arm), (_, other) = (
        trained_fold(f"[{{use: {name}}}]"),
        trained_fold(f"[{{use: {name}}}]", other_answers, "elsewhere"),
    )
    for target, (ranker,) in arm.rerankers.chains.items():
        before, after = ranker.state(), other.rerankers.chains[target][0].state()
        assert before.keys() == after.keys()
        for name_of_array, values in before.items():
            np.testing.assert_array_equal(values, after[name_of_array], err_msg=name_of_array)


def test_the_key_of_what_is_learned_from_depends_on_queries_truth_and_the_re_rankers_before(trained_fold):
    plan, blend = trained_fold(RERANK)
    fold = plan.splits.fold
    runner = BatchRunner(NullStore(), ThreadExecutor(1), 10**9)

    def key(validation=fold, target="items", before=()):
        stacking_set = StackingSet(runner, blend, "test", validation, target)
        for name in before:
            stacking_set.pass_on(None, name)
        return stacking_set.key

    others = [
        key(target="tags"),
        key(replace(fold, weights=fold.weights * 2)),
        key(replace(fold, truth=fold.truth | {"items": fold.truth["items"] * 0})),
        key(replace(fold, queries=fold.queries.take(np.arange(len(fold.queries))[::-1]))),
        key(before=["a"]),
        key(before=["a", "b"]),
        key(before=["b", "a"]),
    ]
    assert key() == key()
    assert len({key(), *others}) == 1 + len(others)
