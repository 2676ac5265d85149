"""The contracts of the three stages: generators propose, scorers score, re-rankers order."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from hybridrec.data.dataset import Dataset
from hybridrec.data.queries import QueryBatch
from hybridrec.errors import PluginError
from hybridrec.plugin import Options, Plugin
from hybridrec.stages import kernels
from hybridrec.stages.candidates import Candidates, Exclude
from hybridrec.stages.embedding import Embedding
from hybridrec.stages.figures import Figure
from hybridrec.stages.pool import Pool
from hybridrec.types import EVERY_KIND, ITEMS, USERS, Doubles, Field, Floats, Ints, Sparse, State, Target

if TYPE_CHECKING:
    from hybridrec.stages.validation_split import ValidationSplit

CPU = "cpu"
"""The device that every machine has."""
_SCORES = 1 << 22
"""Scores of a dense model computed at once: they stay in the processor's outermost cache."""


class Component(Plugin):
    """A model that is fitted on a training part: a generator, a scorer, a re-ranker, or several of these.

    targets: the kinds it can recommend: "items", other kinds by name, or `EVERY_KIND` for items and every kind that
        users carry (`Dataset.targets`)
    needs: query fields: "user", "items", "title", other kinds by name, or `EVERY_KIND` for items and every other
        kind; at least one must be known for the component to have an opinion. Empty if it serves every query
    folds_in: true if it serves users that are not in training from the history in the query
    refreshes: true if `refresh` updates it to grown data without a full fit
    validation: given to a class that `validates` before `fit` and taken from it after; None outside of runs
    threads: the number of threads that `fit` may use if its result does not depend on it; the engine raises it when
        cores are idle
    validates: true if `fit` wants `validation`, queries out of its own training part, for choices of its own
    prepares: the options that decide what `prepare` makes of the catalogue; None, as for most, if it makes nothing
    uses_device: true if it computes on `device`, which is then part of the key of its fits
    device: where it may compute, as the config says: "cpu", "cuda", "cuda:1"; "cpu" where it is served
    ended_by_clock: set it to true in `fit` if a limit of time ended it: the same fit would then learn something else
        elsewhere. The report says so, and no other run takes the fit from the store
    stochastic: true if it draws: a generator its scores, which then tell nothing about likeness; a re-ranker, called a
        policy, the slate
    reads_versions: earlier versions of the class whose state `restore` accepts with the same meaning
    requires: import names of optional libraries that it needs, checked before any fit
    install_hint: the remedy if one of them is missing, for example "pip install 'hybridrec[implicit]'"

    The first four, `validates` and `prepares` may be set per instance if they depend on the configuration.
    """

    targets: tuple[Target, ...] = (ITEMS,)
    needs: frozenset[Field] = frozenset()
    folds_in: bool = False
    refreshes: bool = False
    validates: bool = False
    validation: ValidationSplit | None = None
    prepares: tuple[str, ...] | None = None
    _from_catalogue: State | None = None
    threads: int = 1
    uses_device: ClassVar[bool] = False
    device: str = CPU
    ended_by_clock: bool = False
    stochastic: bool = False
    _reporter: Callable[[int, int, Mapping[str, float]], None] | None = None
    reads_versions: ClassVar[frozenset[str]] = frozenset()
    requires: ClassVar[tuple[str, ...]] = ()
    install_hint: ClassVar[str] = ""

    @abstractmethod
    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Learn from a training part, with `rng` as the only source of randomness; return self."""

    def prepare(self, catalogue: Dataset) -> State:
        """Return named arrays that depend on the catalogue alone; made once for all fits of a run, and of later runs.

        `catalogue` is `Dataset.catalogue`: what no split hides. Called if `prepares` is not None, on an instance whose
        options beside those that `prepares` names have their defaults: what they decide belongs in `fit`. There are no
        random numbers.
        """
        raise NotImplementedError(f"{self.name} prepares nothing")

    def prepared(self, data: Dataset) -> State:
        """Return the result of `prepare` for the catalogue of a training part; for `fit`, which must not write to it.

        A run makes it once and keeps it in the store; outside of runs it is made here.
        """
        return self.preparer().prepare(data.catalogue) if self._from_catalogue is None else self._from_catalogue

    def preparer(self) -> Self:
        """Return an unfitted instance for `prepare`: options that `prepares` does not name have their defaults.

        Options without a default keep their values. Raises PluginError if `prepares` names an unknown option.
        """
        fields, named = type(self.config).model_fields, self.prepares or ()
        if isinstance(named, str) or not fields.keys() >= set(named):
            raise PluginError(f"{type(self).__name__}.prepares must be a tuple of its options, not {named!r}")
        kept = {name: getattr(self.config, name) for name, of in fields.items() if name in named or of.is_required()}
        preparer = type(self)(type(self.config).model_construct(**kept))
        preparer.device = self.device
        return preparer

    @abstractmethod
    def state(self) -> State:
        """Return everything learned as named arrays, for `restore` of a new instance with the same config."""

    @abstractmethod
    def restore(self, state: State) -> Self:
        """Restore what was learned from `state`, so that scores are identical; return self."""

    def refresh(self, data: Dataset, new_codes: Mapping[Target, Ints], rng: np.random.Generator) -> Self:
        """Update a fitted instance to grown data without a full fit; called if `refreshes` is true.

        `data` is the new training part. `new_codes[target]`, int32[N], maps the ids that the component was fitted on
        to their codes in `data`, -1 for ids that are gone. `rng` is the only source of randomness; returns self.
        """
        raise NotImplementedError(f"{self.name} can only be fitted again")

    def use(self, model: Any) -> Self:
        """Take the component that an option refers to (`ComponentRef`), of the class that it requires; return self.

        Called before `fit` and before `restore` with the component fitted on the same training part, or with an
        unfitted one if only the declarations of this component are asked for. What it learned is shared, not copied:
        it does not belong to the state of a component that uses it, and must not be written to.
        """
        raise NotImplementedError(f"{self.name} uses no component")

    def recommends(self, target: Target) -> bool:
        """Return True if the target is among `targets`."""
        return target in self.targets or (EVERY_KIND in self.targets and target != USERS)

    def reads(self, name: Field) -> bool:
        """Return True if the query field is among `needs`."""
        return name in self.needs or (EVERY_KIND in self.needs and name not in ("user", "title"))

    def notes(self) -> list[str]:
        """Return remarks on the fit for readers of the report, in sentences; none by default."""
        return []

    def figures(self, data: Dataset) -> Sequence[Figure]:
        """Return figures of the fit for the report: curves, tables, stripes; none by default.

        `data` is the training part that it was fitted on. A run asks every generator and scorer once: those that were
        fitted on all data, which recommend (`refit: all`), else those of the first fold. A restored instance must give
        the same as the fitted one, so what they show is part of the state; keep them cheap.
        """
        return []

    def clusters(self, target: Target) -> Ints | None:
        """Return the cluster of each id of the target, int32 [N], from 0, -1 for none; None by default: no clusters.

        Maps of items are coloured by them.
        """
        return None

    def report(self, step: int, of: int, /, **numbers: float) -> None:
        """Tell from `fit` that `step` of `of` steps are done, with numbers such as a loss, for those who wait for it.

        A run shows it on the terminal, tells its observers, and keeps the numbers in its report, thinned to 200 steps,
        where the page draws them; outside a run nothing happens. What is told decides nothing. Call it once for each
        epoch, not for each batch.
        """
        if self._reporter is not None:
            self._reporter(step, of, numbers)

    def memory(self, data: Dataset) -> int:
        """Return the estimated peak bytes of fitting on `data`; `check` prints them, the memory budget bounds them."""
        return 0


class Generator(Component):
    """A component that proposes candidates."""

    @abstractmethod
    def candidates(self, queries: QueryBatch, k: int, target: Target, exclude: Exclude) -> Candidates:
        """Return the best k ids for each query that are not excluded, ties broken by the lower id."""


class Scorer(Component):
    """A component that scores given candidates: higher is better, on its own scale; NaN means "no opinion".

    columns: names of its columns, known when it is fitted or restored. They become `label.name` in the pool, in this
        order. Empty for a scorer of one column, which has its label
    """

    columns: tuple[str, ...] = ()

    @abstractmethod
    def score(self, queries: QueryBatch, ids: Ints, target: Target) -> Floats:
        """Return scores, float32 [Q, K], of ids, int32 [Q, K]: NaN at padding (-1) and for "no opinion".

        With C `columns` return them one after the other: float32 [C, Q, K].
        """


class Reranker(Component):
    """A component that orders a pool: it fuses the columns into `final`, or reorders a fused pool.

    One that is `stochastic` is a policy: it draws the slate, and `propensities` tells how probable a slate is. It must
    be the last of its chain: what comes after it would show another slate than the one that was drawn.
    """

    learns: bool = False
    """True if `fit_on_predictions` must be called before `rerank`, on out-of-sample scores."""
    fuses: bool | None = None
    """True for a fusion, which makes `final` of several columns; false for a re-ranker that needs a `final`.

    A chain whose first re-ranker does not fuse is refused before any fit. None means unknown: such a class is
    accepted, and fails in the run if it cannot fuse; its contract suite requires true or false.
    """

    @abstractmethod
    def rerank(self, queries: QueryBatch, pool: Pool, n: int) -> Pool:
        """Return the same pool with `final` set, a number for every candidate; the best n by it become the slate.

        Columns of its own, by candidate, go into `extras`; they stand in the slate by place. A policy draws by
        `kernels.keyed_draws` from `queries.ids` and a seed that it took from the `rng` of `fit`: the same request gets
        the same slate, in any batch.
        """

    def propensities(self, queries: QueryBatch, pool: Pool, ids: Ints) -> Floats:
        """Return float32 [Q, n] for slates, int32 [Q, n]: the probability of the id at place k given those before.

        Their product is the probability of the slate. `pool` is the one that `rerank` is given. An id that it would
        not show there, or does not know, has probability 0; places at padding, and those after all candidates of the
        pool, are not read. Called if `stochastic` is true, also with slates that another policy drew.
        """
        raise NotImplementedError(f"{self.name} draws nothing")

    def fit_on_predictions(self, queries: QueryBatch, pool: Pool, truth: Sparse, weights: Doubles, units: Ints) -> Self:
        """Learn from the scores of components that were not fitted on `truth`, csr [Q, N]; return self.

        `weights`, float64[Q], are those of the queries. `units`, int32[Q], is the user behind each query, even if
        the query does not show it: queries of one user must not be split between learning and validation. Called
        once before `rerank` if `learns` is true; positives that are not in the pool count as missed.

        `fit` is called before with the training part of those components, and again afterwards with that of the
        components whose candidates it re-ranks: it must keep what was learned.
        """
        raise NotImplementedError(f"{self.name} learns nothing")

    def contributions(self, queries: QueryBatch, pool: Pool) -> dict[str, Floats]:
        """Return label -> float32 [Q, K], summands of `final` by column; empty if `final` is not a sum."""
        return {}

    def summary(self) -> dict[str, Any]:
        """Return a summary of what was learned, as JSON for the report; empty by default."""
        return {}

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Compute statistics of the training part, none by default, and return self.

        What `fit_on_predictions` learned is kept.
        """
        return self

    def state(self) -> State:
        """Return everything learned as named arrays; nothing by default."""
        return {}

    def restore(self, state: State) -> Self:
        """Restore from `state`; nothing to restore by default. Return self."""
        return self


