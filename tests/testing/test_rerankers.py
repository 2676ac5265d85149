"""The contract of re-rankers: those of the project keep it, broken ones do not."""

from dataclasses import replace

import numpy as np
import pytest

from hybridrec import Reranker, kernels
from hybridrec.testing import RerankerContract
from hybridrec_fusion.fixed_weights import Borda, CombMNZ, ReciprocalRank, Weighted
from hybridrec_fusion.greedy import Greedy
from hybridrec_fusion.lambdamart import LambdaMART
from hybridrec_fusion.linear import Linear
from hybridrec_fusion.validated import Validated
from tests.testing.outcomes import SHARED, assert_caught


class TestWeighted(RerankerContract):
    reranker = Weighted
    configs = [{}, {"weights": {"first": 1, "second": 0.3}, "normalise": "rank", "missing": "mean"}]


class TestCombMNZ(RerankerContract):
    reranker = CombMNZ


class TestBorda(RerankerContract):
    reranker = Borda


class TestReciprocalRank(RerankerContract):
    reranker = ReciprocalRank


class TestValidated(RerankerContract):
    reranker = Validated
    configs = [{}, {"min_queries": 1}]


class TestGreedy(RerankerContract):
    reranker = Greedy
    configs = [{}, {"min_queries": 1, "rounds": 3}]


class TestLinear(RerankerContract):
    reranker = Linear
    configs = [{}, {"min_queries": 1, "depth": 3}]


class TestLambdaMART(RerankerContract):
    reranker = LambdaMART
    configs = [{"min_leaf": 2}, {"min_queries": 1, "parts": 2, "min_leaf": 2, "trees": 5}]


class Quiet(Reranker):
    """The mean of the columns, so far as there is one."""

    name = "quiet"
    fuses = True

    def rerank(self, queries, pool, n):
        return pool.ranked(sum(np.nan_to_num(values) for values in pool.columns.values()))


class NoFinal(Quiet):
    def rerank(self, queries, pool, n):
        return pool


class WideFinal(Quiet):
    def rerank(self, queries, pool, n):
        ranked = super().rerank(queries, pool, n)
        return replace(ranked, final=ranked.final.astype(np.float64))


class Drops(Quiet):
    def rerank(self, queries, pool, n):
        ranked = super().rerank(queries, pool, n)
        return replace(ranked, ids=ranked.ids[:, :n], final=ranked.final[:, :n])


class Infinite(Quiet):
    def rerank(self, queries, pool, n):
        return pool.ranked(super().rerank(queries, pool, n).final * np.float32(np.inf))


class NeverFused(Quiet):
    def rerank(self, queries, pool, n):
        assert pool.final is None, "fused already"
        return super().rerank(queries, pool, n)


class NeedsAnOpinion(Quiet):
    def rerank(self, queries, pool, n):
        best = np.nanmax(pool.columns["first"])
        return super().rerank(queries, pool, n) if np.isfinite(best) else pool.ranked(1 / 0)


class LooksAround(Quiet):
    def rerank(self, queries, pool, n):
        final = super().rerank(queries, pool, n).final
        return pool.ranked(final - np.float32(len(queries)))


class Boasts(Quiet):
    def contributions(self, queries, pool):
        return {"first": np.full(pool.ids.shape, 7, np.float32)}


class Unseeded(Quiet):
    def rerank(self, queries, pool, n):
        return pool.ranked(np.random.default_rng().random(pool.ids.shape))


class Forgets(Quiet):
    learns = True

    def fit(self, data, rng):
        self.sign = np.float32(1)
        return self

    def fit_on_predictions(self, queries, pool, truth, weights, units):
        self.sign = np.float32(-1)
        return self

    def rerank(self, queries, pool, n):
        return pool.ranked(self.sign * super().rerank(queries, pool, n).final)


class LosesWhatItLearned(Quiet):
    """State without the learned sign: restored and fitted again, it is gone."""

    learns = True
    learned = 1

    def fit(self, data, rng):
        self.sign = np.float32(self.learned)
        return self

    def fit_on_predictions(self, queries, pool, truth, weights, units):
        self.sign = self.learned = np.float32(-1)
        return self

    def rerank(self, queries, pool, n):
        return pool.ranked(self.sign * super().rerank(queries, pool, n).final)

    def state(self):
        return {"sign": np.array(self.sign)}

    def restore(self, state):
        self.sign = state["sign"]
        return self


class Pickles(Quiet):
    def state(self):
        return {"extra": np.array([{}], object)}


class Overwrites(Quiet):
    def rerank(self, queries, pool, n):
        pool.columns["first"][:] = 0
        return super().rerank(queries, pool, n)


class NoTarget(Quiet):
    targets = ()


class SaysNothing(Quiet):
    fuses = None


class Denies(Quiet):
    fuses = False


class Rolls(Quiet):
    """Draws, and does not say so."""

    def rerank(self, queries, pool, n):
        return pool.ranked(kernels.keyed_draws(queries.ids, pool.ids, 1).astype(np.float32))


class Brags(Rolls):
    """Says that it draws, and believes that the first of the pool comes first."""

    stochastic = True

    def propensities(self, queries, pool, ids):
        return np.where(ids == pool.ids[:, :1], np.float32(1), np.float32(0))


BROKEN = [
    (NoTarget, "declares_what_it_serves", "no target"),
    (SaysNothing, "declares_whether_it_fuses", "None, but it orders"),
    (Denies, "declares_whether_it_fuses", "False, but it orders"),
    (NoFinal, "declares_whether_it_fuses", "True, but it does not order"),
    (NoFinal, "final_is_well_formed", "no `final`"),
    (WideFinal, "final_is_well_formed", "float64"),
    (Drops, "final_is_well_formed", "other candidates"),
    (Infinite, "final_is_well_formed", "has the score"),
    (NeverFused, "reorders_a_fused_pool", "fused already"),
    (NeedsAnOpinion, "nobody_has_an_opinion", "division"),
    (LooksAround, "batch_and_one_by_one_agree", "asked alone"),
    (Boasts, "contributions_sum_to_final", "do not sum"),
    (Unseeded, "same_seed_same_result", "another `final`"),
    (Forgets, "fit_keeps_what_was_learned", "fitted again"),
    (LosesWhatItLearned, "restored_it_can_be_fitted_again", "restored and fitted again"),
    (Rolls, "requests_draw_for_themselves", "False, but its order depends"),
    (Brags, "propensities_are_those_of_its_draws", "its propensity is"),
    (Pickles, "state_survives_a_file", "Python objects"),
    (Overwrites, "does_not_write_to_its_input", "writes to a shared array"),
]


@pytest.mark.filterwarnings("ignore:All-NaN", "ignore:invalid value")
@pytest.mark.parametrize(
    ("broken", "check", "message"), BROKEN, ids=[f"{broken.__name__}-{check}" for broken, check, _ in BROKEN]
)
def test_each_check_catches_a_plugin_that_breaks_it(broken, check, message):
    assert_caught(RerankerContract, broken, Quiet, check, message)


def test_every_check_has_a_plugin_that_breaks_it():
    assert {*RerankerContract.checks()} - SHARED == {check for _, check, _ in BROKEN}
