"""The contract of components catches what it promises: for each check, a component that breaks it."""

import inspect
import mmap
import sys
import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from hybridrec import (
    Candidates,
    CurveFigure,
    DataError,
    DenseModel,
    Exclude,
    Options,
    PluginError,
    Scorer,
    TableFigure,
    kernels,
)
from hybridrec.testing import ComponentContract, toy_dataset
from hybridrec.testing.base_models import ToyVectors


class Good(DenseModel):
    """Item co-occurrence, and for tags the users' tags: as simple as a good component can be."""

    name = "good"
    needs = frozenset({"items"})

    def fit(self, data, rng):
        had = data.interactions.matrix(binary=True)
        self._together = {
            "items": (had.T @ had).toarray().astype(np.float32),
            "tags": (had.T @ data.user_matrix("tags")).toarray().astype(np.float32),
        }
        return self

    def scores(self, queries, target):
        result = queries.history.matrix(binary=True) @ self._together[target]
        return np.where(queries.has("items")[:, None], result, np.nan).astype(np.float32)

    def state(self):
        return dict(self._together)

    def restore(self, state):
        self._together = dict(state)
        return self

    def memory(self, data):
        """Estimate the bytes of a full matrix of all pairs, as it is made and as it is kept."""
        return 12 * len(data.items) ** 2


class TestGoodContract(ComponentContract):
    component = Good
    learns_the_checkerboard = ("items",)


class Undocumented(Good):
    class Config(Options):
        factors: int = 3


class Nameless(Good):
    name = ""


class SharesABuffer(Good):
    """Keeps the queries on itself while it works: another thread may put its own there."""

    def scores(self, queries, target):
        self._asked = queries, threading.get_ident()
        time.sleep(0.002)
        asked, thread = self._asked
        scores = super().scores(asked, target)
        return scores if thread == threading.get_ident() else -scores


class TellsNoMemory(Good):
    def memory(self, data):
        return 0


class TellsTooMuchMemory(Good):
    def memory(self, data):
        return 4_000_000_000


class HoldsMemoryOfItsOwn(Good):
    """Takes what numpy does not count."""

    def fit(self, data, rng):
        with mmap.mmap(-1, 300_000_000) as held:
            held.write(bytes(len(held)))
        return super().fit(data, rng)


class NoTarget(Good):
    targets = ()


class WrongNeeds(Good):
    needs = frozenset({"Moods"})


class WideIds(Good):
    def candidates(self, queries, k, target, exclude):
        candidates = super().candidates(queries, k, target, exclude)
        return Candidates(candidates.ids.astype(np.int64), candidates.scores)


class Repeats(Good):
    def candidates(self, queries, k, target, exclude):
        candidates = super().candidates(queries, k, target, exclude)
        candidates.ids[:, 1:2] = candidates.ids[:, :1]
        return candidates


class ScoredPadding(Good):
    def candidates(self, queries, k, target, exclude):
        candidates = super().candidates(queries, k, target, exclude)
        return Candidates(candidates.ids, np.nan_to_num(candidates.scores, nan=-3.4e38))


class NeverMoreThanTheCatalogue(Good):
    def candidates(self, queries, k, target, exclude):
        return super().candidates(queries, min(k, 40), target, exclude)


class DoubleScores(Good):
    def score(self, queries, ids, target):
        return super().score(queries, ids, target).astype(np.float64)


class ScoresPadding(Good):
    def score(self, queries, ids, target):
        return np.nan_to_num(super().score(queries, ids, target))


class TwoScales(Good):
    def score(self, queries, ids, target):
        return super().score(queries, ids, target) * np.float32(1.01)


class ProposesNothing(Good):
    def candidates(self, queries, k, target, exclude):
        return Candidates.empty(len(queries), k)


class HasNoOpinion(Good):
    def score(self, queries, ids, target):
        return np.full(ids.shape, np.nan, np.float32)


class RanksTheGiven(Good):
    def score(self, queries, ids, target):
        return kernels.zscore(super().score(queries, ids, target))


class LooksAround(Good):
    def scores(self, queries, target):
        scores = super().scores(queries, target)
        return scores - (np.nanmean(scores) if np.isfinite(scores).any() else np.float32(0))


class Unseeded(Good):
    def fit(self, data, rng):
        super().fit(data, rng)
        self._together["items"] += np.random.default_rng().random((40, 40), np.float32)
        return self


