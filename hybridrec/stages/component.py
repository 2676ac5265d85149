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
"""The number of scores of a dense model computed at once: they stay in the processor's outermost cache."""
_KEPT = 1 << 22
"""The largest number of scores that a dense model keeps with the queries: 16 MB, a block of 32 among 100,000 items."""


class Component(Plugin):
    """A model that is fitted on a training part: a generator, a scorer, a re-ranker, or several of these.

    targets: the kinds it can recommend: "items", other kinds by name, or `EVERY_KIND` for items and every kind that
        users carry (`Dataset.targets`)
    needs: query fields: "user", "items", "title", other kinds by name, or `EVERY_KIND` for items and every other
        kind; the component has an opinion only on a query that has at least one. Empty if it serves every query
    folds_in: true if it serves users whom training did not see, by the history in the query
    refreshes: true if `refresh` updates it to grown data without a full fit
    validation: queries cut out of its own training part, for choices that `fit` makes. A run sets it during `fit` if
        `validates` is true; otherwise it is None
    threads: the number of threads that `fit` may use if its result does not depend on it; the engine raises it when
        cores are idle
    reproducible: false if two fits with the same data, options and seed may differ, as those of threads that train
        without waiting for each other do. Of two such fits that end at the same time, all runs use the one that was
        stored first. On another device than the CPU every fit counts as such
    validates: true if `fit` needs `validation` for choices of its own
    prepares: the names of the options on which the result of `prepare` depends; None, as for most, if it prepares
        nothing
    uses_device: true if it computes on `device`, which is then part of the key of its fits
    device: the device on which it may compute, as the config says: "cpu", "cuda", "cuda:1"; "cpu" when it is served
    ended_by_clock: set it to true in `fit` if a time limit ended the fit, which would then learn something else on
        another machine. The report says so, and no other run takes the fit from the store
    stochastic: true if it draws at random. A stochastic generator draws its scores, which then say nothing about
        similarity. A stochastic re-ranker draws the slate, and is called a policy
    reads_versions: earlier versions of the class whose state `restore` accepts with the same meaning
    requires: import names of optional libraries that it needs, checked before any fit
    install_hint: the remedy if one of them is missing, for example "pip install 'hybridrec[implicit]'"

    `targets`, `needs`, `folds_in`, `refreshes`, `reproducible`, `validates` and `prepares` may be set per instance if
    they depend on the configuration.
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
    reproducible: bool = True
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
        """Return named arrays that depend on the catalogue alone; they are made once for all fits of all runs.

        `catalogue` is `Dataset.catalogue`, the part that no split hides. `prepare` is called if `prepares` is not None,
        on an instance in which all options that `prepares` does not name have their defaults: their effects belong in
        `fit`. It must not use random numbers.
        """
        raise NotImplementedError(f"{self.name} prepares nothing")

    def prepared(self, data: Dataset) -> State:
        """Return the arrays of `prepare` for the catalogue of a training part; `fit` must not write to them.

        A run makes the arrays once and keeps them in the store; outside of runs each call makes them.
        """
        return self.preparer().prepare(data.catalogue) if self._from_catalogue is None else self._from_catalogue

    def preparer(self) -> Self:
        """Return an unfitted instance for `prepare`.

        In this instance, options that `prepares` does not name have their defaults; options without a default keep
        their values. Raises PluginError if `prepares` names an unknown option.
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
        """Return everything that was learned as named arrays, for `restore` of a new instance with the same config."""

    @abstractmethod
    def restore(self, state: State) -> Self:
        """Restore what was learned from `state`, so that scores are identical; return self."""

    def refresh(self, data: Dataset, new_codes: Mapping[Target, Ints], rng: np.random.Generator) -> Self:
        """Update a fitted instance to a training part that has grown, without a full fit; return self.

        It is called if `refreshes` is true. `data` is the new training part. `new_codes[target]`, int32[N], has the new
        code, in `data`, of each of the N ids that the component knew before, -1 for an id that `data` lacks. `rng` is
        the only source of randomness.
        """
        raise NotImplementedError(f"{self.name} can only be fitted again")

    def use(self, model: Any) -> Self:
        """Take `model`, the component to which an option refers (`ComponentRef`), as the base model; return self.

        `model` is of the class that the option requires. It is called before `fit` and before `restore` with the
        component fitted on the same training part, or with an unfitted component if only the declarations of this
        component (such as `targets`) are needed. The learned arrays of `model` are shared, not copied: they do not
        belong to the state of the component that uses them, and must not be written to.
        """
        raise NotImplementedError(f"{self.name} uses no component")

    def recommends(self, target: Target) -> bool:
        """Return True if `targets` has this target, by its name or by `EVERY_KIND`."""
        return target in self.targets or (EVERY_KIND in self.targets and target != USERS)

    def reads(self, name: Field) -> bool:
        """Return True if `needs` has this field of queries, by its name or by `EVERY_KIND`."""
        return name in self.needs or (EVERY_KIND in self.needs and name not in ("user", "title"))

    def notes(self) -> list[str]:
        """Return remarks on the fit for readers of the report, in sentences; none by default."""
        return []

    def figures(self, data: Dataset) -> Sequence[Figure]:
        """Return figures of the fit for the report: curves, tables, stripes; none by default.

        `data` is the training part that the component was fitted on. A run calls this method once for every generator
        and scorer: for the fit on all data if the config says `refit: all`, else for the fit of the first fold. A
        restored instance must return the same figures as the fitted one, so their content belongs to the state. The
        figures should take little time to compute.
        """
        return []

    def clusters(self, target: Target) -> Ints | None:
        """Return the cluster of each id of the target: int32 [N], from 0, -1 for ids without a cluster.

        None, the default, means that there are no clusters. Maps of items are coloured by clusters.
        """
        return None

    def report(self, step: int, of: int, /, **numbers: float) -> None:
        """Report from `fit` that `step` of `of` steps are done, with numbers such as a loss.

        A run shows the numbers on the terminal, passes them to its observers, and keeps them, thinned to 200 steps, for
        the curves in its report; outside a run nothing happens. The numbers have no influence on results. Call this
        method once for each epoch, not for each batch.
        """
        if self._reporter is not None:
            self._reporter(step, of, numbers)

    def memory(self, data: Dataset) -> int:
        """Return the estimated peak memory of a fit on `data` in bytes; 0, the default, stands for no estimate.

        `check` prints the estimate, and a fit whose estimate exceeds the memory budget of the run is refused.
        """
        return 0

    def seconds(self, data: Dataset) -> float | None:
        """Return roughly the seconds that a fit on `data` takes on one core; None, the default, if that is not known.

        `check` prints the estimate until the store has a fit with the same options, and then the seconds of that fit.
        An estimate within a factor of three of the truth is good enough.
        """
        return None


