"""Pipelines, which generate and merge candidates, score and re-rank them, cut the slate and fill it by a fallback."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from hybridrec.data.queries import QueryBatch
from hybridrec.data.ragged import offsets_of
from hybridrec.errors import ConfigError
from hybridrec.stages import kernels
from hybridrec.stages.candidates import Candidates, Exclude
from hybridrec.stages.checks import (
    check_candidates,
    check_exclude,
    check_excluded,
    check_propensities,
    check_ranked,
    check_scores,
)
from hybridrec.stages.component import Component, Generator, Reranker, Scorer
from hybridrec.stages.filter import Filter
from hybridrec.stages.pool import PROPENSITY, Pool
from hybridrec.stages.slate import Slate
from hybridrec.stages.tolerance import Tolerance, ask, reranker_label
from hybridrec.tracing import calling
from hybridrec.types import ITEMS, PADDING, Bools, Field, Floats, Ints, Target

T = TypeVar("T")
BLEND = "blend"
"""The `served_by` of a query that the pipeline's own generators served without using any of its fields.

Otherwise "blend:user", "blend:items", ...: the first field, in the order of `served_fields`, that the query has and
that a generator which proposed candidates for it `needs`.
"""
FEW = "few-items"
"""The field in `served_by` for generators that serve short histories only."""
NOBODY = "none"
"""The `served_by` of a query without any recommendation (no generator and no fallback has any for it)."""

Memo: TypeAlias = dict[object, Candidates]
"""Candidates already generated for a block of queries, shared by pipelines with the same generators."""


@dataclass(frozen=True, slots=True)
class Source:
    """A generator in a pipeline, with the number `k` of candidates that it proposes for a query.

    It is asked for queries that pass all gates `when`, such as `has-tags`.
    """

    label: str
    generator: Generator
    k: int
    when: tuple[str, ...] = ()

    def active(self, queries: QueryBatch, served: Bools) -> Bools:
        """Return bool[Q]: true for queries that pass all gates.

        `served`, bool[Q], is true for queries that have a candidate of an earlier source; the gate `cold` is open for
        the others.
        """
        active = np.ones(len(queries), bool)
        for gate in self.when:
            active &= ~served if gate == "cold" else _open(gate, queries)
        return active

    def serves_by(self, name: str) -> bool:
        """Return True if the generator reads the field of queries called `name`, one of `served_fields`.

        A generator whose gate `items<N` limits it to short histories reads `few-items` in place of `items`.
        """
        if name in (ITEMS, FEW):
            few = any(gate.startswith("items<") for gate in self.when)
            return self.generator.reads(ITEMS) and few == (name == FEW)
        return self.generator.reads(name)


def _open(gate: str, queries: QueryBatch) -> Bools:
    """Return bool[Q]: true for queries that pass a gate.

    The gate `has-tags` lets queries pass that have tags; `items<5` and `items>=5` bound the length of the history.
    """
    if gate.startswith("has-"):
        return queries.has(gate.removeprefix("has-"))
    number = int(gate.partition("=" if ">=" in gate else "<")[2])
    return (queries.history.lengths >= number) == (">=" in gate)


class Filters(tuple[Filter, ...]):
    """The fitted filters of a pipeline: restrictions on its recommendations."""

    __slots__ = ()

    def exclude(self, queries: QueryBatch, target: Target, candidate_items: Bools | None = None) -> Exclude:
        """Return the exclusion of all ids that any of the filters excludes.

        For the target items, all items but the `candidate_items`, bool[I], are excluded, too.
        """
        exclude = Exclude(ids=~candidate_items if target == ITEMS and candidate_items is not None else None)
        for each in self:
            with calling(each, f"while filtering {target}"):
                given = each.exclude(queries, target)
                check_exclude(given, len(queries), queries.width(target))
            exclude = exclude.also(given)
        return exclude


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Generators, scorers and re-rankers under one name, all fitted on the same training part."""

    name: str
    sources: tuple[Source, ...]
    scorers: tuple[tuple[str, Scorer], ...]
    rerankers: dict[Target, tuple[Reranker, ...]]
    fallback: tuple[tuple[str, Generator], ...]
    filters: Filters = field(default_factory=Filters)
    tolerance: Tolerance | None = None
    """None to raise the errors of components; with a tolerance they cost the opinion of the component."""

    def generate(self, queries: QueryBatch, target: Target, exclude: Exclude, memo: Memo | None = None) -> Pool:
        """Generate and merge candidates (first stage); each column of the pool holds the scores of a generator.

        Candidates that are in `memo` are taken from there, and others are added to it.
        """
        memo = {} if memo is None else memo
        sources = [source for source in self.sources if source.generator.recommends(target)]
        if not sources:
            return Pool.empty(target, len(queries))
        lists: list[tuple[Ints, Floats]] = []
        served = np.zeros(len(queries), bool)
        for source in sources:
            proposed = self._candidates(source, queries, target, exclude, source.active(queries, served), memo)
            served |= (proposed.ids != PADDING).any(axis=1)
            lists.append((proposed.ids, proposed.scores))
        ids, bits, own, ranks = kernels.merge(lists)
        labels = tuple(source.label for source in sources)
        columns, places = (dict(zip(labels, arrays, strict=True)) for arrays in (own, ranks))
        return Pool(target, ids, labels, bits, columns, places=places)

    def score(self, queries: QueryBatch, pool: Pool) -> Pool:
        """Score every candidate by every scorer (second stage).

        A scorer adds a column named by its label, or if it has several columns, each under the name `label.name`.
        """
        columns, places = dict(pool.columns), dict(pool.places)
        for label, scorer in self.scorers:
            if scorer.recommends(pool.target):
                silence = partial(_no_opinion, scorer, pool)
                work = partial(_scored, label, scorer, queries, pool)
                scores = self._ask("scorer", label, scorer, work, silence)
                if not scorer.columns:
                    columns[label] = scores
                    places.pop(label, None)
                for name, values in zip(scorer.columns, scores if scorer.columns else (), strict=True):
                    if f"{label}.{name}" in columns:
                        raise ConfigError(f"the pool has a column '{label}.{name}' already: choose another label")
                    columns[f"{label}.{name}"] = np.ascontiguousarray(values)
        return replace(pool, columns=columns, places=places)

    def slate(
        self, queries: QueryBatch, target: Target, n: int, exclude: Exclude | None = None, memo: Memo | None = None
    ) -> Slate:
        """Run all stages, from generators to fallback, and return the n best ids for each query.

        The ids in `exclude` are not recommended; by default they are the ids that the filters exclude.
        """
        return self.answer(queries, target, n, exclude, memo)[1]

    def answer(
        self, queries: QueryBatch, target: Target, n: int, exclude: Exclude | None = None, memo: Memo | None = None
    ) -> tuple[Pool, Slate]:
        """Return the slates of `slate` and the pool from which they are made: scored, but not yet ranked."""
        exclude = self.filters.exclude(queries, target) if exclude is None else exclude
        pool = self.score(queries, self.generate(queries, target, exclude, memo))
        return pool, self.complete(queries, self.rank(queries, pool, n), n, exclude)

    def rank(self, queries: QueryBatch, pool: Pool, n: int) -> Pool:
        """Rank the pool by the chain of re-rankers (third stage) of its target.

        Without re-rankers, the only column of the pool is the final score. Raises ConfigError if the pool has several
        columns and no re-ranker fuses them; with a tolerance, the pool is then emptied, so that the fallback answers.
        """
        if not pool.columns:  # only the fallback recommends the target: there is nothing to order
            return pool.ranked(np.empty(pool.ids.shape, np.float32))
        pool = self.reranked(queries, pool, n, self.rerankers.get(pool.target, ()))
        if self.tolerance is not None and self.tolerance.silent and not _ordered(pool):
            empty = Pool.empty(pool.target, len(queries))
            return empty.ranked(np.empty(empty.ids.shape, np.float32))
        if pool.final is not None:
            return pool
        if pool.ids.shape[1] and len(pool.columns) != 1:
            raise ConfigError(f"pipeline '{self.name}': no re-ranker fused the columns {', '.join(pool.columns)}")
        return pool.ranked(pool.fused())

    def reranked(self, queries: QueryBatch, pool: Pool, n: int, chain: Sequence[Reranker]) -> Pool:
        """Apply a chain of re-rankers to the pool, one after the other; a policy also adds `propensity` to `extras`."""
        for reranker in chain:
            if reranker.stochastic and queries.ids is None:
                raise ConfigError(f"pipeline '{self.name}' draws its slates: give the batch of queries `ids`")
            work = partial(_reranked, reranker, queries, pool, n)
            same = partial(_unchanged, pool)
            pool = self._ask("re-ranker", reranker.name, reranker, work, same)
        return pool

    def reads(self, name: Field, target: Target) -> bool:
        """Return True if a component that recommends the target reads the field of queries called `name`.

        The generators, the scorers and the fallback are examined, but not the re-rankers.
        """
        generators = [source.generator for source in self.sources]
        stages: list[Component] = [*generators, *(each for _, each in (*self.scorers, *self.fallback))]
        return any(component.recommends(target) and component.reads(name) for component in stages)

    def draws(self, target: Target) -> bool:
        """Return True if the slates for the target are drawn at random."""
        return any(reranker.stochastic for reranker in self.rerankers.get(target, ()))

    def propensities(self, queries: QueryBatch, pool: Pool, own: Slate, ids: Ints) -> Floats:
        """Return the probability of each id of some slates at its place, given the ids before it: float32 [Q, n].

        `ids`, int32 [Q, n], are the slates; any pipeline may have made them. `pool` is the scored pool of this
        pipeline, and `own` is the slate that this pipeline made from it. Places that the fallback fills, and all places
        of a pipeline without a policy, are not drawn at random: an id there has probability 1 if `own` has the same id
        at this place, else 0. The result is NaN at padding.
        """
        certain = (ids == own.ids).astype(np.float32)
        if self.draws(pool.target):
            *before, policy = self.rerankers[pool.target]
            given = self.reranked(queries, pool, ids.shape[1], before)
            with calling(policy, f"in pipeline '{self.name}', re-ranker '{policy.name}'"):
                drawn = policy.propensities(queries, given, ids)
                check_propensities(drawn, ids)
            beyond = np.arange(ids.shape[1]) >= pool.valid.sum(axis=1)[:, None]
            certain = np.where(beyond, certain, drawn)
        return np.where(ids == PADDING, np.float32(np.nan), certain)

    def complete(self, queries: QueryBatch, pool: Pool, n: int, exclude: Exclude) -> Slate:
        """Return the n best ids of a ranked pool as a slate; the fallback fills the rows with fewer than n ids.

        The generators of the fallback are asked in order, until all rows are full.
        """
        slate = self._named(queries, pool, slate_of(pool, n))
        for label, generator in self.fallback:
            short = np.flatnonzero((slate.ids == PADDING).any(axis=1))
            if not generator.recommends(pool.target) or not len(short):
                continue
            # A short row holds all candidates of its pool: ranked another way it has the same ids in another order and
            # lacks the same ones, so the sorted ids are the key.
            depends = (generator, n, exclude, short.tobytes(), np.sort(slate.ids[short], axis=1).tobytes())
            propose = partial(self._propose, label, generator, queries, slate, short, exclude)
            slate = _fill(slate, short, pool.cached(("fallback", label), depends, propose).ids, label)
        return replace(slate, requests=queries.ids) if self.draws(pool.target) else slate

    def _propose(
        self,
        label: str,
        generator: Generator,
        queries: QueryBatch,
        slate: Slate,
        short: NDArray[np.integer],
        exclude: Exclude,
    ) -> Candidates:
        """Return candidates of a fallback for the rows `short` of a slate, without the ids that are already there."""
        n, size = slate.ids.shape[1], queries.width(slate.target)
        taken = _also(exclude.take(short), slate.ids[short], size)
        work = partial(_proposed, generator, queries.take(short), n, slate.target, taken)
        return self._ask("fallback", label, generator, work, partial(Candidates.empty, len(short), n))

    def _named(self, queries: QueryBatch, pool: Pool, slate: Slate) -> Slate:
        """Return the slate with new `served_by` and `servers`, which tell by which field each query was served."""
        servers = (*slate.servers, *(f"{BLEND}:{name}" for name in served_fields(queries)))
        # A row of a slate is empty if that of the pool is, so what served a query does not depend on the order.
        served_by = pool.cached("servers", self.sources, partial(self._served_by, queries, pool, slate))
        return replace(slate, served_by=served_by, servers=servers)

    def _served_by(self, queries: QueryBatch, pool: Pool, slate: Slate) -> NDArray[np.int8]:
        """Return the new `served_by` of the slate: int8[Q], for each query an index in the new `servers`.

        The new `servers` are those of the slate, followed by one for each of `served_fields`.
        """
        served_by = slate.served_by.copy()
        proposed = {source: _served(pool, source.label) for source in self.sources if source.label in pool.generators}
        for code, name in reversed(list(enumerate(served_fields(queries), start=len(slate.servers)))):
            serving = [served for source, served in proposed.items() if source.serves_by(name)]
            if serving:
                told = queries.has(name.removeprefix("few-")) & (slate.served_by != 0)
                for served in serving:
                    served_by[served & told] = code
        return served_by

    def _candidates(
        self, source: Source, queries: QueryBatch, target: Target, exclude: Exclude, active: Bools, memo: Memo
    ) -> Candidates:
        """Return the candidates of a source, from `memo` if it has them; others are added to `memo`.

        `active`, bool[Q], is true for the queries for which the source is asked; the rows of other queries are empty.
        """
        # The objects, not their id(): the memo keeps them alive, so that no other object can get the same id.
        key = (source.generator, source.k, target, exclude, active.tobytes())
        if key in memo:
            return memo[key]
        rows = np.flatnonzero(active)
        if not len(rows):
            return Candidates.empty(len(queries), source.k)
        everyone = len(rows) == len(queries)
        asked, barred = (queries, exclude) if everyone else (queries.take(rows), exclude.take(rows))
        work = partial(_proposed, source.generator, asked, source.k, target, barred)
        silence = partial(Candidates.empty, len(rows), source.k)
        proposed = self._ask("generator", source.label, source.generator, work, silence)
        if not everyone:
            partial_rows, proposed = proposed, Candidates.empty(len(queries), source.k)
            proposed.ids[rows], proposed.scores[rows] = partial_rows.ids, partial_rows.scores
        memo[key] = proposed
        return proposed

    def _ask(self, stage: str, label: str, component: Component, work: Callable[[], T], silence: Callable[[], T]) -> T:
        """Return the result of `work`, a call into a component, or of `silence` if the tolerance says so."""
        name = reranker_label(label) if stage == "re-ranker" else label
        return ask(self.tolerance, name, component, f"in pipeline '{self.name}', {stage} '{label}'", work, silence)


