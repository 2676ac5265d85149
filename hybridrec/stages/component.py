"""The contracts of the three stages: generators propose, scorers score, re-rankers order."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Self

import numpy as np

from hybridrec.data.dataset import Dataset
from hybridrec.data.queries import QueryBatch
from hybridrec.data.vocabulary import Vocabulary
from hybridrec.plugin import Options, Plugin
from hybridrec.stages import kernels
from hybridrec.stages.candidates import Candidates, Exclude
from hybridrec.stages.pool import Pool
from hybridrec.types import TARGETS, Doubles, Field, Floats, Ints, Sparse, State, Target

_SCORES = 1 << 22
"""Scores of a dense model that exist at once: they stay in the processor's farthest cache."""


class Component(Plugin):
    """Something that is fitted on a training part: a generator, a scorer, a re-ranker, or several of them.

    targets: what it can recommend, of "items" and "tags"
    needs: the query fields of which at least one must be known for the component to have an opinion, of "user",
        "items", "tags" and "title"; an empty set means that it serves every query
    folds_in: whether it serves users it has not seen in training from the history in the query
    refreshes: whether `refresh` takes up data that grew without a full fit
    threads: how many `fit` may use if what it learns is the same for any number; the engine sets it where cores
        are idle
    reads_versions: earlier versions of the class whose state `restore` still takes, and means the same by
    requires: import names of optional libraries it cannot work without, checked before any fit
    install_hint: what to do when one of them is missing, for example "pip install 'hybridrec[implicit]'"

    The first four may be set per instance where they depend on the configuration.
    """

    targets: tuple[Target, ...] = ("items",)
    needs: frozenset[Field] = frozenset()
    folds_in: bool = False
    refreshes: bool = False
    threads: int = 1
    reads_versions: ClassVar[frozenset[str]] = frozenset()
    requires: ClassVar[tuple[str, ...]] = ()
    install_hint: ClassVar[str] = ""

    @abstractmethod
    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Learn from a training part. All randomness comes from `rng`; returns self."""

    @abstractmethod
    def state(self) -> State:
        """Everything learned, as named arrays: what `restore` needs on a fresh instance of the same config."""

    @abstractmethod
    def restore(self, state: State) -> Self:
        """Become the component that gave `state`; scores are identical afterwards. Returns self."""

    def refresh(self, data: Dataset, known: Mapping[Target, Ints], rng: np.random.Generator) -> Self:
        """Take up data that grew, without a full fit: called on a fitted instance where `refreshes` is true.

        `data` is what the training part has become. `known[target]`, int32[N], has the code in it of every id
        the component was fitted on, -1 for those that are gone. All randomness comes from `rng`; returns self.
        """
        raise NotImplementedError(f"{self.name} can only be fitted again")

    def notes(self) -> list[str]:
        """Sentences about what was learned that a reader of the report should not miss; none by default."""
        return []

    def memory(self, data: Dataset) -> int:
        """Estimated peak bytes of fitting on `data`; `check` prints it, the memory budget is held against it."""
        return 0


class Generator(Component):
    """Proposes candidates."""

    @abstractmethod
    def candidates(self, queries: QueryBatch, k: int, target: Target, exclude: Exclude) -> Candidates:
        """The best k ids for each query after `exclude`, ties broken by the lower id."""

    def use(self, model: VectorModel) -> Self:
        """Take the component that an option refers to (`ComponentRef`): fitted on the same training part, before `fit`
        or `restore`, or as yet unfitted, where only what this generator declares is asked.

        Its state belongs to it, and is no part of the state of a generator that uses it.
        """
        raise NotImplementedError(f"{self.name} uses no component")


class Scorer(Component):
    """Scores given candidates; higher is better, the scale is its own, NaN means "no opinion"."""

    @abstractmethod
    def score(self, queries: QueryBatch, ids: Ints, target: Target) -> Floats:
        """float32 [Q, K] for ids int32 [Q, K]; NaN at padding (-1) and where there is no opinion."""


class Reranker(Component):
    """Orders a pool: fuses its columns into `final`, or reorders an already fused one."""

    learns: bool = False
    """True if `learn` must be called before `rerank`, on out-of-sample scores."""
    fuses: bool | None = None
    """Whether it makes `final` of several columns: true for a fusion, false for what reorders a `final` that is there.

    A chain whose first re-ranker does not fuse is refused before anything is fitted. A class that does not say
    may do either, so it is let through, and fails in the run if it cannot; its contract suite asks for the word.
    """

    @abstractmethod
    def rerank(self, queries: QueryBatch, pool: Pool, n: int) -> Pool:
        """The same pool with `final` written; the first n by `final` will become the slate."""

    def learn(self, queries: QueryBatch, pool: Pool, truth: Sparse, weights: Doubles, units: Ints) -> Self:
        """Learn from scores of components that have not seen `truth`, csr [Q, N]; `weights` float64[Q].

        `units`, int32[Q], is the user behind each query, also where the query does not know it: what is
        learned on some and judged on others must not share users. Called once before `rerank` where
        `learns` is true; positives that are not in the pool count as missed.

        `fit` is called before, with the training part of those components, and again afterwards, with
        the one of the components it will re-rank for: what was learned has to stay.
        """
        raise NotImplementedError(f"{self.name} learns nothing")

    def use(self, vectors: Floats) -> Self:
        """Take the vectors, float32 [N, D], of the component that an option refers to (`ComponentRef`); before `fit`.

        A re-ranker with such an option is handed them on every training part, and keeps them in its state.
        """
        raise NotImplementedError(f"{self.name} uses no component")

    def contributions(self, queries: QueryBatch, pool: Pool) -> dict[str, Floats]:
        """Label -> float32 [Q, K]: what each column adds to `final`; they sum to it. Empty if it is no sum."""
        return {}

    def summary(self) -> dict[str, Any]:
        """What was learned, as JSON for the report; nothing by default."""
        return {}

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Statistics of the training part, of items say; most re-rankers take none. Never touches what was learned."""
        return self

    def state(self) -> State:
        """Nothing by default."""
        return {}

    def restore(self, state: State) -> Self:
        """Nothing by default."""
        return self