class NeedsAQuery(Good):
    def scores(self, queries, target):
        return super().scores(queries, target) / queries.history.lengths.max()


class CountsRows(Good):
    needs = frozenset()

    def scores(self, queries, target):
        n = len(self._together[target].T)
        return ((np.arange(n) + np.arange(len(queries))[:, None]) % n).astype(np.float32)


class ServesMoreThanItSays(Good):
    def scores(self, queries, target):
        return np.nan_to_num(super().scores(queries, target))


class ServesLessThanItSays(Good):
    needs = frozenset()


class ScoresLessThanItSays(Scorer):
    """Proposes nothing, has no opinion without items, and says nothing of that."""

    name = "good"

    def fit(self, data, rng):
        self._model = Good().fit(data, rng)
        return self

    def score(self, queries, ids, target):
        return self._model.score(queries, ids, target)

    def state(self):
        return self._model.state()

    def restore(self, state):
        self._model = Good().restore(state)
        return self


class IgnoresExcludedRows(Good):
    def candidates(self, queries, k, target, exclude):
        return super().candidates(queries, k, target, Exclude(ids=exclude.ids))


class IgnoresExcludedIds(Good):
    def candidates(self, queries, k, target, exclude):
        return super().candidates(queries, k, target, Exclude(rows=exclude.rows))