def _proposed(generator: Generator, queries: QueryBatch, k: int, target: Target, exclude: Exclude) -> Candidates:
    """Return the checked candidates of a generator."""
    proposed = generator.candidates(queries, k, target, exclude)
    check_candidates(proposed, len(queries), k, queries.width(target))
    check_excluded(proposed, exclude)
    return proposed


def _scored(label: str, scorer: Scorer, queries: QueryBatch, pool: Pool) -> Floats:
    """Return the checked scores of a scorer: float32 [Q, K], or [C, Q, K] if it has C columns."""
    scores = scorer.score(queries, pool.ids, pool.target)
    check_scores(scores, pool.ids, scorer.columns, None if scorer.columns else pool.columns.get(label))
    return scores


def _no_opinion(scorer: Scorer, pool: Pool) -> Floats:
    """Return scores in the shape that `_scored` returns, all of them NaN."""
    columns = (len(scorer.columns),) if scorer.columns else ()
    return np.full((*columns, *pool.ids.shape), np.nan, np.float32)


def _reranked(reranker: Reranker, queries: QueryBatch, pool: Pool, n: int) -> Pool:
    """Return the checked pool as a re-ranker orders it, with `propensity` among the `extras` if it draws."""
    ranked = reranker.rerank(queries, pool, n)
    check_ranked(ranked, pool)
    return _with_propensities(reranker, queries, pool, ranked, n) if reranker.stochastic else ranked


