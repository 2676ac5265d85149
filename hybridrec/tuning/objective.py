"""The validation queries of an experiment, asked again and again: what a trial does not change is kept in memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

import numpy as np

from hybridrec.config.experiment import Aim, Experiment, Spec
from hybridrec.data.dataset import Dataset
from hybridrec.data.splits.base import Fold
from hybridrec.engine.evaluate import judge, weighted_mean
from hybridrec.engine.executor import Executor
from hybridrec.engine.fit import Fitted
from hybridrec.engine.fitter import Done, Fitter, Part
from hybridrec.engine.folds import folds_of
from hybridrec.engine.pipelines import FittedPipeline
from hybridrec.engine.runner import Experimenter
from hybridrec.engine.store import Nowhere, Store
from hybridrec.engine.train import Cut, Preparer
from hybridrec.errors import DataError
from hybridrec.evaluation.metrics import Judged, SetMetric
from hybridrec.inference.batch_runner import BatchRunner, CandidateBlock, EvalQueries
from hybridrec.inference.threads import one_thread_per_library
from hybridrec.registry.discovery import Registry
from hybridrec.tracing import calling
from hybridrec.types import Target

V = TypeVar("V")


@dataclass(slots=True)
class Shelf(Generic[V]):
    """Values by key; beyond a budget of bytes those that were not used for longest are given up."""

    budget: int
    _values: OrderedDict[Hashable, tuple[V, int]] = field(default_factory=OrderedDict)

    def get(self, key: Hashable) -> V | None:
        """The value under a key, if it is still there."""
        if key not in self._values:
            return None
        self._values.move_to_end(key)
        return self._values[key][0]

    def put(self, key: Hashable, value: V, size: int) -> None:
        """Keep a value of so many bytes."""
        self._values[key] = (value, size)
        while sum(taken for _, taken in self._values.values()) > self.budget:
            self._values.popitem(last=False)


class KeepingFitter(Fitter):
    """A fitter that keeps fitted components in memory, too, within a quarter of the budget for one fit."""

    def __init__(self, store: Store, registry: Registry, executor: Executor, *, seed: int, memory: int) -> None:
        super().__init__(store, registry, executor, seed=seed, memory=memory)
        self._kept: Shelf[Fitted] = Shelf(memory // 4)

    def fit(self, jobs: Iterable[tuple[Spec, Part]], done: Done = lambda _: None) -> list[Fitted]:
        """All jobs done, in their order: from memory, from the store, or fitted."""
        plan = {_job(spec, part): (spec, part) for spec, part in jobs}
        found = {job: self._kept.get(job) for job in plan}
        missing = {job: plan[job] for job, fitted in found.items() if fitted is None}
        if missing:
            for job, fitted in zip(missing, super().fit(missing.values(), done), strict=True):
                found[job] = fitted
                spec, part = plan[job]
                self._kept.put(job, fitted, spec.create().memory(part.train))
        return [fitted for fitted in found.values() if fitted is not None]


class Bench:
    """Measures variants of one experiment on the validation queries of all its folds.

    The data is read and cut once. Fitted components and pools stay in memory, so that a variant which
    differs only in its re-rankers is only re-ranked. Neither pools nor slates are written to the store.
    """

    def __init__(self, experiment: Experiment, data: Dataset, work: Experimenter, store: Store) -> None:
        """Cut `data` into folds as `work` would, inside the training parts."""
        config = experiment.config
        self.fitter = KeepingFitter(store, work.registry, work.executor, seed=config.seed, memory=config.memory)
        self.asker = BatchRunner(Nowhere(), work.executor, config.memory)
        preparer = self._preparer(experiment)
        self.cuts = [preparer.cut(fold) for fold in folds_of(experiment, data)]
        self.weights = np.concatenate([cut.fold.weights for cut in self.cuts])
        self._pools: Shelf[list[CandidateBlock]] = Shelf(config.memory // 4)

    def measure(self, variant: Experiment, pipeline: str, aims: Mapping[str, Aim]) -> dict[str, float]:
        """The means of the aims over all validation queries, by their names in reports; one pipeline is asked."""
        variant = replace(variant, pipelines={pipeline: variant.pipelines[pipeline]}, curves=())
        preparer = self._preparer(variant)
        judged: dict[Target, list[Judged]] = {aim.target: [] for aim in aims.values()}
        with one_thread_per_library():
            for cut in self._cuts(preparer):
                (arm,) = preparer.prepare(preparer.planned(cut)).arms
                for target, found in judged.items():
                    blocks = self._pooled(arm, cut.fold, target, variant.config.targets[target])
                    found.append(judge(cut.fold, target, self.asker.slate(arm, blocks)))
            return {name: self._mean(aim, judged[aim.target]) for name, aim in aims.items()}

    def _preparer(self, variant: Experiment) -> Preparer:
        return Preparer(variant, self.fitter, self.asker)

    def _cuts(self, preparer: Preparer) -> list[Cut]:
        """The folds, cut again if this variant is the first that learns on a part inside them."""
        if self.cuts[0].inner is None and any(plan.learns for plan in preparer.experiment.pipelines.values()):
            self.cuts = [preparer.cut(cut.fold) for cut in self.cuts]
        return self.cuts

    def _pooled(self, arm: FittedPipeline, fold: Fold, target: Target, n: int) -> list[CandidateBlock]:
        key = (fold.name, target, arm.pool_key)
        blocks = self._pools.get(key)
        if blocks is None:
            question = EvalQueries(fold.queries, target, n, fold.truth[target], fold.universe)
            blocks = self.asker.candidates(arm, question)
            self._pools.put(key, blocks, sum(map(_size, blocks)))
        return blocks

    def _mean(self, aim: Aim, judged: list[Judged]) -> float:
        with calling(aim.measure.metric, f"while measuring {aim.key}"):
            if isinstance(aim.measure.metric, SetMetric):
                mean: float | None = aim.measure.value(judged)
            else:
                values = np.concatenate([aim.measure.values(fold) for fold in judged])
                mean = weighted_mean(values, self.weights)
        if mean is None or np.isnan(mean):
            raise DataError(f"{aim.key} is not defined for any validation query")
        return mean


def _job(spec: Spec, part: Part) -> tuple[str, ...]:
    """What tells two fits of a bench apart: its data, seed and libraries do not change."""
    below = () if spec.lender is None else _job(spec.lender, part)
    return part.fold, part.level, spec.label, spec.cls.name, spec.options.model_dump_json(), *below


def _size(pooled: CandidateBlock) -> int:
    """Bytes of a pool and of what re-rankers keep with it: about one array for each of its columns."""
    state: dict[str, Any] = pooled.pool.state()
    return 2 * sum(array.nbytes for array in state.values())
