"""The variance of a difference between two arms, split into the part due to users and the part due to seeds.

With N repeats and U users, the difference of user u in repeat r is modelled as mu + a_r + b_u + e_ru: seeds and users
are crossed random effects (Cornfield and Tukey 1956). The mean square of seeds is MS_a = U var_r(mean over users), the
mean square of users is MS_b = N var_u(mean over repeats), and MS_e is the mean square of the residual; var_r and var_u
are variances over repeats and over users. The variance of the mean difference for new users and new seeds is

    (MS_a + MS_b - MS_e) / (N U) = users + seeds,   users = MS_b / (N U),   seeds = max(0, MS_a - MS_e) / (N U)

(the analysis of variance estimators of Searle, Casella and McCulloch 1992, section 4.3; the estimator for seeds is
truncated at 0). The t interval of the mean difference has Satterthwaite's (1946) degrees of freedom. `users` includes
the interaction of users and seeds; it is the variance that the bootstrap over users sees. Queries of unequal weight
enter through linearisation of the ratio, as in `statistics.standard_errors`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit

from hybridrec.evaluation.report import SeedSplit, Spread
from hybridrec.evaluation.samples import EvaluatedArm
from hybridrec.evaluation.statistics import LEVEL, Totals, membership
from hybridrec.types import Doubles


class Split(NamedTuple):
    """The variance of a mean over repeats and users, in two parts.

    users, seeds: the part due to the users and the part due to the seeds
    degrees: the degrees of freedom of the sum of both parts
    """

    users: float
    seeds: float
    degrees: float


def split(values: Doubles) -> Split:
    """Split the variance of the mean of all values into the parts due to users and to seeds.

    `values`, float64 [N, U], has a row for each of at least two repeats and a column for each of at least two users.
    """
    repeats, users = values.shape
    by_repeat, by_user = values.mean(axis=1, keepdims=True), values.mean(axis=0, keepdims=True)
    rest = values - by_repeat - by_user + values.mean()
    seeds_square = users * float(by_repeat.var(ddof=1))
    users_square = repeats * float(by_user.var(ddof=1))
    rest_square = float((rest**2).sum()) / ((repeats - 1) * (users - 1))
    if seeds_square <= rest_square:
        return Split(users_square / values.size, 0.0, users - 1.0)
    squares = [
        (seeds_square, repeats - 1),
        (users_square, users - 1),
        (-rest_square, (repeats - 1) * (users - 1)),
    ]
    whole = sum(square for square, _ in squares)
    degrees = whole**2 / sum(square**2 / freedom for square, freedom in squares)
    return Split(users_square / values.size, (seeds_square - rest_square) / values.size, degrees)


def seed_splits(
    repeats: Sequence[Mapping[str, EvaluatedArm]], pairs: Sequence[tuple[str, str]], metrics: Sequence[str]
) -> list[SeedSplit]:
    """Split the variance of each difference, variant minus control, into the parts due to users and to seeds.

    repeats: for each of at least two trainings with other seeds, the arms by name

    Returns a split for each pair (control, variant) and each metric that has values per query.
    """
    return [
        _split_of(repeats, control, variant, metric)
        for control, variant in pairs
        for metric in metrics
        if metric in repeats[0][control].values
    ]


def spreads(repeats: Sequence[Mapping[str, EvaluatedArm]]) -> dict[str, dict[str, Spread]]:
    """Compute the mean of each metric in each repeat, and the standard deviation of these means, by arm and metric.

    Metrics that are one number of the whole run, such as coverage, are included.
    """
    by_arm: dict[str, dict[str, Spread]] = {}
    for name, first in repeats[0].items():
        members = membership(first.sample.units, first.sample.weights)
        columns = {
            metric: [float(Totals.of(members, arms[name].values[metric][:, None]).means[0]) for arms in repeats]
            for metric in first.values
        }
        columns |= {metric: [arms[name].set_values[metric] for arms in repeats] for metric in first.set_values}
        by_arm[name] = {
            metric: Spread(values=list(values), deviation=float(np.std(values, ddof=1)))
            for metric, values in columns.items()
        }
    return by_arm


def _split_of(repeats: Sequence[Mapping[str, EvaluatedArm]], control: str, variant: str, metric: str) -> SeedSplit:
    sample = repeats[0][control].sample
    gains = np.stack([arms[variant].values[metric] - arms[control].values[metric] for arms in repeats], axis=1)
    gains[np.isnan(gains).any(axis=1)] = np.nan  # keep the same queries in every repeat
    totals = Totals.of(membership(sample.units, sample.weights), gains)
    asked = totals.weights[:, 0] > 0
    means, users = totals.means, int(asked.sum())
    delta = float(means.mean())
    row = SeedSplit(control=control, variant=variant, metric=metric, delta=delta)
    if users < 2:
        return row
    weights = totals.weights[asked]
    linear = means + users * (totals.sums[asked] - means * weights) / weights.sum(axis=0)
    parts = split(linear.T)
    variance = parts.users + parts.seeds
    reach = float(stdtrit(parts.degrees, (1 + LEVEL) / 2)) * variance**0.5
    return row.model_copy(
        update={
            "users_variance": parts.users,
            "seeds_variance": parts.seeds,
            "seeds_share": parts.seeds / variance if variance else None,
            "standard_error": variance**0.5,
            "degrees": parts.degrees,
            "ci95": (delta - reach, delta + reach),
        }
    )