def _unchanged(pool: Pool) -> Pool:
    return pool


def _ordered(pool: Pool) -> bool:
    """Return True if a ranked pool has an order that some opinion made."""
    if not any(not np.isnan(values).all() for values in pool.columns.values()):
        return False
    return pool.final is not None or len(pool.columns) == 1


def _served(pool: Pool, label: str) -> Bools:
    """Return bool[Q]: true for queries with a candidate of this generator."""
    served: Bools = np.logical_or.reduce(pool.proposed_by(label), axis=1)
    return served


def served_fields(queries: QueryBatch) -> tuple[Field, ...]:
    """Return the fields of queries that `Slate.served_by` may name, in order of preference.

    If generators use several of these fields of a query, `served_by` names the first of them.
    """
    return ("user", ITEMS, FEW, *queries.entities, "title")


def slate_of(pool: Pool, n: int) -> Slate:
    """Return the n best of a ranked pool as a slate; ties go to the lower id. Raises ValueError if `final` is None."""
    if pool.final is None:
        raise ValueError("the pool has no final score yet")
    # Padding is NaN, which comes last.
    best = kernels.order(pool.final, n)
    places = best + (np.arange(len(best)) * pool.ids.shape[1])[:, None]  # flat indices: the fastest gather
    shown = pool.final if pool.scores is None else pool.scores
    ids, scores = pool.ids.reshape(-1).take(places), shown.reshape(-1).take(places)
    if best.shape[1] < n:
        missing = [(0, 0), (0, n - best.shape[1])]
        ids = np.pad(ids, missing, constant_values=PADDING)
        scores = np.pad(scores, missing, constant_values=np.nan)
    served_by = (ids != PADDING).any(axis=1).astype(np.int8)
    extras = {}
    for name, values in pool.extras.items():
        extras[name] = np.full(ids.shape, np.nan, np.float32)
        extras[name][:, : best.shape[1]] = values.reshape(-1).take(places)
    return Slate(pool.target, ids, scores, served_by, (NOBODY, BLEND), extras=extras)


