"""The evaluation of pipelines: measure their slates fold by fold, and join the values for the statistics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from hybridrec.config.experiment import CheckedExperiment, MetricSpec, RelevantItems
from hybridrec.data.dataset import contains, pair_keys
from hybridrec.data.splits.base import Fold
from hybridrec.data.splits.holdout import entries
from hybridrec.evaluation.metrics import EvalBatch, SetMetric, combine
from hybridrec.evaluation.samples import EvaluatedArm, Sample
from hybridrec.inference.batch_runner import BatchResults, EvalQueries
from hybridrec.stages import kernels
from hybridrec.stages.slate import Slate
from hybridrec.tracing import calling
from hybridrec.types import Doubles, Longs, Target


@dataclass(slots=True)
class MetricAccumulator:
    """The measured results of one pipeline; every list has an entry for each fold.

    values: metric -> for each fold float64 [Q], the value of each query
    eval_batch: metric of the whole run (`SetMetric`) -> for each fold the input of the metric
    candidate_recall: target -> for each fold float64 [Q], the share of relevant ids that are candidates
    answers: target -> for each fold the slates and what else the pipeline returned
    n_scored: target -> label -> number of queries for which the component scored a candidate
    learned: fold -> summary of what the blend learned
    """

    values: dict[str, list[Doubles]] = field(default_factory=dict)
    eval_batch: dict[str, list[EvalBatch]] = field(default_factory=dict)
    candidate_recall: dict[Target, list[Doubles]] = field(default_factory=dict)
    answers: dict[Target, list[BatchResults]] = field(default_factory=dict)
    n_scored: dict[Target, Counter[str]] = field(default_factory=dict)
    learned: dict[str, dict[str, object]] = field(default_factory=dict)

    def add(self, fold: Fold, target: Target, answers: BatchResults, metric_specs: tuple[MetricSpec, ...]) -> None:
        """Measure the results of a fold for one target, and add the values to the lists."""
        whole = judge(fold, target, answers.slate)
        for metric_spec in metric_specs:
            if metric_spec.target != target:
                continue
            eval_batch = whole if metric_spec.of == "all" else divided(whole, metric_spec.of)
            if isinstance(metric_spec.measure.metric, SetMetric):
                self.eval_batch.setdefault(metric_spec.key, []).append(eval_batch)
            else:
                with calling(metric_spec.measure.metric, f"while measuring {metric_spec.key} in fold {fold.name}"):
                    self.values.setdefault(metric_spec.key, []).append(metric_spec.measure.values(eval_batch))
        self.candidate_recall.setdefault(target, []).append(answers.candidate_recall)
        self.answers.setdefault(target, []).append(answers)
        self.n_scored.setdefault(target, Counter()).update(answers.n_scored)

    def arm(
        self, name: str, sample: Sample, experiment: CheckedExperiment, groups: Mapping[str, Longs]
    ) -> EvaluatedArm:
        """Join the values of all folds, and return them as the arm called `name`, the input of the statistics.

        groups: name of a `SetMetric` (a metric of a whole run) -> int64 [Q], the group of each of the Q queries. The
            metric is also computed without each of these groups
        """
        whole: dict[str, float] = {}
        without: dict[str, Doubles] = {}
        for metric_spec in experiment.metric_specs:
            if metric_spec.key in self.eval_batch:
                with calling(metric_spec.measure.metric, f"while measuring {metric_spec.key} of all folds"):
                    whole[metric_spec.key] = metric_spec.measure.value(self.eval_batch[metric_spec.key])
                    if metric_spec.key in groups:
                        without[metric_spec.key] = metric_spec.measure.without_each(
                            self.eval_batch[metric_spec.key], groups[metric_spec.key]
                        )
        values = {metric: np.concatenate(parts) for metric, parts in self.values.items()}
        combined = experiment.config.compare.combined
        values |= {metric: combine(values, weights) for metric, weights in combined.items()}
        values = {metric: values[metric] for metric in experiment.metrics if metric in values}
        first = next(iter(experiment.config.targets))
        served_by = [np.array(given.slate.servers)[given.slate.served_by] for given in self.answers[first]]
        return EvaluatedArm(name, sample, values, whole, np.concatenate(served_by), without)


def question_of(fold: Fold, target: Target, n: int, *, named: bool) -> EvalQueries:
    """Return the queries of a fold, to be answered with slates of n places for one target.

    With `named`, each query gets an id made of the name of the fold and the row of the query. Random draws depend on
    this id.
    """
    queries = fold.queries
    if named:
        queries = replace(queries, ids=tuple(f"{fold.name}/{row}" for row in range(len(queries))))
    return EvalQueries(queries, target, n, fold.truth[target], fold.candidate_items)


def check_metrics(fold: Fold, metric_specs: Iterable[MetricSpec]) -> None:
    """Compute each metric for an empty batch of queries, and raise the error of a metric that fails.

    So a metric that does not suit the data fails before anything is fitted.
    """
    nobody = fold.queries.take(slice(0, 0))
    for metric_spec in metric_specs:
        empty = EvalBatch(
            target=metric_spec.target,
            ids=np.empty((0, 1), np.int32),
            hits=np.empty((0, 1), bool),
            truth=fold.truth[metric_spec.target][:0],
            train=fold.train,
            candidate_items=fold.candidate_items,
            queries=nobody,
        )
        with calling(metric_spec.measure.metric, f"while measuring {metric_spec.key} in fold {fold.name}"):
            metric_spec.measure.values(empty)


def judge(fold: Fold, target: Target, slate: Slate) -> EvalBatch:
    """Join the slates for the queries of a fold with the fold's truth, as the input of metrics."""
    truth = fold.truth[target]
    return EvalBatch(
        target=target,
        ids=slate.ids,
        hits=kernels.hits(slate.ids, truth),
        truth=truth,
        train=fold.train,
        candidate_items=fold.candidate_items,
        queries=fold.queries,
        gains=fold.gains.get(target),
    )


def divided(eval_batch: EvalBatch, of: RelevantItems) -> EvalBatch:
    """Return the input of a metric with only some of the relevant ids.

    If `of` is "repeated", only relevant ids that are in the query's own history are left; if it is "new", only relevant
    ids that are not.
    """
    truth = eval_batch.truth
    assert eval_batch.queries is not None
    shown = eval_batch.queries.history.matrix(binary=True)
    rows = kernels.csr_rows(truth)
    width = truth.shape[1]
    pairs = pair_keys(kernels.csr_rows(shown), shown.indices, width)
    is_shown = contains(pairs, pair_keys(rows, truth.indices, width))
    kept = is_shown if of == "repeated" else ~is_shown
    left = entries(truth, kept)
    gains = None if eval_batch.gains is None else entries(eval_batch.gains, kept)
    return replace(eval_batch, truth=left, hits=kernels.hits(eval_batch.ids, left), gains=gains)


def weighted_mean(values: Doubles, weights: Doubles) -> float | None:
    """Return the weighted mean of values, float64 [Q], over the queries whose value is not NaN; None if all are NaN."""
    defined = ~np.isnan(values)
    return float(np.average(values[defined], weights=weights[defined])) if defined.any() else None
