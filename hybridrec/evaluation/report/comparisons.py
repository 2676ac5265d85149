"""Sections of the report on comparisons of arms, guardrails, the influence of seeds, and the statistical methods."""

from __future__ import annotations

from typing import Literal, TypeAlias

from hybridrec.evaluation.report.base import Interval, Number, Section

Correction: TypeAlias = Literal["holm", "bh"]
Verdict: TypeAlias = Literal["better", "worse", "equivalent within the margin", "undecided", "not tested"]
GuardrailVerdict: TypeAlias = Literal["held", "broken", "undecided"]


class Comparison(Section):
    """The comparison of a variant with a control in one metric and one segment.

    The arms are compared query by query, and the resampled unit is the user.
    """

    control: str
    variant: str
    metric: str
    segment: str
    """The segment whose queries are compared: `all`, the name of a segment of the first segmenter, or
    "SEGMENTER: SEGMENT" for a segment of another segmenter."""
    segmenter: str = ""
    """The segmenter that made the segment; empty for `all`."""
    units: int
    """Number of users with a query for which the metric is defined in both arms."""
    delta: Number
    """Mean of variant - control over the queries for which the metric is defined in both arms."""
    ci95: Interval
    """Paired bootstrap interval of `delta`, 95 %, not adjusted for other comparisons."""
    relative: Number
    """`delta` divided by the control's mean: 0.04 is 4 % more."""
    relative_ci95: Interval
    """Paired bootstrap interval of `relative`, 95 %."""
    p_value: Number
    """p-value of the two-sided randomization test."""
    p_adjusted: Number
    """`p_value` after correction over its family: the comparisons of all pairs in the same metric, either over all
    queries or in the segments of the same segmenter.
    """
    correction: Correction = "holm"
    """Method of `p_adjusted`: `holm` or `bh`."""
    family: int
    """Number of comparisons in the family."""
    standard_error: Number = None
    """Standard error of `delta`, over users."""
    t: Number = None
    """`delta` divided by its standard error. `t` and `p_t` only check the randomization test, which decides."""
    p_t: Number = None
    """p-value of the two-sided t test."""
    effect_size: Number = None
    """Cohen's d of the paired differences: `delta` divided by the standard deviation of a user's difference."""
    detectable: Number = None
    """The smallest true difference that this number of users detects with 80 % power, at level 0.05 / `family`."""
    units_to_decide: int | None = None
    """For `undecided`: the approximate number of users that would decide with 80 % power if the true difference
    were `delta`.
    """
    wins: int | None
    """Number of users for whom the variant is better."""
    ties: int | None
    """Number of users for whom both arms are equal."""
    losses: int | None
    """Number of users for whom the control is better."""
    verdict: Verdict
    """`equivalent within the margin` if `relative_ci95` is within the declared margin. Otherwise `better` or `worse` if
    `p_adjusted` < 0.05 and `ci95` excludes 0, else `undecided`. Metrics that are one number of the whole run, such as
    coverage, are `not tested`.
    """


LATENCY = "latency"
"""Name of the only guardrail that is not a metric: seconds per query."""


class Guardrail(Section):
    """A limit on the loss of a variant against its control in one metric or in latency, and the test of this limit."""

    control: str
    variant: str
    metric: str
    """A metric, or `latency`: seconds per query of generating, scoring and re-ranking."""
    margin: float
    """The largest relative loss that is accepted: 0.05 is 5 % of the control's value."""
    loss: Number
    """The variant's loss, relative to the control; negative for a gain."""
    bounds: Interval
    """One-sided 95 % bounds of `loss`: lower and upper."""
    verdict: GuardrailVerdict
    """`held` if the upper bound is below the margin, `broken` if the lower bound is above it, else `undecided`."""


class SeedSplit(Section):
    """The mean difference between a variant and its control over all repeats, and the variance of this mean.

    The variance is split into a part due to the sample of users and a part due to the seeds of the repeats.
    """

    control: str
    variant: str
    metric: str
    delta: Number
    """Mean of variant - control over all queries and repeats."""
    users_variance: Number = None
    """Variance of `delta` due to the sample of users."""
    seeds_variance: Number = None
    """Variance of `delta`, the mean over all repeats, due to the seeds; it is larger for a single training, by the
    factor `repeats`."""
    seeds_share: Number = None
    """`seeds_variance` divided by the sum of `users_variance` and `seeds_variance`."""
    standard_error: Number = None
    """Square root of the sum of `users_variance` and `seeds_variance`."""
    degrees: Number = None
    """Satterthwaite's degrees of freedom of the standard error."""
    ci95: Interval = None
    """t interval of `delta` for new users and new seeds."""


class Spread(Section):
    """The values that one metric of one arm takes in the repeats, over all queries."""

    values: list[Number]
    """For each repeat, the mean of the metric over all queries."""
    deviation: Number
    """Standard deviation of `values`."""


class RepeatsReport(Section):
    """The differences between repeats: trainings of the whole experiment with other seeds (`repeats` of the config)."""

    repeats: int
    """Number of repeats; all numbers of the report are means over them."""
    retrained: list[str]
    """Labels of components whose fits draw random numbers; all other components were fitted once."""
    arms: dict[str, dict[str, Spread]]
    """The spread over repeats, by arm and metric."""
    comparison: list[SeedSplit]
    """One entry for each declared pair and metric, over all queries."""


class StatisticsReport(Section):
    """The methods by which intervals and tests of the report were computed."""

    unit: str = "user"
    """The resampled unit: all queries of a user stay together."""
    interval: str = "bootstrap over users, percentiles expanded for few users and heavy tails"
    """Method of every `ci95`."""
    test: str = "randomization test: arms exchanged at random for each user, two-sided, p = (b + 1) / (B + 1)"
    """Method of every `p_value`."""
    correction: str
    """Method and family of every `p_adjusted`."""
    resamples: int
    """Number of resamples of the bootstrap, and of draws of the test (B)."""
    margin: Number = None
    """The largest relative difference that does not matter in practice; null if the config declares none."""
    lower_is_better: list[str] = []
    """Metrics for which less is better; for all others more is better."""