class ForgetsTheRest(Good):
    def candidates(self, queries, k, target, exclude):
        """The best third, less what is excluded."""
        scores = self.scores(queries, target)
        ids, _ = kernels.top_k(scores, len(scores.T) // 3)
        kept = np.full(scores.shape, np.nan, np.float32)
        rows, places = np.nonzero(ids >= 0)
        kept[rows, ids[rows, places]] = scores[rows, ids[rows, places]]
        if exclude.rows is None and exclude.ids is None:
            kept = scores
        exclude.mask(kept)
        return Candidates(*kernels.top_k(kept, k))


class Pickles(Good):
    def state(self):
        return super().state() | {"extra": np.array([{}], object)}


class KeepsANumber(Good):
    def state(self):
        return super().state() | {"scale": 0.5}


class Forgets(Good):
    def restore(self, state):
        super().restore({name: array + 1 for name, array in state.items()})
        return self


class WritesToTheData(Good):
    def fit(self, data, rng):
        data.interactions.weights[:] = 1
        return super().fit(data, rng)


class WritesToTheQueries(Good):
    def scores(self, queries, target):
        queries.history.ids[:] = 0
        return super().scores(queries, target)


class UnlocksTheData(Good):
    """Insists: an array that owns its data can be made writable again."""

    def fit(self, data, rng):
        data.interactions.weights.flags.writeable = True
        data.interactions.weights[:] = 1
        return super().fit(data, rng)


class CastsIds(Good):
    def score(self, queries, ids, target):
        scores = super().score(queries, ids, target)
        return scores.astype(np.float64) if ids.dtype == np.int64 else scores


class DividesByTags(Good):
    def fit(self, data, rng):
        self._share = 1 // data.size("tags")
        return super().fit(data, rng)


class SaysTooLittle(Good):
    def fit(self, data, rng):
        if not data.size("tags"):
            raise DataError("no tags")
        return super().fit(data, rng)


class Contrary(Good):
    def scores(self, queries, target):
        return -super().scores(queries, target)


class KnowsNothingNew(Good):
    refreshes = True

    def refresh(self, data, new_codes, rng):
        self.fit(data, rng)
        self.new = np.setdiff1d(np.arange(len(data.items)), new_codes["items"])
        return self

    def state(self):
        return super().state() | {"new": getattr(self, "new", np.empty(0, int))}

    def restore(self, state):
        self.new = state["new"]
        return super().restore(state)

    def scores(self, queries, target):
        scores = super().scores(queries, target)
        if target == "items":
            scores[:, getattr(self, "new", [])] = np.nan
        return scores


class Prepares(Good):
    """Weighs items by what it prepares of the catalogue."""

    class Config(Options):
        power: float = 1.0
        """Power of the weights."""
        other: int = 0
        """Not read."""

    prepares = ("power",)

    def prepare(self, catalogue):
        lengths = np.array([len(name) for name in catalogue.items.names()], np.float32)
        return {"lengths": lengths**self.config.power}

    def fit(self, data, rng):
        super().fit(data, rng)
        self._together["items"] = self._together["items"] * self.prepared(data)["lengths"]
        return self


class TestPreparesContract(ComponentContract):
    component = Prepares
    configs = ({}, {"power": 2, "other": 3})


class Validates(Good):
    """Ranks a validation split before it learns from everything."""

    validates = True

    def fit(self, data, rng):
        if self.validation is None:
            return super().fit(data, rng)
        super().fit(self.validation.train, rng)
        assert 0 <= self.validation.ndcg(self) <= 1
        return super().fit(data, rng)


class TestValidatesContract(ComponentContract):
    component = Validates


class NeedsASplit(Validates):
    def fit(self, data, rng):
        return super().fit(self.validation.train, rng)


class PreparesInteractions(Prepares):
    def prepare(self, catalogue):
        return {"lengths": catalogue.interactions.matrix(binary=True).sum(axis=0).A1}


class PreparesAtRandom(Prepares):
    def prepare(self, catalogue):
        return {"lengths": np.random.default_rng().random(len(catalogue.items))}


class PreparesMoreThanItSays(Prepares):
    prepares = ()


class PreparesAnObject(Prepares):
    def prepare(self, catalogue):
        return {"lengths": 1.0}


class FitsOtherwiseAlone(Prepares):
    def prepared(self, data):
        return {"lengths": np.float32(self._from_catalogue is None)}


class ShowsItsFit(Good):
    """A class whose figures are gone with the fit."""

    def fit(self, data, rng):
        self._fitted = True
        return super().fit(data, rng)

    def figures(self, data):
        return [CurveFigure("c", "x", "y", [(1, 2)])] if hasattr(self, "_fitted") else []


class ShowsNothing(Good):
    def figures(self, data):
        return [TableFigure("t", ["a"], [])]


class WideClusters(Good):
    def clusters(self, target):
        return np.zeros(self._together[target].shape[1], np.int64)


class NegativeClusters(Good):
    def clusters(self, target):
        return np.full(self._together[target].shape[1], -2, np.int32)


class CountsOthers(ToyVectors):
    def embeddings(self, data):
        tags = super().embeddings(data)["tags"]
        return {"tags": replace(tags, counts=np.ones(3, np.int64))}


class HasTwoSpaces(ToyVectors):
    def embeddings(self, data):
        kinds = super().embeddings(data)
        return kinds | {"tags": replace(kinds["tags"], vectors=kinds["tags"].vectors[:, :2])}


BROKEN = [
    (Undocumented, "test_config_fields_are_documented", "factors"),
    (Nameless, "test_has_a_name_and_a_version", "name is empty"),
    (SharesABuffer, "test_threads_do_not_meet", "several threads"),
    (TellsNoMemory, "test_memory_is_as_estimated", r"`fit` took \d+ MB, and `memory` says 0 MB: the budget would not"),
    (TellsTooMuchMemory, "test_memory_is_as_estimated", "says 4,000 MB: fits with room are refused"),
    (NoTarget, "test_declares_what_it_serves", "no target"),
    (WrongNeeds, "test_declares_what_it_serves", "Moods"),
    (WideIds, "test_candidates_are_well_formed", "int64"),
    (Repeats, "test_candidates_are_well_formed", "twice"),
    (ScoredPadding, "test_candidates_are_well_formed", "padding"),
    (NeverMoreThanTheCatalogue, "test_candidates_are_well_formed", "shape"),
    (DoubleScores, "test_scores_are_well_formed", "float64"),
    (ScoresPadding, "test_scores_are_well_formed", "padding"),
    (TwoScales, "test_scores_agree_with_candidates", "score .* where .* is expected"),
    (ProposesNothing, "test_has_an_opinion", "proposes nothing"),
    (HasNoOpinion, "test_has_an_opinion", "every score is NaN"),
    (RanksTheGiven, "test_score_of_a_pair_does_not_depend_on_the_others", "score .* where .* is expected"),
    (LooksAround, "test_batch_and_one_by_one_agree", "score .* where .* is expected"),
    (Unseeded, "test_same_seed_same_result", "'items' differs"),
    (NeedsAQuery, "test_empty_batch", "zero-size"),
    (CountsRows, "test_unknown_ids_are_as_no_ids", "unknown ids"),
    (ServesMoreThanItSays, "test_serves_what_it_says", "without items"),
    (ServesLessThanItSays, "test_serves_what_it_says", "`needs` is empty"),
    (ScoresLessThanItSays, "test_serves_what_it_says", "`needs` is empty, but a query got no scores"),
    (IgnoresExcludedRows, "test_exclude_is_honoured", "which is excluded"),
    (IgnoresExcludedIds, "test_exclude_is_honoured", "which is excluded"),
    (IgnoresExcludedIds, "test_everything_excluded", "every id is excluded"),
    (ForgetsTheRest, "test_exclude_is_honoured", "only one of the two has an opinion"),
    (Pickles, "test_state_survives_a_file", "Python objects"),
    (KeepsANumber, "test_same_seed_same_result", "'scale' must be a numpy array, not float"),
    (KeepsANumber, "test_state_survives_a_file", "'scale' must be a numpy array, not float"),
    (Forgets, "test_state_survives_a_file", "after restore"),
    (ShowsItsFit, "test_shows_the_same_after_restore", "other figures after restore"),
    (ShowsNothing, "test_shows_the_same_after_restore", "0 rows"),
    (WideClusters, "test_shows_the_same_after_restore", "must be int32, not int64"),
    (NegativeClusters, "test_shows_the_same_after_restore", "a cluster is -2"),
    (WritesToTheData, "test_does_not_write_to_its_input", "read-only"),
    (WritesToTheQueries, "test_does_not_write_to_its_input", "read-only"),
    (UnlocksTheData, "test_does_not_write_to_its_input", "changed what it was given: data.interactions.weights"),
    (CastsIds, "test_wide_ids_are_refused_or_served", "float64"),
    (DividesByTags, "test_edge_datasets", "division"),
    (SaysTooLittle, "test_edge_datasets", "too short"),
    (CountsOthers, "test_embeddings_are_well_formed", "embeddings: tags: other counts"),
    (HasTwoSpaces, "test_embeddings_are_well_formed", "no two kinds compare"),
    (KnowsNothingNew, "test_takes_up_data_that_grew", "never proposes an id that is new"),
    (NeedsASplit, "test_fits_without_a_validation_split", "'NoneType' object has no attribute 'train'"),
    (PreparesInteractions, "test_prepares_the_catalogue_alone", "'lengths' depends on more than the catalogue"),
    (PreparesAtRandom, "test_prepares_the_catalogue_alone", "'lengths' depends on more than the catalogue"),
    (PreparesMoreThanItSays, "test_prepares_the_catalogue_alone", "'lengths' depends on more than .* `prepares`"),
    (PreparesAnObject, "test_prepares_the_catalogue_alone", "'lengths' must be a numpy array"),
    (FitsOtherwiseAlone, "test_prepares_the_catalogue_alone", "'items' differs if the catalogue is prepared"),
    (Contrary, "test_learns_the_checkerboard", "even and an odd query"),
]


def run_check(component, check):
    """Call one check of the suite as pytest would."""
    test = type("TestIt", (ComponentContract,), {"component": component, "learns_the_checkerboard": ("items",)})()
    method = getattr(test, check)
    options = {"power": 2.0} if issubclass(component, Prepares) else {}
    given = {"options": options, "k": 100, "edge": "no tags"}
    method(**{name: given[name] for name in inspect.signature(method).parameters})


@pytest.mark.parametrize(
    ("component", "check", "message"), BROKEN, ids=[f"{broken.__name__}-{check}" for broken, check, _ in BROKEN]
)
def test_each_check_catches_a_component_that_breaks_it(component, check, message):
    run_check(Good, check)
    with pytest.raises((AssertionError, AttributeError, PluginError, ArithmeticError, ValueError), match=message):
        run_check(component, check)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the peak of a process")
def test_memory_that_numpy_does_not_count_is_seen():
    with pytest.raises(AssertionError, match=r"`fit` took \d+ MB, and `memory` says 75 MB: the budget would not hold"):
        run_check(HoldsMemoryOfItsOwn, "test_memory_is_as_estimated")


def test_every_check_has_a_component_that_breaks_it():
    checks = {name for name in dir(ComponentContract) if name.startswith("test_")}
    assert checks == {check for _, check, _ in BROKEN}


class TestVectorsOfOtherData(ComponentContract):
    """A vector model with data of its own for the checks: its embeddings are asked for on that data."""

    component = type(
        "OtherVectors", (ToyVectors,), {"check_data": classmethod(lambda cls: toy_dataset(users=40, items=30, tags=11))}
    )