class DenseModel(Generator, Scorer):
    """A generator and scorer for models that score the whole vocabulary at once.

    A subclass gives `scores`; candidates and scores of pairs follow.
    """

    targets = TARGETS

    @abstractmethod
    def scores(self, queries: QueryBatch, target: Target) -> Floats:
        """float32 [Q, N], a new array (it will be written to); NaN rows for "no opinion"."""

    def candidates(self, queries: QueryBatch, k: int, target: Target, exclude: Exclude) -> Candidates:
        """Exact top k of `scores`."""
        found = Candidates.empty(len(queries), k)
        for rows, part in self._parts(queries, target):
            scores = self.scores(part, target)
            exclude.take(rows).mask(scores)
            found.ids[rows], found.scores[rows] = kernels.top_k(scores, k)
        return found

    def score(self, queries: QueryBatch, ids: Ints, target: Target) -> Floats:
        """Columns of `scores` at `ids`."""
        found = np.empty(ids.shape, np.float32)
        for rows, part in self._parts(queries, target):
            found[rows] = kernels.pick(self.scores(part, target), ids[rows])
        return found

    def _parts(self, queries: QueryBatch, target: Target) -> Iterator[tuple[slice, QueryBatch]]:
        """As many queries at a time as have scores that stay in the cache."""
        width = queries.history.width if target == "items" else queries.tags.shape[1]
        step = max(_SCORES // max(width, 1), 1)
        if len(queries) <= step:
            yield slice(len(queries)), queries
            return
        for start in range(0, len(queries), step):
            rows = slice(start, start + step)
            yield rows, queries.take(rows)


class VectorModel(Generator, Scorer):
    """A generator and scorer for models whose score is an inner product of two vectors.

    A subclass gives a vector per query and per id; `hybridrec similar` uses the latter too.
    """

    def __init__(self, config: Options | None = None) -> None:
        super().__init__(config)
        self._by_length: dict[Target, tuple[Floats, kernels.Longest | None]] = {}

    @abstractmethod
    def query_vectors(self, queries: QueryBatch, target: Target) -> Floats:
        """float32 [Q, D]; NaN rows for "no opinion"."""

    @abstractmethod
    def vectors(self, target: Target) -> Floats:
        """float32 [N, D], one row per id of the target: the same array each time, as what is known of it is kept.

        Biases go into a column of their own.
        """

    def word_vectors(self) -> tuple[Vocabulary, Floats] | None:
        """Title words and their vectors, float32 [words, D], in the space of queries; None if it reads no words."""
        return None

    def candidates(self, queries: QueryBatch, k: int, target: Target, exclude: Exclude) -> Candidates:
        """Exact top k by inner product."""
        asked, vectors = self.factors(queries, target)
        kept = self._by_length.get(target)
        if kept is None or kept[0] is not vectors:
            kept = self._by_length[target] = (vectors, kernels.Longest.of(vectors))
        return Candidates(*kernels.top_products(asked, vectors, k, exclude, kept[1]))

    def score(self, queries: QueryBatch, ids: Ints, target: Target) -> Floats:
        """Inner products of each query with its own candidates."""
        return kernels.gather_dot(*self.factors(queries, target), ids)

    def factors(self, queries: QueryBatch, target: Target) -> tuple[Floats, Floats]:
        """`query_vectors` and `vectors`; the former once for candidates and scores, as folding in may cost more."""
        vectors = np.asarray(self.vectors(target), np.float32)
        return queries.once((self, target), vectors, lambda: self.query_vectors(queries, target)), vectors
