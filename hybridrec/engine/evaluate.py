"""What pipelines gave, judged fold by fold, and joined for the statistics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from hybridrec.config.experiment import Aim, Experiment
from hybridrec.data.splits.base import Fold
from hybridrec.evaluation.metrics import Judged, SetMetric, combine
from hybridrec.evaluation.samples import Arm as MeasuredArm
from hybridrec.evaluation.samples import Sample
from hybridrec.inference.batch_runner import BatchResults
from hybridrec.stages import kernels
from hybridrec.stages.slate import Slate
from hybridrec.tracing import calling
from hybridrec.types import Doubles, Longs, Target


@dataclass(slots=True)
class Measured:
    """What one pipeline gave over all folds, target by target; every fold adds to each list."""

    values: dict[str, list[Doubles]] = field(default_factory=dict)
    judged: dict[str, list[Judged]] = field(default_factory=dict)
    found: dict[Target, list[Doubles]] = field(default_factory=dict)
    answers: dict[Target, list[BatchResults]] = field(default_factory=dict)
    heard: dict[Target, Counter[str]] = field(default_factory=dict)
    learned: dict[str, object] = field(default_factory=dict)

    def add(self, fold: Fold, target: Target, answers: BatchResults, aims: tuple[Aim, ...]) -> None:
        """Judge the answers to the queries of a fold."""
        judged = judge(fold, target, answers.slate)
        for aim in aims:
            if aim.target != target:
                continue
            if isinstance(aim.measure.metric, SetMetric):
                self.judged.setdefault(aim.key, []).append(judged)
            else:
                with calling(aim.measure.metric, f"while measuring {aim.key} in fold {fold.name}"):
                    self.values.setdefault(aim.key, []).append(aim.measure.values(judged))
        self.found.setdefault(target, []).append(answers.found)
        self.answers.setdefault(target, []).append(answers)
        self.heard.setdefault(target, Counter()).update(answers.heard)

    def arm(self, name: str, sample: Sample, experiment: Experiment, groups: Mapping[str, Longs]) -> MeasuredArm:
        """For the statistics; of the metrics in `groups`, int64[Q], also what they are without each group of users."""
        whole: dict[str, float] = {}
        without: dict[str, Doubles] = {}
        for aim in experiment.aims:
            if aim.key in self.judged:
                with calling(aim.measure.metric, f"while measuring {aim.key} of all folds"):
                    whole[aim.key] = aim.measure.value(self.judged[aim.key])
                    if aim.key in groups:
                        without[aim.key] = aim.measure.without_each(self.judged[aim.key], groups[aim.key])
        values = {metric: np.concatenate(parts) for metric, parts in self.values.items()}
        combined = experiment.config.compare.combined
        values |= {metric: combine(values, weights) for metric, weights in combined.items()}
        values = {metric: values[metric] for metric in experiment.metrics if metric in values}
        first = next(iter(experiment.config.targets))
        served_by = [np.array(given.slate.rungs)[given.slate.rung] for given in self.answers[first]]
        return MeasuredArm(name, sample, values, whole, np.concatenate(served_by), without)


def judge(fold: Fold, target: Target, slate: Slate) -> Judged:
    """Slates for the queries of a fold beside what was hidden of them."""
    truth = fold.truth[target]
    return Judged(target, slate.ids, kernels.hits(slate.ids, truth), truth, fold.train, fold.universe, fold.queries)


def weighted_mean(values: Doubles, weights: Doubles) -> float | None:
    """The mean over the queries for which there is a value; None if there are none."""
    defined = ~np.isnan(values)
    return float(np.average(values[defined], weights=weights[defined])) if defined.any() else None
