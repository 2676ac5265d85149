"""The contracts of re-rankers, readers, splitters and metrics: first-party plugins keep them, broken ones do not."""

import json
from dataclasses import replace

import numpy as np
import pytest

import hybridrec_fusion
from hybridrec import Metric, Normaliser, Reader, Reranker, Segmenter, Splitter
from hybridrec.data import splits
from hybridrec.data.readers.movietweetings import MovieTweetingsReader
from hybridrec.data.readers.setlists import SetlistsReader
from hybridrec.evaluation.accuracy import ACCURACY_METRICS, Ndcg
from hybridrec.evaluation.beyond_accuracy import BEYOND_METRICS
from hybridrec.evaluation.revenue import Revenue
from hybridrec.testing import (
    MetricContract,
    NormaliserContract,
    ReaderContract,
    RerankerContract,
    SegmenterContract,
    SplitterContract,
    run_checks,
)
from hybridrec_fusion.fixed_weights import Borda, CombMNZ, ReciprocalRank, Weighted
from hybridrec_fusion.greedy import Greedy
from hybridrec_fusion.lambdamart import LambdaMART
from hybridrec_fusion.linear import Linear
from hybridrec_fusion.validated import Validated
from tests.broken import (
    AsksForNothing,
    Backwards,
    BadWeights,
    Bare,
    BesideTheMean,
    Changing,
    Claims,
    Compares,
    Draws,
    Empty,
    Fills,
    ForgetsTags,
    ForgetsTimes,
    GoodReader,
    Halves,
    Hits,
    InPlace,
    Leaks,
    Lengths,
    LooksFurther,
    Nameless,
    NeedsVectors,
    NoDataError,
    Objects,
    OfTheBatch,
    OneForAll,
    Same,
    Several,
    Single,
    Spoils,
    TakesTheCutOff,
    TakesTheLabel,
    TrainsOnEverything,
    Undefined,
    Unnamed,
    UnseededSplit,
    UpsideDown,
    Weightless,
    WritesToTheData,
)


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


class TestSetlists(ReaderContract):
    reader = SetlistsReader
    configs = [{"min_items": 20}]


class TestMovieTweetings(ReaderContract):
    reader = MovieTweetingsReader


class TestMasked(SplitterContract):
    splitter = splits.Masked


class TestRandom(SplitterContract):
    splitter = splits.Random


class TestLeaveOneOut(SplitterContract):
    splitter = splits.LeaveOneOut
    configs = [{}, {"pick": "random"}]


class TestEachPosition(SplitterContract):
    splitter = splits.EachPosition
    configs = [{}, {"window": 1}, {"test": 3, "validation": 2, "window": 1000}]


class TestTemporal(SplitterContract):
    splitter = splits.Temporal


class TestColdItems(SplitterContract):
    splitter = splits.ColdItems


class TestPublishedFolds(SplitterContract):
    splitter = splits.PredefinedSplit


class TestNdcg(MetricContract):
    metric = Ndcg
    configs = [{}, {"gain": "linear"}, {"gain": "exponential"}]
    rewards_hits = True


class TestRevenue(MetricContract):
    metric = Revenue
    configs = [{}, {"price": "price"}]
    rewards_hits = True


@pytest.mark.parametrize("metric", [*ACCURACY_METRICS, *BEYOND_METRICS])
def test_all_metrics_keep_their_contract(metric):
    contract = type("Suite", (MetricContract,), {"metric": metric, "rewards_hits": metric in ACCURACY_METRICS})
    assert [outcome for outcome in run_checks(contract) if outcome.status == "failed"] == []


