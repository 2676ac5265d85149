"""The objective of a search: measure variants on validation queries; results that variants share stay in memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

import numpy as np

from hybridrec.config.experiment import CheckedExperiment, ComponentSpec, MetricSpec
from hybridrec.data.dataset import Dataset
from hybridrec.data.splits.base import Fold
from hybridrec.engine.evaluate import judge, question_of, weighted_mean
from hybridrec.engine.fit import Fitted
from hybridrec.engine.fitter import Done, Fitter, PlannedFit, TrainingPart
from hybridrec.engine.folds import folds_of
from hybridrec.engine.pipelines import FittedPipeline
from hybridrec.engine.runner import ExperimentRunner
from hybridrec.engine.store import NullStore
from hybridrec.engine.train import FoldSplits, FoldTrainer
from hybridrec.errors import DataError
from hybridrec.evaluation.metrics import EvalBatch, SetMetric
from hybridrec.inference.batch_runner import BatchRunner, CandidateBlock
from hybridrec.inference.threads import one_thread_per_library
from hybridrec.tracing import calling
from hybridrec.types import Target

V = TypeVar("V")


@dataclass(slots=True)
class LRUCache(Generic[V]):
    """A cache of values by key that drops the least recently used values if they exceed a budget of bytes."""

    budget: int
    _values: OrderedDict[Hashable, tuple[V, int]] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _making: dict[Hashable, threading.Lock] = field(default_factory=dict)

    @contextmanager
    def making(self, keys: Iterable[tuple[str, ...]]) -> Iterator[None]:
        """Hold keys during the `with` block, in which their values are made: another thread waits, and finds them."""
        with self._lock:
            locks = [self._making.setdefault(key, threading.Lock()) for key in sorted(set(keys))]
        with ExitStack() as stack:
            for lock in locks:
                stack.enter_context(lock)
            yield

    def get(self, key: Hashable) -> V | None:
        """Return the value under a key; None if it was dropped or never there."""
        with self._lock:
            if key not in self._values:
                return None
            self._values.move_to_end(key)
            return self._values[key][0]

    def put(self, key: Hashable, value: V, size: int) -> None:
        """Keep a value that takes `size` bytes, and drop others if the budget is exceeded."""
        with self._lock:
            self._values[key] = (value, size)
            while sum(taken for _, taken in self._values.values()) > self.budget:
                self._values.popitem(last=False)


@dataclass(eq=False)
class CachingFitter(Fitter):
    """A fitter that also keeps fitted components in memory, as long as they take at most a quarter of the budget."""

    def __post_init__(self) -> None:
        """Begin with nothing in memory."""
        self._kept: LRUCache[Fitted] = LRUCache(self.memory // 4)

    def fit(self, jobs: Iterable[PlannedFit], done: Done = lambda _: None) -> list[Fitted]:
        """Return the fits of all jobs, in their order; fit only what is neither in memory nor in the store."""
        planned = {_job(spec, training_part): (spec, training_part) for spec, training_part in jobs}
        fits = {job: self._kept.get(job) for job in planned}
        missing = {job: planned[job] for job, fitted in fits.items() if fitted is None}
        # Of trials side by side, one makes what several need.
        keys = [_job(each, training_part) for spec, training_part in missing.values() for each in _with_base(spec)]
        with self._kept.making(keys):
            fits |= {job: self._kept.get(job) for job in missing}
            missing = {job: planned[job] for job in missing if fits[job] is None}
            if missing:
                for job, fitted in zip(missing, super().fit(missing.values(), done), strict=True):
                    fits[job] = fitted
                    spec, training_part = planned[job]
                    self._kept.put(job, fitted, spec.create().memory(training_part.train))
        return [fitted for fitted in fits.values() if fitted is not None]


class Objective:
    """The objective of a search, which measures variants of one experiment on the validation queries of all folds.

    The data is read and split once. Fitted components and pools stay in memory, so that for a variant that differs only
    in its re-rankers only the re-ranking is repeated. Neither pools nor slates are written to the store. The observers
    of `work` are told of each fit once, and again only if the fit was dropped from memory.
    """

    def __init__(self, experiment: CheckedExperiment, data: Dataset, work: ExperimentRunner) -> None:
        """Split `data` into folds, and each training part once more, for the validation queries."""
        config = experiment.config
        self.work = work
        self.fitter = work.fitter(1, CachingFitter)
        self.runner = BatchRunner(NullStore(), work.executor, config.memory)
        self._splitting = threading.Lock()
        trainer = self._preparer(experiment)
        self.splits = [trainer.splits(fold) for fold in folds_of(experiment, data)]
        self.weights = np.concatenate([splits.fold.weights for splits in self.splits])
        self._pools: LRUCache[list[CandidateBlock]] = LRUCache(config.memory // 4)

    def measure(
        self, variant: CheckedExperiment, pipeline: str, metric_specs: Mapping[str, MetricSpec]
    ) -> dict[str, float]:
        """Measure one pipeline of a variant, and return the mean of each metric over all validation queries.

        `metric_specs` has the metrics by their names in reports, and the result has the same names. Raises DataError if
        a metric is not defined for any query.
        """
        variant = replace(variant, pipelines={pipeline: variant.pipelines[pipeline]}, curves=())
        trainer = self._preparer(variant)
        eval_batch: dict[Target, list[EvalBatch]] = {metric_spec.target: [] for metric_spec in metric_specs.values()}
        with one_thread_per_library():
            for splits in self._splits(trainer):
                (arm,) = trainer.prepare(trainer.planned(splits), self.work.fitted).arms
                for target, batches in eval_batch.items():
                    blocks = self._pooled(arm, splits.fold, target, variant.config.targets[target])
                    batches.append(judge(splits.fold, target, self.runner.slate(arm, blocks)))
            return {
                name: self._mean(metric_spec, eval_batch[metric_spec.target])
                for name, metric_spec in metric_specs.items()
            }

    def _preparer(self, variant: CheckedExperiment) -> FoldTrainer:
        return FoldTrainer(variant, self.fitter, self.runner)

    def _splits(self, trainer: FoldTrainer) -> list[FoldSplits]:
        """Return the folds with their splits; split them again for the first variant in which a blend learns."""
        with self._splitting:
            if self.splits[0].validation is None and any(
                pipeline.learns for pipeline in trainer.experiment.pipelines.values()
            ):
                self.splits = [trainer.splits(splits.fold) for splits in self.splits]
            return self.splits

    def _pooled(self, arm: FittedPipeline, fold: Fold, target: Target, n: int) -> list[CandidateBlock]:
        key = (fold.name, target, arm.pool_key)
        with self._pools.making([key]):
            blocks = self._pools.get(key)
            if blocks is None:
                # Pools are shared by variants, of which some may draw.
                blocks = self.runner.candidates(arm, question_of(fold, target, n, named=True))
                self._pools.put(key, blocks, sum(map(_size, blocks)))
            return blocks

    def _mean(self, metric_spec: MetricSpec, eval_batch: list[EvalBatch]) -> float:
        with calling(metric_spec.measure.metric, f"while measuring {metric_spec.key}"):
            if isinstance(metric_spec.measure.metric, SetMetric):
                mean: float | None = metric_spec.measure.value(eval_batch)
            else:
                values = np.concatenate([metric_spec.measure.values(fold) for fold in eval_batch])
                mean = weighted_mean(values, self.weights)
        if mean is None or np.isnan(mean):
            raise DataError(f"{metric_spec.key} is not defined for any validation query")
        return mean


def _with_base(spec: ComponentSpec) -> tuple[ComponentSpec, ...]:
    """Return a component and those on which it depends."""
    return (*spec.base_models, spec)


def _job(spec: ComponentSpec, training_part: TrainingPart) -> tuple[str, ...]:
    """Return a key of a fit, unique within one search; data, seed and libraries are the same for a whole search."""
    below = () if spec.base_model is None else _job(spec.base_model, training_part)
    return training_part.fold, training_part.level, spec.label, spec.cls.name, spec.options.model_dump_json(), *below


def _size(pooled: CandidateBlock) -> int:
    """Estimate the bytes of a pool and of the arrays that re-rankers cache with it, which are about as large again."""
    state: dict[str, Any] = pooled.pool.state()
    return 2 * sum(array.nbytes for array in state.values())