def _with_propensities(policy: Reranker, queries: QueryBatch, pool: Pool, drawn: Pool, n: int) -> Pool:
    """Add the probabilities of its n best ids to `drawn`, a pool in the order that a policy drew, and return it.

    They become the column `propensity` of `extras`. `pool` is the pool before the policy ordered it.
    """
    if drawn.final is None or not pool.ids.shape[1]:
        return drawn
    best = kernels.order(drawn.final, n)
    ids = np.take_along_axis(pool.ids, best, axis=1)
    propensities = policy.propensities(queries, pool, ids)
    check_propensities(propensities, ids)
    by_candidate = np.full(pool.ids.shape, np.nan, np.float32)
    np.put_along_axis(by_candidate, best, np.where(ids == PADDING, np.float32(np.nan), propensities), axis=1)
    return replace(drawn, extras={**drawn.extras, PROPENSITY: by_candidate})


def _fill(slate: Slate, rows: NDArray[np.integer], more: Ints, label: str) -> Slate:
    """Fill the given `rows` of a slate with the ids `more`, best first; rows that were empty become served by `label`.

    `more`, int32 with one row for each of `rows`, is padded with -1.
    """
    ids, scores, served_by = slate.ids.copy(), slate.scores.copy(), slate.served_by.copy()
    n = ids.shape[1]
    joined = np.concatenate([ids[rows], more], axis=1)
    packed = np.argsort(joined == PADDING, axis=1, kind="stable")[:, :n]
    was_empty = served_by[rows] == 0
    ids[rows] = np.take_along_axis(joined, packed, axis=1)
    servers = (*slate.servers, label)
    served_by[rows] = np.where(was_empty & (ids[rows, 0] != PADDING), len(servers) - 1, served_by[rows])
    extras = slate.extras
    if PROPENSITY in extras:  # nothing else can follow: it is certain
        sure = np.where((slate.ids == PADDING) & (ids != PADDING), np.float32(1), extras[PROPENSITY])
        extras = {**extras, PROPENSITY: sure}
    return replace(slate, ids=ids, scores=scores, served_by=served_by, servers=servers, extras=extras)


def _also(exclude: Exclude, ids: Ints, width: int) -> Exclude:
    """Return an exclusion that also excludes `ids`, int32 [Q, n], for their query; `width` is the vocabulary's size."""
    lengths = (ids != PADDING).sum(axis=1)
    ones = np.ones(int(lengths.sum()), np.float32)
    taken = csr_matrix((ones, ids[ids != PADDING], offsets_of(lengths)), shape=(len(ids), width))
    return replace(exclude, rows=taken if exclude.rows is None else (exclude.rows + taken).tocsr())