@pytest.mark.parametrize("normaliser", hybridrec_fusion.hybridrec_normalisers())
def test_all_normalisers_keep_their_contract(normaliser):
    contract = type("Suite", (NormaliserContract,), {"normaliser": normaliser})
    assert [outcome for outcome in run_checks(contract) if outcome.status == "failed"] == []


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
    """What it learned is no part of its state: once it is restored and fitted again, it is gone."""

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
    (Pickles, "state_survives_a_file", "Python objects"),
    (Overwrites, "does_not_write_to_its_input", "writes to a shared array"),
    (Empty, "reads_a_dataset", "no interactions"),
    (Claims, "recognises_what_it_reads", "it recognises files though there are none"),
    (BadWeights, "numbers_are_sound", "weight is NaN"),
    (Changing, "reads_the_same_twice", "other data"),
    (Objects, "data_survives_a_file", "Python objects"),
    (NoDataError, "missing_files_are_named", "is a missing file"),
    (Weightless, "folds_are_well_formed", "not positive"),
    (ForgetsTags, "folds_are_well_formed", "fold 'test': truth lacks 'tags'"),
    (AsksForNothing, "every_query_asks_for_something", "asks for nothing"),
    (Leaks, "truth_is_hidden", "of its query"),
    (TrainsOnEverything, "truth_is_hidden", "of training"),
    (TrainsOnEverything, "training_is_a_part_of_the_data", "hides nothing"),
    (UnseededSplit, "same_seed_same_folds", "other folds"),
    (WritesToTheData, "does_not_write_to_its_input", "writes to a shared array"),
    (OneForAll, "values_are_well_formed", "float, not an array"),
    (OneForAll, "batch_and_one_by_one_agree", "float, not an array"),
    (Single, "values_are_well_formed", "float32"),
    (TakesTheCutOff, "options_can_be_given", "something else by at"),
    (Undefined, "has_an_opinion", "NaN for every query"),
    (Compares, "batch_and_one_by_one_agree", "other values"),
    (LooksFurther, "only_the_first_k_places_count", "after k"),
    (Several, "a_set_is_one_number", "ndarray"),
    (Backwards, "hits_in_front_are_not_worse", "at the end"),
    (Spoils, "does_not_write_to_its_input", "writes to a shared array"),
    (TakesTheLabel, "options_can_be_given", "something else by as"),
    (Unnamed, "every_query_has_a_segment", "the empty text"),
    (BesideTheMean, "batch_and_one_by_one_agree", "among others"),
    (Draws, "same_queries_same_segments", "the second time"),
    (NeedsVectors, "served_as_measured", "other segments when serving"),
    (ForgetsTimes, "does_not_write_to_its_input", "writes to a shared array"),
    (Fills, "values_are_well_formed", "a number in place of NaN"),
    (OfTheBatch, "batch_and_one_by_one_agree", "in a batch"),
    (UpsideDown, "keeps_the_order", "became the lower"),
    (InPlace, "does_not_write_to_its_input", "writes to a shared array"),
    (Bare, "config_fields_are_documented", "size"),
    (Nameless, "has_a_name_and_a_version", "empty"),
]
CONTRACTS = {
    Reranker: (RerankerContract, "reranker", Quiet),
    Reader: (ReaderContract, "reader", GoodReader),
    Splitter: (SplitterContract, "splitter", Halves),
    Metric: (MetricContract, "metric", Hits),
    Normaliser: (NormaliserContract, "normaliser", Same),
    Segmenter: (SegmenterContract, "segmenter", Lengths),
}


def suite(cls, tmp_path):
    contract, role, good = next(found for base, found in CONTRACTS.items() if issubclass(cls, base))
    (tmp_path / "plays.json").write_text(json.dumps({}))
    configs = ({"path": str(tmp_path / "plays.json")},) if role == "reader" else ({},)
    given = {"configs": configs, "rewards_hits": True}
    return type("Suite", (contract,), {role: cls, **given}), type("Good", (contract,), {role: good, **given})


def outcomes(contract, check):
    with np.errstate(all="ignore"):
        return [outcome for outcome in run_checks(contract) if outcome.check == check]


@pytest.mark.filterwarnings("ignore:All-NaN", "ignore:invalid value")
@pytest.mark.parametrize(
    ("broken", "check", "message"), BROKEN, ids=[f"{broken.__name__}-{check}" for broken, check, _ in BROKEN]
)
def test_each_check_catches_a_plugin_that_breaks_it(broken, check, message, tmp_path):
    tested, good = suite(broken, tmp_path)
    assert {outcome.status for outcome in outcomes(good, check)} <= {"passed", "not applicable"}
    failed = [outcome for outcome in outcomes(tested, check) if outcome.status == "failed"]
    assert failed
    assert message in failed[0].message


def test_every_check_has_a_plugin_that_breaks_it():
    for base, (contract, _, _) in CONTRACTS.items():
        broken = {check for cls, check, _ in BROKEN if issubclass(cls, base)}
        shared = {"config_fields_are_documented", "has_a_name_and_a_version"}
        assert {*contract.checks()} - broken - shared == set()
