"""Estimates of what another policy would have earned, from a log of actions with their probabilities.

With the importance weight w = target propensity / logged propensity of an action and its reward r:

    ips    mean of w r                      Horvitz and Thompson 1952: unbiased, high variance
    snips  sum of w r / sum of w            Swaminathan and Joachims 2015, "The self-normalized estimator
                                            for counterfactual learning": little bias, less variance
    dr     mean of expected + w (r - predicted)   Dudik, Langford and Li 2011, "Doubly robust policy
                                            evaluation and learning": a model of the reward removes most
                                            of the variance, the weights remove the model's error

All three, and the mean reward of the log itself, are ratios of sums over units. Their standard errors come
from linearisation, their intervals from the bootstrap over units that the rest of the evaluation uses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np

from hybridrec.evaluation.bandit_log import BanditLog
from hybridrec.evaluation.report import Verdict
from hybridrec.evaluation.statistics import (
    RESAMPLES,
    Totals,
    degrees_of_freedom,
    interval,
    membership,
    ratio,
    resampled_sums,
    standard_errors,
)
from hybridrec.types import Doubles

Estimator: TypeAlias = Literal["ips", "snips", "dr"]
ESTIMATORS: tuple[Estimator, ...] = get_args(Estimator)


@dataclass(frozen=True, slots=True)
class OffPolicyEstimate:
    """The mean reward of the target policy by one estimator, and its lift over the logging policy.

    clip: the level at which importance weights were clipped; None if the weights were not clipped
    value: the mean reward per action under the target policy; `ci95` is its bootstrap interval over units, and
        `standard_error` its standard error by linearisation
    lift: `value` minus the mean reward of the log; `lift_ci95` is the bootstrap interval of this difference
    effective_size: (sum of w)^2 / sum of w^2 for importance weights w: the log is about as informative as this number
        of actions drawn by the target policy itself
    clipped: the share of actions whose weight was clipped
    verdict: `better` or `worse` than the logging policy if `lift_ci95` excludes 0, else `undecided`
    """

    estimator: Estimator
    clip: float | None
    value: float
    ci95: tuple[float, float]
    standard_error: float
    lift: float
    lift_ci95: tuple[float, float]
    effective_size: float
    clipped: float
    actions: int
    units: int
    verdict: Verdict


def totals(log: BanditLog, clip: float | None = None) -> Totals:
    """Sum the numerators and denominators of the estimators by unit.

    The columns are `ips`, `snips` and, if the log has a model's predictions, `dr`. The property `means` of the result
    holds the estimates, so the functions for intervals and standard errors of means apply to them.
    """
    members = membership(log.units, np.ones(len(log.units)))
    weights, ones = clipped_weights(log, clip), np.ones(len(log.units))
    numerators, denominators = [weights * log.reward] * 2, [ones, weights]
    if log.predicted is not None and log.expected is not None:
        numerators.append(log.expected + weights * (log.reward - log.predicted))
        denominators.append(ones)
    return Totals(members @ np.stack(numerators, axis=1), members @ np.stack(denominators, axis=1))


def clipped_weights(log: BanditLog, clip: float | None) -> Doubles:
    """Return the importance weights, clipped at `clip` unless it is None: float64 [N]."""
    return log.weights if clip is None else np.minimum(log.weights, clip)


def off_policy_estimates(
    log: BanditLog, rng: np.random.Generator, clips: Sequence[float] = (), resamples: int = RESAMPLES
) -> list[OffPolicyEstimate]:
    """Estimate the reward of the target policy by every estimator, at each level of clipping.

    The estimates without clipping come first, then the estimates at each level of `clips`. The order within a level is
    `ips`, `snips` and, if the log has a model's predictions, `dr`. All estimates share the same resamples.
    """
    levels = [None, *clips]
    parts = [totals(log, clip) for clip in levels]
    shown = Totals.of(membership(log.units, np.ones(len(log.units))), log.reward[:, None])
    columns = Totals.join([*parts, shown])
    grouped = columns.grouped(rng)
    values = ratio(*np.split(resampled_sums(np.hstack([grouped.sums, grouped.weights]), rng, resamples), 2))
    influence = columns.residuals / columns.weights.sum(axis=0)
    bounds = interval(values, columns.units, degrees_of_freedom(influence, columns.units))
    differing = np.maximum(columns.units, columns.units[-1])  # whose weights are all 0 still have a reward in the log
    freedom = degrees_of_freedom(influence - influence[:, -1:], differing)
    lift_bounds = interval(values - values[-1], differing, freedom)
    means, errors = columns.means, standard_errors(columns)
    counts = [level.sums.shape[1] for level in parts]
    rows = [(name, clip) for clip, count in zip(levels, counts, strict=True) for name in ESTIMATORS[:count]]
    return [
        OffPolicyEstimate(
            estimator=estimator,
            clip=clip,
            value=float(means[column]),
            ci95=_pair(bounds[column]),
            standard_error=float(errors[column]),
            lift=float(means[column] - means[-1]),
            lift_ci95=_pair(lift_bounds[column]),
            effective_size=effective_size(clipped_weights(log, clip)),
            clipped=0.0 if clip is None else float(np.mean(log.weights > clip)),
            actions=len(log.units),
            units=len(columns.sums),
            verdict=_verdict(lift_bounds[column]),
        )
        for column, (estimator, clip) in enumerate(rows)
    ]


def effective_size(weights: Doubles) -> float:
    """Return the effective sample size of importance weights w: (sum of w)^2 / sum of w^2 (Kong 1992)."""
    return float(weights.sum() ** 2 / np.square(weights).sum())


def _verdict(lift_bounds: Doubles) -> Verdict:
    low, high = lift_bounds
    return "better" if low > 0 else "worse" if high < 0 else "undecided"


def _pair(bounds: Doubles) -> tuple[float, float]:
    return float(bounds[0]), float(bounds[1])
