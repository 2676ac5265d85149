"""What arms say about one another: comparisons, guardrails, what other seeds change, and by which methods."""

from __future__ import annotations

from typing import Literal, TypeAlias

from hybridrec.evaluation.report.base import Interval, Number, Section

Correction: TypeAlias = Literal["holm", "bh"]
Verdict: TypeAlias = Literal["better", "worse", "equivalent within the margin", "undecided", "not tested"]
GuardrailVerdict: TypeAlias = Literal["held", "broken", "undecided"]


class Comparison(Section):
    """A variant against a control in one metric and segment, paired by query; the unit is the user."""

    control: str
    variant: str
    metric: str
    segment: str
    """`all`, or the segment whose queries are compared."""
    units: int
    """Users that asked a query for which the metric is defined in both arms."""
    delta: Number
    """Mean of variant - control over those queries."""
    ci95: Interval
    """Paired bootstrap interval of `delta`, 95 %, not adjusted for other comparisons."""
    relative: Number
    """`delta` over the control's mean: 0.04 is 4 % more."""
    relative_ci95: Interval
    """Paired bootstrap interval of `relative`, 95 %."""
    p_value: Number
    """Two-sided randomization test."""
    p_adjusted: Number
    """`p_value` after the correction over the family: the same metric, all pairs, and either the
    segment `all` or all other segments."""
    correction: Correction = "holm"
    """How `p_adjusted` was made: `holm` or `bh`."""
    family: int
    """Number of comparisons in the family."""
    standard_error: Number = None
    """Of `delta`, over users."""
    t: Number = None
    """`delta` over its standard error; with `p_t` a cross-check of the test that decides."""
    p_t: Number = None
    """Two-sided t test."""
    effect_size: Number = None
    """Cohen's d of the paired differences: `delta` over the standard deviation of a user's difference."""
    detectable: Number = None
    """The smallest true difference that so many users show with 80 % power, at 0.05 over `family`."""
    units_to_decide: int | None = None
    """For `undecided`: about how many users would decide with 80 % power, were the true difference `delta`."""
    wins: int | None
    """Users for whom the variant is better."""
    ties: int | None
    """Users for whom both are equal."""
    losses: int | None
    """Users for whom the control is better."""
    verdict: Verdict
    """`better` or `worse` if `p_adjusted` < 0.05 and `ci95` leaves out 0; `equivalent within the margin`
    if `relative_ci95` lies within the declared margin, which goes first; else `undecided`. Numbers of
    the whole run (coverage) are `not tested`."""


LATENCY = "latency"
"""The guardrail that is no metric: seconds per query."""


class Guardrail(Section):
    """A loss against the control that a variant may not exceed, whatever it gains elsewhere."""

    control: str
    variant: str
    metric: str
    """A metric, or `latency`: seconds per query of generating, scoring and re-ranking."""
    margin: float
    """The largest relative loss that is accepted: 0.05 is 5 % of the control's value."""
    loss: Number
    """What the variant loses, relative to the control; a gain is below 0."""
    bounds: Interval
    """One-sided 95 % bounds of `loss`, from below and from above."""
    verdict: GuardrailVerdict
    """`held` if the upper bound lies below the margin, `broken` if the lower one lies above it."""


class SeedSplit(Section):
    """The mean difference of a pair over repeats, with what users and what retraining seeds add to its variance."""

    control: str
    variant: str
    metric: str
    delta: Number
    """Mean of variant - control over all queries and repeats."""
    users_variance: Number = None
    """Variance of `delta` due to the draw of users."""
    seeds_variance: Number = None
    """Variance of `delta` due to the draw of seeds; another training alone would add it times the repeats."""
    seeds_share: Number = None
    """`seeds_variance` over the sum of both."""
    standard_error: Number = None
    """Square root of that sum."""
    degrees: Number = None
    """Satterthwaite's degrees of freedom."""
    ci95: Interval = None
    """t interval of `delta` for new users and new seeds."""


class Spread(Section):
    """A metric of an arm over its repeats, all queries."""

    values: list[Number]
    """The mean over queries of each repeat."""
    deviation: Number
    """Their standard deviation."""


class RepeatsReport(Section):
    """What retraining with other seeds changes."""

    repeats: int
    """Times that everything was trained; all numbers of the report are means over them."""
    retrained: list[str]
    """Labels whose fits draw random numbers; all others were fitted once."""
    arms: dict[str, dict[str, Spread]]
    """By arm and metric."""
    comparison: list[SeedSplit]
    """By declared pair and metric, over all queries."""


class StatisticsReport(Section):
    """How intervals and tests were made."""

    unit: str = "user"
    """What is resampled: all queries of a user go together."""
    interval: str = "bootstrap over users, percentiles expanded for few users and heavy tails"
    """Method of every `ci95`."""
    test: str = "randomization test: arms exchanged at random for each user, two-sided, p = (b + 1) / (B + 1)"
    """Method of every `p_value`."""
    correction: str
    """Method and family of every `p_adjusted`."""
    resamples: int
    """B, of the bootstrap and of the test."""
    margin: Number = None
    """Relative differences up to this do not matter in practice; null if none was declared."""
    lower_is_better: list[str] = []
    """Metrics of which less is better; of all others more is."""
