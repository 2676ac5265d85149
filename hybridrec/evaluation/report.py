"""The content of report.json; the JSON Schema of the file is made from these models.

Names here stay; a change that breaks readers raises `format`. A number that does not exist (nothing
to measure, too few users) is null, never NaN.
"""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Iterable
from importlib import metadata
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict

from hybridrec.arrays import Target
from hybridrec.data.dataset import Dataset

Correction: TypeAlias = Literal["holm", "bh"]
Verdict: TypeAlias = Literal["better", "worse", "equivalent within the margin", "undecided", "not tested"]

GuardrailVerdict: TypeAlias = Literal["held", "broken", "undecided"]


def _number(value: Any) -> float | None:
    """NaN and infinities do not exist in JSON."""
    return None if value is None or not math.isfinite(value) else float(value)


def _bounds(value: Any) -> tuple[float, float] | None:
    """An interval with a missing end is no interval."""
    numbers = None if value is None else tuple(_number(end) for end in value)
    return None if numbers is None or None in numbers else numbers  # type: ignore[return-value]


Number: TypeAlias = Annotated[float | None, BeforeValidator(_number)]
Interval: TypeAlias = Annotated[tuple[float, float] | None, BeforeValidator(_bounds)]


class Section(BaseModel):
    """Base of all parts of a report."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class MetricReport(Section):
    """One metric of one arm."""

    mean: Number
    """Weighted mean over the queries for which the metric is defined."""
    ci95: Interval = None
    """Bootstrap interval over users, 95 %; null for numbers of the whole run and for fewer than two users."""


class SegmentReport(Section):
    """One arm on the queries of one segment."""

    queries: int
    """Queries in the segment."""
    metrics: dict[str, MetricReport]
    """By metric; metrics of recommended tags are called `tags/ndcg@10`."""


class RungReport(SegmentReport):
    """One arm on the queries that one rung of its ladder served."""

    share: float
    """Share of all queries that this rung served, by weight."""


class PipelineReport(Section):
    """One arm: a pipeline, or a single component as a reference."""

    queries: int
    """Queries asked, over all folds."""
    units: int
    """Users behind them."""
    metrics: dict[str, MetricReport]
    """By metric, over all queries."""
    segments: dict[str, SegmentReport]
    """By segment; `all` is every query."""
    rungs: dict[str, RungReport] = {}
    """By who served the query: the pipeline itself (`blend:items`: the best it knew of the query were its
    items; `blend:few-items`: only its generators for short histories did; `blend`: nothing), or a rung
    of its fallback ladder."""
    candidate_recall: dict[Target, Number] = {}
    """Share of the relevant ids that any generator proposed, by target: the ceiling of every re-ranker."""
    learned: dict[str, Any] = {}
    """What was learned for the blend (weights by segment and target, say)."""
    single: bool = False
    """True for a reference arm: one component alone, behind the same fallback."""
    same_as: str | None = None
    """The earlier arm that this one repeats, stage for stage; what is said of that one holds for it."""


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


class TradeoffPoint(Section):
    """A pipeline at one value of the option that is varied."""

    value: float
    metrics: dict[str, MetricReport]
    """By metric, over all queries."""


class TradeoffReport(Section):
    """A curve: what an option of a re-ranker gives and takes. Its points are in no comparison."""

    pipeline: str
    vary: str
    """Path of the option below the pipeline, as in the config."""
    points: list[TradeoffPoint]
    """In the order of the config."""


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


class DataReport(Section):
    """What the experiment was made on."""

    fingerprint: str
    """Digest of all data the reader found."""
    users: int
    items: int
    tags: int
    interactions: int

    @classmethod
    def of(cls, data: Dataset) -> DataReport:
        """Counts and fingerprint of a dataset."""
        return cls(
            fingerprint=data.fingerprint,
            users=len(data.users),
            items=len(data.items),
            tags=len(data.tags),
            interactions=len(data.interactions.ids),
        )


class SecondsReport(Section):
    """Time by stage, over all folds and pipelines."""

    read: float = 0.0
    fit: float = 0.0
    """Fitting on all threads, and what the blends learned."""
    generate: float = 0.0
    """This and the next two are summed over threads."""
    score: float = 0.0
    rerank: float = 0.0
    evaluate: float = 0.0
    """Metrics, intervals and comparison."""
    total: float
    """From reading the data to writing this report."""


class Environment(Section):
    """Where it ran."""

    python: str
    platform: str
    cores: int
    packages: dict[str, str]
    """Versions by distribution name."""

    @classmethod
    def current(cls, packages: Iterable[str]) -> Environment:
        """This process; of `packages`, distribution names, those that are installed."""
        versions = {}
        for name in sorted(packages):
            try:
                versions[name] = metadata.version(name)
            except metadata.PackageNotFoundError:
                continue
        return cls(
            python=platform.python_version(),
            platform=platform.platform(),
            cores=os.cpu_count() or 1,
            packages=versions,
        )


class FitReport(Section):
    """One fit of the plan."""

    label: str
    """The component's label in the YAML."""
    component: str
    """What it uses."""
    version: str
    fold: str
    level: str
    """`base`: made for learning the blend; `final`: evaluated."""
    key: str
    """Its address in the store."""
    seconds: float
    cached: bool
    """True if it was found in the store."""
    repeat: int = 1
    """Which training it was made for, from 1."""


class TuningReport(Section):
    """How the values of the config were chosen, on validation queries inside the training parts."""

    metric: str
    """What was searched for."""
    search: str
    """How: `tpe` or `random`."""
    subject_to: list[str] = []
    """Bounds that the best trial had to keep."""
    best: int
    """Number of the trial that was taken; trial 0 is the config as it was written."""
    values: dict[str, Any]
    """What it chose, by key path."""
    trials: list[Number]
    """The metric on the validation queries by number of the trial; null if it failed."""
    feasible: list[bool]
    """Whether each trial kept all bounds."""
    importance: dict[str, float] = {}
    """Share of each key path in what tells the best trials from the others (PED-ANOVA); they sum to 1."""


class Report(Section):
    """A finished run."""

    format: Literal[1] = 1
    """Version of this file's format."""
    name: str
    """The experiment's name."""
    config_hash: str
    """Digest of the resolved config."""
    data: DataReport
    pipelines: dict[str, PipelineReport]
    """By name, single components too."""
    comparison: list[Comparison] = []
    guardrails: list[Guardrail] = []
    """By declared pair and guardrail."""
    repeats: RepeatsReport | None = None
    """Null if everything was trained once."""
    tradeoffs: list[TradeoffReport] = []
    """The curves that the config asks for."""
    statistics: StatisticsReport
    tuning: TuningReport | None = None
    """How the config was chosen, if `hybridrec tune` made it."""
    seconds: SecondsReport
    environment: Environment
    fits: list[FitReport] = []
    """The fit plan, in the order it was carried out."""
    notes: list[str] = []
    """What a reader should know, in sentences."""
