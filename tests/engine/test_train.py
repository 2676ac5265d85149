"""Training of a fold: fits on both levels, and blends that learn on out-of-sample scores."""

import pytest

import hybridrec
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