class Generator(Component):
    """A component that proposes candidates."""

    @abstractmethod
    def candidates(self, queries: QueryBatch, k: int, target: Target, exclude: Exclude) -> Candidates:
        """Return the k best ids for each query, without those that `exclude` excludes; ties go to the lower id."""


class Scorer(Component):
    """A component that scores given candidates: higher is better, on its own scale; NaN means "no opinion".

    columns: names of its columns, known when it is fitted or restored. They become `label.name` in the pool, in this
        order. Empty for a scorer with a single column, which is named by the label of the scorer
    """

    columns: tuple[str, ...] = ()

    @abstractmethod
    def score(self, queries: QueryBatch, ids: Ints, target: Target) -> Floats:
        """Return scores, float32 [Q, K], of ids, int32 [Q, K]: NaN at padding (-1) and for "no opinion".

        A scorer with C `columns` returns the scores of all its columns: float32 [C, Q, K].
        """


class Reranker(Component):
    """A component that orders a pool: it fuses the columns into `final`, or reorders a fused pool.

    A re-ranker that is `stochastic` is a policy: it draws the slate at random, and its method `propensities` returns
    the probabilities of slates. A policy must be the last re-ranker of its pipeline, since a re-ranker after it would
    change the slate that was drawn.
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
        """Return the same pool with a number for every candidate in `final`; the n best by it become the slate.

        Further columns, with a value for each candidate, go into `extras`, and from there into the slate. A policy
        draws by `kernels.keyed_draws` from `queries.ids` and a seed that it took from the `rng` of `fit`, so that the
        same request gets the same slate in any batch.
        """

    def propensities(self, queries: QueryBatch, pool: Pool, ids: Ints) -> Floats:
        """Return the probability of each id of Q slates at its place, given the ids before it: float32 [Q, n].

        `ids`, int32 [Q, n], are the slates, and `pool` is the pool that `rerank` is given. The product of a slate's
        probabilities is the probability of the whole slate. An id that the policy would not put at its place, or that
        is not in the pool, has probability 0. Callers ignore the values at padding, and at places after all candidates
        of the pool. The method is called if `stochastic` is true, also with slates that another policy drew.
        """
        raise NotImplementedError(f"{self.name} draws nothing")

    def fit_on_predictions(self, queries: QueryBatch, pool: Pool, truth: Sparse, weights: Doubles, units: Ints) -> Self:
        """Learn from the scores of components that were not fitted on `truth`, csr [Q, N]; return self.

        `weights`, float64[Q], are the weights of the queries. `units`, int32[Q], is the user behind each query, even if
        the query itself has no user: queries of one user must not be split between learning and validation. The
        method is called once before `rerank` if `learns` is true. Relevant ids that are not in the pool count as
        missed.

        `fit` is called before this method, with the training part of the components that made the scores. It is called
        again afterwards, with the training part of the components whose candidates are re-ranked: that second call
        must keep what this method has learned.
        """
        raise NotImplementedError(f"{self.name} learns nothing")

    def contributions(self, queries: QueryBatch, pool: Pool) -> dict[str, Floats]:
        """Return the summands of `final`: label of a column -> float32 [Q, K]; empty if `final` is not a sum."""
        return {}

    def weighing(self, queries: QueryBatch, pool: Pool) -> tuple[Floats, dict[str, Floats]] | None:
        """Return the weights, float32 [L, Q], and the L columns, label -> float32 [Q, K], of which `final` is the sum.

        The columns have no NaN. None if `final` is not a weighted sum; a page can then not show other weights.
        """
        return None

    def summary(self) -> dict[str, Any]:
        """Return a summary of what was learned, in values that JSON can hold, for the report; empty by default."""
        return {}

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Compute statistics of the training part, by default none; return self.

        It must keep what `fit_on_predictions` has learned.
        """
        return self

    def state(self) -> State:
        """Return everything learned as named arrays; nothing by default."""
        return {}

    def restore(self, state: State) -> Self:
        """Restore what was learned from `state`, by default nothing; return self."""
        return self


