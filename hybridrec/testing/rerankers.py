"""The contract suite of re-rankers: the checks that they must pass."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, ClassVar, cast

import numpy as np

from hybridrec.data.frozen import frozen_csr
from hybridrec.data.queries import QueryBatch
from hybridrec.errors import HybridrecError
from hybridrec.stages import kernels
from hybridrec.stages.checks import check_propensities, check_ranked, check_self
from hybridrec.stages.component import Reranker
from hybridrec.stages.pool import Pool
from hybridrec.testing._helpers import (
    assert_unchanged,
    contents,
    fitted,
    identical,
    read_only,
    through_a_file,
    toy,
)
from hybridrec.testing.base_models import BaseModelContract
from hybridrec.testing.datasets import csr_of, toy_dataset
from hybridrec.types import PADDING, Doubles, Floats, Ints, Sparse

_REQUESTS = 2000
"""Number of draws of a policy; five standard errors of a share of the draws are then at most 0.06."""


@lru_cache(maxsize=64)
def _shared(contract: Callable[[], RerankerContract], reranker: type[Reranker], options: str) -> Reranker:
    """Return a re-ranker of this class with these options (JSON), fitted once for all checks of a contract."""
    return contract()._trained(json.loads(options))


class RerankerContract(BaseModelContract):
    """The contract suite of re-rankers, with a named check for each requirement.

    reranker: the class under test
    configs: the options to test it with, one dict each, as in the YAML
    base_model, base_options: class and options of the component that is passed to the re-ranker, if its options name
        a component; by default a class that has vectors
    columns: the labels of the columns of the test pool, needed if the options name columns; by default the pool has two
        columns, or one column for a re-ranker that does not fuse
    """

    role = "reranker"
    reranker: ClassVar[type[Reranker]]
    columns: ClassVar[tuple[str, ...]] = ()

    def model(self, options: Mapping[str, Any]) -> Reranker:
        """Return the fitted re-ranker, which is shared by all checks that do not fit it again."""
        cls: Any = type(self)
        return _shared(cls, self.reranker, json.dumps(dict(options)))

    def _trained(self, options: Mapping[str, Any]) -> Reranker:
        """Return a new re-ranker, fitted on the data of the checks.

        If it learns, it is also fitted on the scores in `pool()` with the random truth of `lesson()`.
        """
        made: Reranker = fitted(self.made(options, self.lent(options, self.data())), self.data())
        if made.learns:
            check_self(made, "fit_on_predictions", made.fit_on_predictions(self.queries(), self.pool(), *self.lesson()))
        return made

    def lesson(self) -> tuple[Sparse, Doubles, Ints]:
        """Return the truth, weights and units of `queries()`, the arguments from which a re-ranker learns.

        They are csr [Q, N], float64 [Q] and int32 [Q].
        """
        n = len(self.queries())
        truth = frozen_csr(csr_of(np.random.default_rng(2).random((n, len(self.data().items))) < 0.2))
        return truth, read_only(np.ones(n)), read_only(np.arange(n, dtype=np.int32))

    def prepare(self, options: Mapping[str, Any]) -> None:
        """Fit the re-ranker once, since all checks need a fitted re-ranker."""
        self.model(options)

    def queries(self) -> QueryBatch:
        """Return a batch with all kinds of queries; they have ids, on which the draws of a policy depend."""
        queries = super().queries()
        return replace(queries, ids=tuple(f"request {row}" for row in range(len(queries))))

    def pool(self) -> Pool:
        """Build a pool for `queries()`.

        Two rows are full, one row is empty, and the other rows are shorter. Every second column lacks some scores.
        """
        labels = self.columns or (("only",) if self.reranker.fuses is False else ("first", "second"))
        rng, n, items = np.random.default_rng(1), len(self.queries()), len(self.data().items)
        shuffled = rng.permuted(np.tile(np.arange(items, dtype=np.int32), (n, 1)), axis=1)[:, :12]
        kept = np.arange(12) < np.concatenate(([12, 12, 0], rng.integers(1, 12, n - 3)))[:, None]
        ids = np.sort(np.where(kept[:, : shuffled.shape[1]], shuffled, items), axis=1)
        ids = np.where(ids < items, ids, PADDING).astype(np.int32)
        sources = np.where(ids == PADDING, 0, rng.integers(1, 2 ** len(labels), ids.shape)).astype(np.uint64)
        columns = {label: _column(rng, ids, gaps=place % 2 == 1) for place, label in enumerate(labels)}
        return Pool("items", ids, labels, sources, columns)

    def test_declares_what_it_serves(self, options: Mapping[str, Any]) -> None:
        """Require valid `targets` and `learns`."""
        model: Reranker = self.made(options)
        assert isinstance(model, Reranker), "not a Reranker"
        assert model.targets, "has no target"
        assert isinstance(model.learns, bool), "`learns` is neither true nor false"

    def test_declares_whether_it_fuses(self, options: Mapping[str, Any]) -> None:
        """Require `fuses` to be true if the re-ranker orders a pool of several unfused columns, else false."""
        model, pool = self.model(options), self.pool()
        several = replace(pool, columns={**pool.columns, "another": next(iter(pool.columns.values()))})
        given = several if len(pool.columns) == 1 else pool
        try:
            fuses = model.rerank(self.queries(), given, 5).final is not None
        except HybridrecError:
            fuses = False
        does = "orders" if fuses else "does not order"
        assert model.fuses is fuses, f"`fuses` is {model.fuses}, but it {does} several unfused columns"

    def test_final_is_well_formed(self, options: Mapping[str, Any]) -> None:
        """Require the same candidates with scores `final` to be returned, whatever n is.

        `final` is float32 [Q, K], NaN at padding and never infinite.
        """
        pool = self.pool()
        for n in (1, 5, 100):
            check_ranked(ranked := self.model(options).rerank(self.queries(), pool, n), pool)
            assert ranked.final is not None, "wrote no `final`"

    def test_reorders_a_fused_pool(self, options: Mapping[str, Any]) -> None:
        """Require the re-ranker to accept a pool that already has `final`, the scores of a re-ranker before it."""
        pool = self.pool()
        fused = pool.ranked(next(iter(pool.columns.values())))
        check_ranked(self.model(options).rerank(self.queries(), fused, 5), fused)

    def test_nobody_has_an_opinion(self, options: Mapping[str, Any]) -> None:
        """Require a re-ranker to accept columns without scores, a pool without candidates, and an empty batch.

        A re-ranker that does not fuse gets, beside the columns without scores, an order to change (`final`).
        """
        model, queries, pool = self.model(options), self.queries(), self.pool()
        silent = replace(pool, columns={label: np.full_like(own, np.nan) for label, own in pool.columns.items()})
        if model.fuses is False:
            silent = silent.ranked(next(iter(pool.columns.values())))
        nothing = np.empty((len(queries), 0), np.float32)
        bare = Pool(
            "items",
            nothing.astype(np.int32),
            pool.generators,
            nothing.astype(np.uint64),
            dict.fromkeys(pool.columns, nothing),
        )
        nobody = pool.take(slice(0, 0))
        for asked, given in (
            (queries, silent),
            (queries, bare),
            (queries.take(slice(0, 0)), nobody),
        ):
            check_ranked(model.rerank(asked, given, 5), given)

    def test_batch_and_one_by_one_agree(self, options: Mapping[str, Any]) -> None:
        """Require an order that does not depend on the rest of the batch."""
        model, queries, pool = self.model(options), self.queries(), self.pool()
        together = model.rerank(queries, pool, 5).final
        assert together is not None, "wrote no `final`"
        for row in range(len(queries)):
            only = slice(row, row + 1)
            alone = model.rerank(queries.take(only), pool.take(only), 5).final
            assert alone is not None, "wrote no `final` for a single query"
            assert np.allclose(alone, together[only], rtol=1e-4, atol=1e-5, equal_nan=True), (
                f"query {row}: {alone[0]} when it is asked alone, {together[row]} in a batch"
            )

    def test_contributions_sum_to_final(self, options: Mapping[str, Any]) -> None:
        """Require the contributions of columns, if there are any, to sum to `final`."""
        model, queries, pool = self.model(options), self.queries(), self.pool()
        parts = model.contributions(queries, pool)
        if parts:
            final = model.rerank(queries, pool, 5).final
            total = np.sum(list(parts.values()), axis=0)
            assert final is not None, "wrote no `final`"
            assert np.allclose(total[pool.valid], final[pool.valid], rtol=1e-4, atol=1e-5, equal_nan=True), (
                "the contributions do not sum to `final`"
            )

    def test_same_seed_same_result(self, options: Mapping[str, Any]) -> None:
        """Require an identical order from a second instance fitted on the same data."""
        models = (self.model(options), self._trained(options))
        first, again = (model.rerank(self.queries(), self.pool(), 5).final for model in models)
        assert first is not None, "wrote no `final`"
        assert again is not None, "wrote no `final`"
        assert identical(first, again), "another `final` from the same data"

    def test_fit_keeps_what_was_learned(self, options: Mapping[str, Any]) -> None:
        """Require `fit` to keep what was learned, since weights learned on one training part are used on another."""
        model = self._trained(options)
        before = model.rerank(self.queries(), self.pool(), 5).final
        after = fitted(model, self.data()).rerank(self.queries(), self.pool(), 5).final
        assert before is not None, "wrote no `final`"
        assert after is not None, "wrote no `final` when fitted again"
        assert identical(before, after), "another `final` when fitted again on the same data"

    def test_requests_draw_for_themselves(self, options: Mapping[str, Any]) -> None:
        """Require a policy to draw different slates for requests with the same query and different ids.

        Any other re-ranker must give all these requests the same slate.
        """
        model, pool = self.model(options), self.pool().take(np.zeros(_REQUESTS, np.int32))
        final = model.rerank(self._requests(), pool, 5).final
        assert final is not None, "wrote no `final`"
        differ = bool((final != final[0]).any(axis=1, where=~np.isnan(final)).any())
        does = "depends" if differ else "does not depend"
        assert differ is model.stochastic, f"`stochastic` is {model.stochastic}, but its order {does} on `queries.ids`"

    def test_propensities_are_those_of_its_draws(self, options: Mapping[str, Any]) -> None:
        """Require the propensities of a place to sum to 1, and each id to be drawn as often as its propensity says."""
        model = self.model(options)
        if not model.stochastic:
            return
        queries, pool = self._requests(), self.pool().take(np.zeros(_REQUESTS, np.int32))
        final = model.rerank(queries, pool, 5).final
        assert final is not None, "wrote no `final`"
        shown = pool.ids[0][kernels.order(final, 2)]
        candidates = pool.ids[0][pool.valid[0]]
        first = np.full(len(candidates), PADDING, np.int32)
        for place in (0, 1):  # the second one after the first id that was drawn most often
            ids = np.stack(
                (candidates, np.full_like(candidates, PADDING)) if not place else (first, candidates), axis=1
            )
            rows = slice(0, len(candidates))
            given = model.propensities(queries.take(rows), pool.take(rows), np.ascontiguousarray(ids))
            check_propensities(given, ids)
            chances = np.where(candidates == first, 0, given[:, place])
            assert abs(chances.sum() - 1) < 1e-3, f"the propensities of place {place + 1} sum to {chances.sum():.4f}"
            asked = shown[(shown[:, 0] == first[0]) | (place == 0), place]
            counts = (asked[:, None] == candidates).sum(axis=0)
            error = np.sqrt(len(asked) * chances * (1 - chances))
            wrong = np.abs(counts - len(asked) * chances) > 5 * error + 1
            assert not wrong.any(), (
                f"place {place + 1} showed an id {counts[wrong][0]} times in {len(asked)} draws, "
                f"its propensity is {chances[wrong][0]:.3f}"
            )
            first = np.full_like(candidates, candidates[counts.argmax()])

    def _requests(self) -> QueryBatch:
        """Return a batch that has the first query of `queries()` many times, each time with another request id."""
        queries = self.queries().take(np.zeros(_REQUESTS, np.int32))
        return replace(queries, ids=tuple(f"request {row}" for row in range(_REQUESTS)))

    def test_state_survives_a_file(self, options: Mapping[str, Any]) -> None:
        """Require a state without Python objects, which a file can hold.

        A new instance that is restored from the file must give identical results.
        """
        model = self.model(options)
        other = self.made(options, self.lent(options, self.data()))
        check_self(other, "restore", other.restore(through_a_file(model.state())))
        before, after = (m.rerank(self.queries(), self.pool(), 5).final for m in (model, other))
        assert before is not None, "wrote no `final`"
        assert after is not None, "wrote no `final` after restore"
        assert identical(before, after), "another `final` after restore"
        parts, again = (m.contributions(self.queries(), self.pool()) for m in (model, other))
        same = parts.keys() == again.keys() and all(identical(parts[label], again[label]) for label in parts)
        assert same, "other contributions after restore"

    def test_restored_it_can_be_fitted_again(self, options: Mapping[str, Any]) -> None:
        """Require a restored re-ranker to keep what it learned when it is fitted on data again, as in a refresh."""
        model = self.model(options)
        other = self.made(options, self.lent(options, self.data()))
        check_self(other, "restore", other.restore(through_a_file(model.state())))
        before, after = (m.rerank(self.queries(), self.pool(), 5).final for m in (model, fitted(other, self.data())))
        assert before is not None, "wrote no `final`"
        assert after is not None, "wrote no `final` when restored and fitted again"
        assert identical(before, after), "another `final` when restored and fitted again on the same data"

    def test_does_not_write_to_its_input(self, options: Mapping[str, Any]) -> None:
        """Require all arguments (data, queries, pool, truth, ...) to be unchanged: other plugins share them."""
        data = toy_dataset() if self.data() is toy() else self.data()
        handed: dict[str, object] = {"data": data, "queries": self.queries(), "pool": self.pool()}
        lent = self.lent(options, data)
        handed["base_model"] = {} if lent is None else lent.state()
        before = contents(**handed)
        model: Reranker = fitted(self.made(options, lent), data)
        assert_unchanged(before, **handed)
        queries, pool = cast(QueryBatch, handed["queries"]), cast(Pool, handed["pool"])
        if model.learns:
            lesson = self.lesson()
            before = contents(**handed, lesson=dict(enumerate(lesson)))
            check_self(model, "fit_on_predictions", model.fit_on_predictions(queries, pool, *lesson))
            assert_unchanged(before, **handed, lesson=dict(enumerate(lesson)))
        before = contents(**handed)
        model.rerank(queries, pool, 5)
        model.contributions(queries, pool)
        assert_unchanged(before, **handed)


def _column(rng: np.random.Generator, ids: Ints, *, gaps: bool) -> Floats:
    values = rng.normal(size=ids.shape).astype(np.float32)
    silent = (ids == PADDING) | (gaps & (rng.random(ids.shape) < 0.4))
    return np.where(silent, np.nan, values).astype(np.float32)
