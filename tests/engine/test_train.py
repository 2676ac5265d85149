"""Training of a fold: fits on both levels, and blends that learn on out-of-sample scores."""

import numpy as np
import pytest

import hybridrec
from hybridrec.config.load import load_experiment
from hybridrec.engine.folds import folds_of, validation_fold
from hybridrec.engine.runner import read
from hybridrec.engine.train import full_fold, jobs_of, parts_of
from hybridrec.registry.discovery import Registry
from hybridrec.testing import toy_dataset
from tests.engine.toy_runs import LEARNED, plain


def test_a_blend_learns_on_base_fits_and_what_it_learned_is_kept(experiment):
    first = hybridrec.run(experiment(LEARNED)).report
    levels = {(fit.label, fit.level) for fit in first.fits}
    assert levels == {(label, "full") for label in ("ease", "pop", "noise", "tag-fallback", "popularity")} | {
        (label, "out_of_fold") for label in ("ease", "pop", "noise", "tag-fallback", "popularity")
    }
    lesson = first.pipelines["hybrid"].learned["test"]["items"]
    assert lesson["queries"] > 0
    assert f"hybrid, test, items: {int(lesson['queries'])} queries" in first.notes
    second = hybridrec.run(experiment(LEARNED)).report
    assert plain(second) == plain(first)


def test_what_was_learned_depends_on_the_weights_of_queries_and_the_rerankers_before(experiment):
    mix = ("test: 0.3", "test: 0.3, cross: true, scenarios: {items: 0.5, tags: 0.5}")
    other = ("test: 0.3", "test: 0.3, cross: true, scenarios: {items: 0.9, tags: 0.1}")
    chain = ("[{use: weighted, weights: {ease: 1, pop: 0.2}}]", "[{use: weighted, weights: {ease: 1}}, {use: student}]")
    more = ("[{use: weighted, weights: {ease: 1, pop: 0.2}}]", "[{use: weighted, weights: {ease: 9}}, {use: student}]")
    stacking_queries = [
        hybridrec.run(experiment(split, rerank)).report.pipelines["hybrid"].learned["test"]["items"]
        for split, rerank in ((mix, chain), (other, chain), (mix, more))
    ]
    assert stacking_queries[0]["weight"] != pytest.approx(stacking_queries[1]["weight"])
    assert stacking_queries[0]["mean"] != pytest.approx(stacking_queries[2]["mean"])


def test_on_the_base_level_only_what_stands_below_a_learner_is_fitted(experiment):
    learned = LEARNED, ("  control: {generators: [{from: pop, k: 20}]", "  control: {generators: [{from: rare, k: 20}]")
    near = (
        "noise: {use: echo}",
        "noise: {use: approximate, uses: als}\n  als: {factors: 4}\n  rare: {use: popularity}",
    )
    checked = load_experiment(experiment(*learned, near), Registry())
    (fold,) = folds_of(checked, read(checked))
    jobs = [(spec.label, training_part.level) for spec, training_part in jobs_of(checked, parts_of(fold, None))]
    assert {level for _, level in jobs} == {"full"}
    jobs = [
        (spec.label, training_part.level)
        for spec, training_part in jobs_of(checked, parts_of(fold, validation_fold(checked, fold, "validation")))
    ]
    assert len(jobs) == len({*jobs})
    full, out_of_fold = ({label for label, at in jobs if at == level} for level in ("full", "out_of_fold"))
    assert full - out_of_fold == {"rare"}
    assert out_of_fold <= full
    for level in ("full", "out_of_fold"):
        assert jobs.index(("als", level)) < jobs.index(("noise", level))


def test_the_fold_for_serving_trains_on_everything_and_asks_nothing():
    data = toy_dataset()
    fold = full_fold(data)
    assert fold.train is data
    assert (len(fold.queries), fold.truth, len(fold.units), fold.weights.dtype) == (0, {}, 0, np.float64)
