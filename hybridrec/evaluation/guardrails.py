"""Guardrails: what a variant may not lose while it gains elsewhere, shown as non-inferiority.

A guardrail is a largest accepted loss, relative to the control. It is *held* if the one-sided 95 %
bound of the loss from above lies below the margin (Piaggio et al. 2012), *broken* if the bound from
below lies beyond it, and else undecided. All guardrails have to hold, so none of them is corrected for
the number of the others (an intersection-union test; Berger 1982).

Bounds of a metric per query come from the paired bootstrap over users. A number of the whole run, such
as coverage, is no mean: resampling users with replacement would show the same slates twice and cover
less, so its bounds come from a jackknife that deletes a group of users at a time from both arms (Shao
and Tu 1995, section 2.3), on the logarithm of the ratio, with t quantiles. Latency is the mean log
ratio over blocks of queries that both arms answered in turn, with t quantiles.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit

from hybridrec.evaluation.report import LATENCY, Guardrail, GuardrailVerdict
from hybridrec.evaluation.samples import Arm
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
"""Groups of users that the jackknife deletes one after the other."""


class Change(NamedTuple):
    """Variant over control, minus 1, with its two one-sided 95 % bounds; NaN where there is none."""

    value: float
    low: float
    high: float


def guardrails(
    arms: Mapping[str, Arm],
    pairs: Sequence[tuple[str, str]],
    margins: Mapping[str, float],
    rng: np.random.Generator,
    *,
    lower_is_better: Collection[str] = (),
    seconds: Mapping[str, Doubles] | None = None,
    resamples: int = RESAMPLES,
) -> list[Guardrail]:
    """Every guardrail for every pair (control, variant).

    margins: metric, or `latency` -> the largest relative loss that is accepted
    seconds: arm -> float64[B], seconds per query of the same B blocks of queries in the same order
    """
    seconds = seconds or {}
    found = []
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
            found.append(guardrail)
    return found


def verdict(loss: Change, margin: float) -> GuardrailVerdict:
    """What may be said of a loss; without bounds nothing is."""
    if loss.high < margin:
        return "held"
    return "broken" if loss.low > margin else "undecided"


def words(guardrail: Guardrail) -> str:
    """A guardrail as the end of a verdict: "guardrail coverage@20 broken (loss 12.3 %, at least 10.1 %; ...)"."""
    return f"guardrail {guardrail.metric} {guardrail.verdict} ({reason(guardrail)})"


def reason(guardrail: Guardrail) -> str:
    """Why a guardrail is judged as it is: "loss 12.3 %, at least 10.1 %; 5 % is accepted"."""
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
    """int64[Q]: the group of users, drawn at random, that the user behind each query belongs to."""
    present, codes = np.unique(units, return_inverse=True)
    return (rng.permutation(len(present)) % min(GROUPS, len(present)))[codes].astype(np.int64)


def _per_query(control: Arm, variant: Arm, metric: str, rng: np.random.Generator, resamples: int) -> Change:
    """Bootstrap over users of the ratio of the means over the queries that both define."""
    members = membership(control.sample.units, control.sample.weights)
    gain = (variant.values[metric] - control.values[metric])[:, None]
    base = np.where(np.isnan(gain), np.nan, control.values[metric][:, None])
    totals = Totals.join([Totals.of(members, gain), Totals.of(members, base)])
    drawn = resampled_sums(totals.grouped(rng).sums, rng, resamples)
    relative = Totals(totals.sums[:, :1], totals.sums[:, 1:])
    freedom = degrees_of_freedom(relative.residuals, totals.units[:1])
    bounds = interval(ratio(drawn[:1], drawn[1:]), totals.units[:1], freedom, 2 * ONE_SIDED - 1)[0]
    return Change(float(relative.means[0]), *bounds.tolist())


def _of_the_whole(control: Arm, variant: Arm, metric: str) -> Change:
    """Jackknife of the log ratio of two numbers of the whole run, both without the same group of users."""
    numbers = np.array([[arm.set_values[metric], *arm.without_group[metric]] for arm in (control, variant)])
    if not (numbers > 0).all():  # NaN included
        return Change(float(ratio(numbers[1, 0] - numbers[0, 0], numbers[0, 0])), np.nan, np.nan)
    logs = np.log(numbers[1] / numbers[0])
    groups = len(logs) - 1
    return _exponential(groups * logs[0] - (groups - 1) * logs[1:], float(logs[0]))


def _exponential(logs: Doubles, estimate: float | None = None) -> Change:
    """t bounds of the mean of logarithms of ratios, as changes; around `estimate`, if one is given.

    For the jackknife these are its pseudo-values, whose spread over sqrt(n) is its standard error.
    """
    n = len(logs)
    centre = float(logs.mean()) if estimate is None else estimate
    error = float(logs.std(ddof=1) / np.sqrt(n)) if n > 1 else np.nan
    reach = float(stdtrit(max(n - 1, 1), ONE_SIDED)) * error
    return Change(*np.expm1([centre, centre - reach, centre + reach]).tolist())
