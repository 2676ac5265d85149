"""The folds of an experiment: the output of its splitter is checked before it is used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from hybridrec.config.experiment import CheckedExperiment
from hybridrec.data.checks import check_fold, check_hidden
from hybridrec.data.dataset import Dataset
from hybridrec.data.segments.base import segments_of
from hybridrec.data.segments.known_fields import KnownFields
from hybridrec.data.splits.base import Fold
from hybridrec.engine.seeds import label_rng
from hybridrec.errors import DataError, PluginError
from hybridrec.tracing import calling, each


def folds_of(experiment: CheckedExperiment, data: Dataset) -> Iterator[Fold]:
    """Yield the folds on which an experiment is evaluated; each has queries."""
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
    """Return a fold cut out of the training part of another one; `purpose` makes its random numbers differ."""
    with calling(experiment.splitter, f"while splitting the training part of {fold.name}"):
        validation = experiment.splitter.validation_split(
            fold.train, label_rng(experiment.config.seed, f"{purpose} of {fold.name}")
        )
    return _checked(experiment, validation, fold.train)


def _checked(experiment: CheckedExperiment, fold: Fold, data: Dataset) -> Fold:
    """Return a fold of `data` that keeps the contract; its queries carry their segments by the first segmenter."""
    with calling(experiment.splitter, f"in fold {getattr(fold, 'name', '?')}, splitter '{experiment.splitter.name}'"):
        check_fold(fold, data)
        # Where users come back to items that they had, and these may be recommended, the truth may hold known items.
        if any(plan.use.seen == "exclude" for plan in experiment.pipelines.values()):
            check_hidden(fold)
    first = next(iter(experiment.segmenters.values()))
    if isinstance(first, KnownFields):  # what queries know they need not carry
        return fold
    return replace(fold, queries=replace(fold.queries, segment=segments_of(first, fold.queries, fold.train)))