class DenseModel(Generator, Scorer):
    """A generator and scorer for models that score the whole vocabulary at once.

    A subclass implements `scores`, from which the candidates and the scores of given candidates follow.
    """

    targets: tuple[Target, ...] = (EVERY_KIND,)

    @abstractmethod
    def scores(self, queries: QueryBatch, target: Target) -> Floats:
        """Return the scores of all ids: float32 [Q, N]; a row of NaN means "no opinion" on the query.

        Callers write to the array.
        """

    def candidates(self, queries: QueryBatch, k: int, target: Target, exclude: Exclude) -> Candidates:
        """Return the k ids with the highest `scores` for each query, without excluded ids; nothing is approximated."""
        kept = self._kept_scores(queries, target)
        if kept is not None:
            scores = kept.copy()
            exclude.mask(scores)
            return Candidates(*kernels.top_k(scores, k))
        proposed = Candidates.empty(len(queries), k)
        for rows, batch in self._parts(queries, target):
            scores = self._checked_scores(batch, target)
            exclude.take(rows).mask(scores)
            proposed.ids[rows], proposed.scores[rows] = kernels.top_k(scores, k)
        return proposed

    def score(self, queries: QueryBatch, ids: Ints, target: Target) -> Floats:
        """Return the entries of `scores` at `ids`: float32 [Q, K], NaN at padding."""
        kept = self._kept_scores(queries, target)
        if kept is not None:
            return kernels.pick(kept, ids)
        picked = np.empty(ids.shape, np.float32)
        for rows, batch in self._parts(queries, target):
            picked[rows] = kernels.pick(self._checked_scores(batch, target), ids[rows])
        return picked

    def _checked_scores(self, queries: QueryBatch, target: Target) -> Floats:
        """Return the result of `scores`; raises PluginError if it is not an array of floats [Q, N]."""
        scores: object = self.scores(queries, target)
        shape = (len(queries), queries.width(target))
        if not isinstance(scores, np.ndarray):
            raise PluginError(f"scores must return an array of float32 {list(shape)}, not {type(scores).__name__}")
        if scores.shape != shape or not np.issubdtype(scores.dtype, np.floating):
            told = f"{scores.dtype} {list(scores.shape)}"
            raise PluginError(f"scores must return an array of float32 {list(shape)}, not of {told}")
        return scores

    def _kept_scores(self, queries: QueryBatch, target: Target) -> Floats | None:
        """Return the result of `scores`, which is kept with the queries so that `candidates` and `score` share it.

        None if the queries do not keep scores, or if there are more than `_KEPT` scores.
        """
        if not queries.keeps_scores or len(queries) * queries.width(target) > _KEPT:
            return None
        return queries.cached(("scores", self, target), self, lambda: self._checked_scores(queries, target))

    def _parts(self, queries: QueryBatch, target: Target) -> Iterator[tuple[slice, QueryBatch]]:
        """Yield (rows, their queries) for blocks of queries so small that the scores of a block stay in cache."""
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

    A subclass implements `query_vectors` and `vectors`; `hybridrec similar` uses `vectors`, too.
    """

    def __init__(self, config: Options | None = None) -> None:
        super().__init__(config)
        self._by_length: dict[Target, tuple[Floats, kernels.Longest | None]] = {}

    @abstractmethod
    def query_vectors(self, queries: QueryBatch, target: Target) -> Floats:
        """Return the vectors of queries, float32 [Q, D]; a row of NaN means "no opinion" on the query."""

    @abstractmethod
    def vectors(self, target: Target) -> Floats:
        """Return the vectors of the target's ids, float32 [N, D]; biases are a column of the vectors.

        Every call must return the same array object, since cached results are recognised by this object.
        """

    def embeddings(self, data: Dataset) -> dict[str, Embedding]:
        """Return all vectors that it learned, by kind, for `hybridrec similar` and exports.

        `data` has the ids of the entities. The keys are kinds of the data, users included; a component may also return
        `words` and `features` (vectors of the items' features, by name). By default the result has the vectors of the
        targets that the component recommends.
        """
        served = [target for target in data.targets if self.recommends(target)]
        return {target: Embedding(data.vocabulary(target), self.vectors(target)) for target in served}

    def candidates(self, queries: QueryBatch, k: int, target: Target, exclude: Exclude) -> Candidates:
        """Return the k ids with the largest inner products for each query, without excluded ids.

        The search is exact, not approximate.
        """
        asked, vectors = self.factors(queries, target)
        kept = self._by_length.get(target)
        if kept is None or kept[0] is not vectors:
            kept = self._by_length[target] = (vectors, kernels.Longest.of(vectors))
        return Candidates(*kernels.top_products(asked, vectors, k, exclude, kept[1]))

    def forget(self) -> None:
        """Drop what `candidates` has cached about the vectors; call it after learning has changed them in place."""
        self._by_length.clear()

    def score(self, queries: QueryBatch, ids: Ints, target: Target) -> Floats:
        """Return the inner product of each query with each of its candidates `ids`: float32 [Q, K], NaN at padding."""
        return kernels.gather_dot(*self.factors(queries, target), ids)

    def factors(self, queries: QueryBatch, target: Target) -> tuple[Floats, Floats]:
        """Return the results of `query_vectors` and of `vectors`.

        The vectors of queries are cached with the batch, as folding in can be costly.
        """
        vectors = np.asarray(self.vectors(target), np.float32)
        return queries.cached((self, target), vectors, lambda: self.query_vectors(queries, target)), vectors
