"""The folds of an experiment: call its splitter, check what it returns, and remove truth that filters exclude."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hybridrec.config.experiment import CheckedExperiment, FilterSpec
from hybridrec.data.checks import check_fold, check_hidden
from hybridrec.data.dataset import Dataset, contains, pair_keys
from hybridrec.data.ragged import Ragged
from hybridrec.data.segments.base import segments_of
from hybridrec.data.segments.known_fields import KnownFields
from hybridrec.data.splits.base import Fold, Splitter
from hybridrec.data.splits.holdout import entries
from hybridrec.engine.pipelines import fitted_filter
from hybridrec.engine.seeds import label_rng
from hybridrec.errors import DataError, PluginError
from hybridrec.stages import kernels
from hybridrec.stages.candidates import Exclude
from hybridrec.stages.pipeline import Filters
from hybridrec.stages.validation_split import ValidationSplit
from hybridrec.tracing import calling, each
from hybridrec.types import ITEMS, Bools, Longs, Sparse


def folds_of(experiment: CheckedExperiment, data: Dataset) -> Iterator[Fold]:
    """Split the data, and yield the folds on which an experiment is evaluated, after checking each.

    If the experiment is evaluated on validation queries (as in a search), each fold is replaced by the validation fold
    inside its training part. Raises PluginError if the splitter yields no fold or breaks its contract. Raises DataError
    for a fold without queries.
    """
    splitter, seed = experiment.splitter, experiment.config.seed
    doing, empty = "while splitting the data", True
    with calling(splitter, doing):
        folds = splitter.split(data, label_rng(seed, "split"))
        if not isinstance(folds, Iterable):
            raise PluginError(f"split must yield folds one after the other, not one {type(folds).__name__}")
    for fold in each(splitter, doing, folds):
        fold, empty = _checked(experiment, fold, data), False
        if experiment.validation:
            fold = replace(validation_fold(experiment, fold, "validation queries"), name=fold.name)
        if not len(fold.queries):
            raise DataError(f"fold {fold.name} has no queries: the split holds nothing out that could be asked")
        yield fold
    if empty:
        with calling(splitter, doing):
            raise PluginError("split yielded no fold")


def validation_fold(experiment: CheckedExperiment, fold: Fold, purpose: str) -> Fold:
    """Split the training part of a fold once more, and return the fold inside it.

    `purpose` enters the seed, so that folds for different purposes are split by different random numbers.
    """
    with calling(experiment.splitter, f"while splitting the training part of {fold.name}"):
        validation = experiment.splitter.validation_split(
            fold.train, label_rng(experiment.config.seed, f"{purpose} of {fold.name}")
        )
    return _checked(experiment, validation, fold.train)


@dataclass(frozen=True, slots=True)
class PartSplitter:
    """The splitter of an experiment, applied once more inside training parts, for components that validate.

    seen: a filter of any pipeline that excludes all items of a query's history; None if no pipeline has one
    filters: the other filters that all pipelines share
    """

    splitter: Splitter
    seen: FilterSpec | None
    filters: tuple[FilterSpec, ...]
    seed: int

    @classmethod
    def of(cls, experiment: CheckedExperiment) -> PartSplitter:
        """Build the part splitter of an experiment from its splitter, its filters and its seed."""
        # Where users come back to items that they had, and these may be recommended, the truth may hold known items.
        listed = (spec for pipeline in experiment.pipelines.values() for spec in pipeline.filters)
        seen = next((spec for spec in listed if spec.excludes_seen), None)
        return cls(experiment.splitter, seen, shared_filters(experiment), experiment.config.seed)

    def split(self, train: Dataset, fold: str, level: str) -> ValidationSplit:
        """Hold out queries from the training part `train`, on which the components of this fold and level validate.

        The random numbers depend on the seed, the fold and the level only. Raises DataError if no queries are held out.
        """
        with calling(self.splitter, f"while splitting the training part of {fold} ({level}) for a component"):
            rng = label_rng(self.seed, f"choices of components in {fold} ({level})")
            inner = self.splitter.validation_split(train, rng)
        inner = replace(self.checked(inner, train), name=f"validation of components in {fold} ({level})")
        if not len(inner.queries):
            raise DataError(f"{inner.name}: the split holds nothing out that could be asked")
        specs = self.filters if self.seen is None else (self.seen, *self.filters)
        filters = Filters(fitted_filter(spec, inner.train) for spec in specs)
        exclude = {target: filters.exclude(inner.queries, target, inner.candidate_items) for target in inner.truth}
        return ValidationSplit(inner, exclude)

    def checked(self, fold: Fold, data: Dataset) -> Fold:
        """Check a fold of `data` against the contract of splitters, and drop truth that the shared filters exclude.

        Raises PluginError, naming the splitter, if the fold breaks the contract.
        """
        with calling(self.splitter, f"in fold {getattr(fold, 'name', '?')}, splitter '{self.splitter.name}'"):
            check_fold(fold, data)
            if self.seen is not None:
                check_hidden(fold)
        return without_excluded(of_asked_kinds(with_visible_dislikes(fold, data, self.seed), data), self.filters)


def _checked(experiment: CheckedExperiment, fold: Fold, data: Dataset) -> Fold:
    """Check a fold of `data` as `PartSplitter.checked` does, and return it with the segment of each query.

    The segments are those of the first segmenter of the config. They are left out if it is `KnownFields`, which
    computes them from the queries at any time.
    """
    fold = PartSplitter.of(experiment).checked(fold, data)
    first = next(iter(experiment.segmenters.values()))
    if isinstance(first, KnownFields):  # what queries know they need not carry
        return fold
    return replace(fold, queries=replace(fold.queries, segment=segments_of(first, fold.queries, fold.train)))


def shared_filters(experiment: CheckedExperiment) -> tuple[FilterSpec, ...]:
    """Return the filters that every pipeline of an experiment has, in the order of the first pipeline.

    Filters that exclude all items of the history are left out. They need not be applied to the truth: if a pipeline has
    such a filter, truth with an item of the query's own history is an error anyway.
    """
    first, *others = (pipeline.filters for pipeline in experiment.pipelines.values())
    shared = (spec for spec in first if all(any(spec.is_like(other) for other in chain) for chain in others))
    return tuple(spec for spec in shared if not spec.excludes_seen)


def without_excluded(fold: Fold, filters: Sequence[FilterSpec]) -> Fold:
    """Return a fold whose truth has only ids that the filters allow; queries that are left without truth are dropped.

    No pipeline may show an excluded id, so no ranking could contain it. If nothing in the truth is excluded, the fold
    is returned as it is. Raises DataError if no query is left.
    """
    fitted = Filters(fitted_filter(spec, fold.train) for spec in filters)
    allowed = {target: ~_held(fitted.exclude(fold.queries, target), matrix) for target, matrix in fold.truth.items()}
    if all(mask.all() for mask in allowed.values()):
        return fold
    places = ", ".join(spec.place for spec in filters)
    message = f"fold {fold.name}: {places} allow nothing of what the {len(fold.queries)} queries ask for"
    return _with_truth(fold, allowed, message)


def _with_truth(fold: Fold, kept: Mapping[str, Bools], message: str) -> Fold:
    """Return a fold with a part of its truth.

    `kept` has by target a mask over the stored entries of the truth: entries that are true there are kept. The truth of
    a target that is not in `kept` stays as it is. Queries that are left without truth are dropped. Raises DataError
    with `message` if no query is left.
    """

    def left(matrices: Mapping[str, Sparse]) -> dict[str, Sparse]:
        return {
            target: entries(matrix, kept[target]) if target in kept else matrix for target, matrix in matrices.items()
        }

    truth, gains = left(fold.truth), left(fold.gains)
    asked = np.flatnonzero(np.sum([matrix.getnnz(axis=1) for matrix in truth.values()], axis=0))
    if not len(asked):
        raise DataError(message)
    return replace(
        fold,
        queries=fold.queries.take(asked),
        truth={target: matrix[asked] for target, matrix in truth.items()},
        gains={target: matrix[asked] for target, matrix in gains.items()},
        units=fold.units[asked],
        weights=fold.weights[asked],
    )


def of_asked_kinds(fold: Fold, data: Dataset) -> Fold:
    """Return a fold of `data` after dropping items from its truth that no interaction of an asked kind supports.

    An item stays in the truth if the user has an interaction of an asked kind with it that is in `data`, but not in the
    training part of the fold. Asked kinds are the event kinds that count as truth. Queries that are left without truth
    are dropped. Raises DataError if no query is left.
    """
    history, trained = data.interactions, fold.train.interactions
    if history.targets is None or ITEMS not in fold.truth:
        return fold
    truth = fold.truth[ITEMS]
    asked = pair_keys(fold.units[kernels.csr_rows(truth)], truth.indices, history.width)
    left = _count(asked, history) > _count(asked, trained)
    if left.all():
        return fold
    return _with_truth(fold, {ITEMS: left}, f"fold {fold.name}: none of the hidden interactions is of an asked kind")


def _count(pairs: Longs, interactions: Ragged) -> Longs:
    """Return for each of these pairs (user, item) the number of its interactions of asked event kinds: int64."""
    keys = np.sort(pair_keys(interactions.rows, interactions.ids, interactions.width)[interactions.targets])
    return np.searchsorted(keys, pairs, "right") - np.searchsorted(keys, pairs, "left")


def with_visible_dislikes(fold: Fold, data: Dataset, seed: int) -> Fold:
    """Return a fold of `data` in which training part and queries have only those dislikes that the split would show.

    If all interactions in training are earlier than the first query, the dislikes from before that query are shown.
    Otherwise a random part of each user's dislikes is shown: on average the share of the user's interactions that the
    queries show, and all dislikes of a user without a query. No dislikes are shown of items whose interactions are all
    hidden, in training of users whose interactions are all hidden, and in queries with an empty history.
    """
    dislikes = data.dislikes
    if dislikes is None:
        return fold
    train, times, history = fold.train.interactions, fold.queries.times, fold.queries.history
    latest = None if train.times is None else train.times.max(initial=-np.inf)
    if latest is not None and dislikes.times is not None and times is not None and latest < times.min():
        visible = dislikes.times < times.min()
    else:
        lengths = data.interactions.lengths
        asked = np.bincount(fold.units, minlength=len(lengths))
        share = np.bincount(fold.units, history.lengths, len(lengths)) / np.maximum(asked * lengths, 1)
        share = np.where(asked > 0, share, 1.0)
        visible = label_rng(seed, f"dislikes of {fold.name}").random(len(dislikes.ids)) < share[dislikes.rows]
    # Of an item that a split hides altogether, as of such a user, nothing may be known.
    hidden_items = ~_occur(train) & _occur(data.interactions)
    shown = dislikes.where(visible & ~hidden_items[dislikes.ids])
    hidden_users = (train.lengths == 0) & (data.interactions.lengths > 0)
    of_queries = shown.take(fold.units)
    return replace(
        fold,
        train=replace(fold.train, dislikes=shown.where(~hidden_users[shown.rows])),
        queries=replace(fold.queries, disliked=of_queries.where(history.lengths[of_queries.rows] > 0)),
    )


def _occur(interactions: Ragged) -> Bools:
    """Return bool [I]: true for the items that have interactions."""
    return np.bincount(interactions.ids, minlength=interactions.width) > 0


def _held(exclude: Exclude, matrix: Sparse) -> Bools:
    """Return bool [nnz]: true for the stored entries of `matrix` that `exclude` excludes.

    `matrix`, csr [Q, N], has a row for each query, so that each entry is a pair (query, id).
    """
    rows = kernels.csr_rows(matrix)
    held = replace(exclude, rows=None).take(rows).holds(matrix.indices[:, None])[:, 0]
    if exclude.rows is not None:  # taken for each entry, the rows would be as many as entries of both in a row
        excluded = pair_keys(kernels.csr_rows(exclude.rows), exclude.rows.indices, matrix.shape[1])
        held |= contains(excluded, pair_keys(rows, matrix.indices, matrix.shape[1]))
    return held