class DenseModel(Generator, Scorer):
    """A generator and scorer for models that score the whole vocabulary at once.

    A subclass implements `scores`; candidates and scores of pairs follow from it.
    """

    targets: tuple[Target, ...] = (EVERY_KIND,)

    @abstractmethod
    def scores(self, queries: QueryBatch, target: Target) -> Floats:
        """Return scores, float32 [Q, N], a new array (callers write to it); NaN rows for "no opinion"."""

    def candidates(self, queries: QueryBatch, k: int, target: Target, exclude: Exclude) -> Candidates:
        """Return the exact top k of `scores`."""
        proposed = Candidates.empty(len(queries), k)
        for rows, batch in self._parts(queries, target):
            scores = self.scores(batch, target)
            exclude.take(rows).mask(scores)
            proposed.ids[rows], proposed.scores[rows] = kernels.top_k(scores, k)
        return proposed

    def score(self, queries: QueryBatch, ids: Ints, target: Target) -> Floats:
        """Return the entries of `scores` at `ids`."""
        picked = np.empty(ids.shape, np.float32)
        for rows, batch in self._parts(queries, target):
            picked[rows] = kernels.pick(self.scores(batch, target), ids[rows])
        return picked

    def _parts(self, queries: QueryBatch, target: Target) -> Iterator[tuple[slice, QueryBatch]]:
        """Yield blocks of queries whose scores stay in cache, each with its rows."""
        width = queries.width(target)
        step = max(_SCORES // max(width, 1), 1)
        if len(queries) <= step:
            yield slice(len(queries)), queries
            return
        for start in range(0, len(queries), step):
            rows = slice(start, start + step)
            yield rows, queries.take(rows)


class VectorModel(Generator, Scorer):
    """A generator and scorer for models whose score is an inner product of two vectors.

    A subclass returns a vector per query and per id; `hybridrec similar` also uses the latter.
    """

    def __init__(self, config: Options | None = None) -> None:
        super().__init__(config)
        self._by_length: dict[Target, tuple[Floats, kernels.Longest | None]] = {}

    @abstractmethod
    def query_vectors(self, queries: QueryBatch, target: Target) -> Floats:
        """Return the vectors of queries, float32 [Q, D]; NaN rows for "no opinion"."""

    @abstractmethod
    def vectors(self, target: Target) -> Floats:
        """Return the vectors of the target's ids, float32 [N, D]: the same array in every call, as it is a cache key.

        Biases are a column of the vectors.
        """

    def embeddings(self, data: Dataset) -> dict[str, Embedding]:
        """Return all vectors that it learned, by kind, for `similar` and exports; `data` has the ids of entities.

        Beside kinds of the data, users included, a component may have `words` and `features` (those of items, by
        name). By default the vectors of the targets that it recommends.
        """
        served = [target for target in data.targets if self.recommends(target)]
        return {target: Embedding(data.vocabulary(target), self.vectors(target)) for target in served}

    def candidates(self, queries: QueryBatch, k: int, target: Target, exclude: Exclude) -> Candidates:
        """Return the exact top k by inner product."""
        asked, vectors = self.factors(queries, target)
        kept = self._by_length.get(target)
        if kept is None or kept[0] is not vectors:
            kept = self._by_length[target] = (vectors, kernels.Longest.of(vectors))
        return Candidates(*kernels.top_products(asked, vectors, k, exclude, kept[1]))

    def forget(self) -> None:
        """Drop what is kept for the vectors: for a model that has learned since, in the same arrays."""
        self._by_length.clear()

    def score(self, queries: QueryBatch, ids: Ints, target: Target) -> Floats:
        """Return the inner products of each query with its own candidates."""
        return kernels.gather_dot(*self.factors(queries, target), ids)

    def factors(self, queries: QueryBatch, target: Target) -> tuple[Floats, Floats]:
        """Return `query_vectors` and `vectors`; the former are computed once per batch, as folding in can be costly."""
        vectors = np.asarray(self.vectors(target), np.float32)
        return queries.cached((self, target), vectors, lambda: self.query_vectors(queries, target)), vectors
