"""Guardrails: limits on what a variant may lose while it gains elsewhere, tested for non-inferiority.

A guardrail is the largest loss that is accepted, relative to the control. It is *held* if the one-sided
95 % upper bound of the loss is below the margin (Piaggio et al. 2012), *broken* if the lower bound is above
it, and undecided otherwise. All guardrails have to hold, so they are not corrected for their number (an
intersection-union test; Berger 1982).

Bounds of a metric per query come from the paired bootstrap over users. A number of the whole run, such as
coverage, is not a mean over queries: a resample of users with replacement has some slates twice and covers fewer
items. Its bounds come from a jackknife that leaves out one group of users at a time in both arms (Shao and Tu
1995, section 2.3); it works on the logarithm of the ratio, with t quantiles. For latency, both arms answer the same
blocks of queries in turn; the bounds are those of the mean log ratio of the seconds over blocks, with t quantiles.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit

from hybridrec.evaluation.report import LATENCY, Guardrail, GuardrailVerdict
from hybridrec.evaluation.samples import EvaluatedArm
from hybridrec.evaluation.statistics import (
    RESAMPLES,
    Totals,
    degrees_of_freedom,
    interval,
    membership,
    ratio,
    resampled_sums,
)
from hybridrec.types import Doubles, Ints, Longs

ONE_SIDED = 0.95
GROUPS = 40
"""Number of groups of users, which the jackknife leaves out one at a time."""


class Change(NamedTuple):
    """The relative change of a metric, variant / control - 1, with one-sided 95 % bounds; NaN if they do not exist."""

    value: float
    low: float
    high: float


def guardrails(
    arms: Mapping[str, EvaluatedArm],
    pairs: Sequence[tuple[str, str]],
    margins: Mapping[str, float],
    rng: np.random.Generator,
    *,
    lower_is_better: Collection[str] = (),
    seconds: Mapping[str, Doubles] | None = None,
    resamples: int = RESAMPLES,
) -> list[Guardrail]:
    """Test every guardrail for every pair (control, variant): one result for each pair and guardrail.

    margins: metric or `latency` -> the largest relative loss that is accepted
    seconds: arm -> float64 [B], seconds per query of the same B blocks of queries in the same order
    """
    seconds = seconds or {}
    results = []
    for control, variant in pairs:
        for metric, margin in margins.items():
            if metric == LATENCY:
                change = _exponential(np.log(seconds[variant] / seconds[control]))
            elif metric in arms[control].set_values:
                change = _of_the_whole(arms[control], arms[variant], metric)
            else:
                change = _per_query(arms[control], arms[variant], metric, rng, resamples)
            if metric == LATENCY or metric in lower_is_better:
                loss = change
            else:
                loss = Change(-change.value, -change.high, -change.low)
            guardrail = Guardrail(
                control=control,
                variant=variant,
                metric=metric,
                margin=margin,
                loss=loss.value,
                bounds=(loss.low, loss.high),
                verdict=verdict(loss, margin),
            )
            results.append(guardrail)
    return results


def verdict(loss: Change, margin: float) -> GuardrailVerdict:
    """Decide if a loss is surely below the margin (`held`), surely above it (`broken`), or neither (`undecided`)."""
    if loss.high < margin:
        return "held"
    return "broken" if loss.low > margin else "undecided"


def reason(guardrail: Guardrail) -> str:
    """Explain the verdict of a guardrail in words: "loss 12.3 %, at least 10.1 %; 5 % is accepted"."""
    accepted = f"{100 * guardrail.margin:g} % is accepted"
    if guardrail.loss is None or guardrail.bounds is None:
        return f"no interval; {accepted}"
    low, high = (f"{100 * bound:.1f} %" for bound in guardrail.bounds)
    no_loss = guardrail.bounds[1] <= 0
    sure = {
        "held": "surely no loss" if no_loss else f"a loss of at most {high}",
        "broken": f"at least {low}",
        "undecided": f"a loss between {low} and {high}",
    }[guardrail.verdict]
    change = "gain" if guardrail.loss < 0 else "loss"
    return f"{change} {100 * abs(guardrail.loss):.1f} %, {sure}; {accepted}"


def groups_of(units: Ints, rng: np.random.Generator) -> Longs:
    """Assign users to groups at random: int64 [Q], the group of the user behind each query."""
    present, codes = np.unique(units, return_inverse=True)
    return (rng.permutation(len(present)) % min(GROUPS, len(present)))[codes].astype(np.int64)


def _per_query(
    control: EvaluatedArm, variant: EvaluatedArm, metric: str, rng: np.random.Generator, resamples: int
) -> Change:
    """Compute the change of a metric per query, with bounds from the bootstrap over users.

    Only queries for which the metric is defined in both arms count.
    """
    members = membership(control.sample.units, control.sample.weights)
    gain = (variant.values[metric] - control.values[metric])[:, None]
    base = np.where(np.isnan(gain), np.nan, control.values[metric][:, None])
    totals = Totals.join([Totals.of(members, gain), Totals.of(members, base)])
    drawn = resampled_sums(totals.grouped(rng).sums, rng, resamples)
    relative = Totals(totals.sums[:, :1], totals.sums[:, 1:])
    freedom = degrees_of_freedom(relative.residuals, totals.units[:1])
    bounds = interval(ratio(drawn[:1], drawn[1:]), totals.units[:1], freedom, 2 * ONE_SIDED - 1)[0]
    return Change(float(relative.means[0]), *bounds.tolist())


def _of_the_whole(control: EvaluatedArm, variant: EvaluatedArm, metric: str) -> Change:
    """Compute the change of a metric of the whole run, with bounds from the jackknife over groups of users.

    The jackknife works on the log ratio; without positive numbers of both arms in every group the bounds are NaN.
    """
    numbers = np.array([[arm.set_values[metric], *arm.without_group[metric]] for arm in (control, variant)])
    if not (numbers > 0).all():  # also catches NaN
        return Change(float(ratio(numbers[1, 0] - numbers[0, 0], numbers[0, 0])), np.nan, np.nan)
    logs = np.log(numbers[1] / numbers[0])
    groups = len(logs) - 1
    return _exponential(groups * logs[0] - (groups - 1) * logs[1:], float(logs[0]))


def _exponential(logs: Doubles, estimate: float | None = None) -> Change:
    """Return the change e^m - 1, where m is the mean of the log ratios `logs`, float64 [n], with bounds by t quantiles.

    If `estimate` is given, it takes the place of m, and `logs` are only used for the bounds. The jackknife passes it,
    with pseudo-values as `logs`.
    """
    n = len(logs)
    centre = float(logs.mean()) if estimate is None else estimate
    error = float(logs.std(ddof=1) / np.sqrt(n)) if n > 1 else np.nan
    reach = float(stdtrit(max(n - 1, 1), ONE_SIDED)) * error
    return Change(*np.expm1([centre, centre - reach, centre + reach]).tolist())
