"""Comparisons of arms: tests paired by query, their correction for multiple testing, and verdicts in words."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeAlias

import numpy as np

from hybridrec.errors import ConfigError, DataError, did_you_mean
from hybridrec.evaluation.report import Comparison, Correction, Verdict
from hybridrec.evaluation.samples import ALL, EvaluatedArm, distinct
from hybridrec.evaluation.statistics import (
    RESAMPLES,
    TIE,
    PairedResult,
    Totals,
    benjamini_hochberg,
    detectable,
    holm,
    membership,
    paired,
)
from hybridrec.types import Doubles, Longs

SIGNIFICANCE = 0.05
CORRECTIONS: dict[Correction, tuple[str, Callable[[Doubles], Doubles]]] = {
    "holm": ("Holm", holm),
    "bh": ("Benjamini-Hochberg", benjamini_hochberg),
}
"""For each correction, by its name in the YAML: the name in texts, and the function that adjusts p-values."""
FAMILIES = "family: same metric, all pairs, segment 'all' and the other segments apart"
MORE_FAMILIES = "family: same metric, all pairs, segment 'all' and the segments of each segmenter apart"
"""The sentence about families if the config names several segmenters."""

Pair: TypeAlias = tuple[str, str]
"""(control, variant): the names of two arms that are compared."""

Key: TypeAlias = tuple[Pair, str, str]
"""(pair, metric, segment): the key of one row of the comparison."""


def compare(
    arms: Mapping[str, EvaluatedArm],
    pairs: Sequence[Pair],
    metrics: Sequence[str],
    rng: np.random.Generator,
    *,
    lower_is_better: Collection[str] = (),
    margin: float | None = None,
    correction: Correction = "holm",
    resamples: int = RESAMPLES,
) -> list[Comparison]:
    """Compare every pair (control, variant) in every metric, over all queries and in each segment.

    p-values are corrected within families: for each metric, the rows of the segment `all` form one family, and the
    rows of each segmenter's segments form another. The correction `holm` bounds the probability of any false verdict in
    a family; `bh`, which is meant for sweeps, bounds the expected share of false verdicts. `margin` is the largest
    relative difference that does not matter in practice. Rows are ordered by pair, metric and segment. A segment
    without any query for which the metric is defined in both arms has no row. Raises ConfigError for an unknown arm
    or metric, and DataError if the arms did not answer the same queries.
    """
    compared = [arms[_known(name, arms, "arm")] for pair in pairs for name in pair]
    for arm in compared:
        _check(arm, compared[0], metrics)
    tested = [metric for metric in metrics if all(metric in arm.values for arm in compared)]
    segmenters = {
        segment: segmenter for arm in compared[:1] for segmenter, segment, _ in arm.sample.parts()
    }  # of every arm
    keys = [(pair, metric, segment) for pair in pairs for metric in tested for segment in segmenters]
    by_key: dict[Key, Comparison] = {}
    if keys:
        result = _paired(arms, pairs, tested, rng, resamples)
        rows = _rows(keys, segmenters, result, frozenset(lower_is_better), margin, correction)
        by_key = {((row.control, row.variant), row.metric, row.segment): row for row in rows}
    for pair in pairs:
        for metric in set(metrics) - set(tested):
            by_key[pair, metric, ALL] = _untested(arms[pair[0]], arms[pair[1]], metric)
    order = {metric: place for place, metric in enumerate(metrics)}
    return sorted(by_key.values(), key=lambda row: (pairs.index((row.control, row.variant)), order[row.metric]))


def _known(name: str, names: Collection[str], kind: str) -> str:
    if name not in names:
        raise ConfigError(f"compare: unknown {kind} '{name}'; {did_you_mean(name, names)}")
    return name


def _check(arm: EvaluatedArm, first: EvaluatedArm, metrics: Sequence[str]) -> None:
    if not arm.sample.has_same_queries(first.sample):
        raise DataError(
            f"'{first.name}' and '{arm.name}' cannot be compared: they did not answer the same queries over the "
            f"same candidates ({len(first.sample)} and {len(arm.sample)} queries); run both with the same data, "
            "split and seed"
        )
    for metric in metrics:
        _known(metric, [*arm.values, *arm.set_values], f"metric of '{arm.name}'")


def _paired(
    arms: Mapping[str, EvaluatedArm],
    pairs: Sequence[Pair],
    metrics: Sequence[str],
    rng: np.random.Generator,
    resamples: int,
) -> PairedResult:
    """Test each pair in each metric and segment, and return the results as columns.

    There is one column for each of these tests, ordered by pair, then metric, then segment. All columns share one set
    of resamples.
    """
    sample = arms[pairs[0][0]].sample
    members = membership(sample.units, sample.weights)
    parts, places = distinct(where for *_, where in sample.parts())
    differences, controls = [], []
    for control, variant in pairs:
        for metric in metrics:
            base = arms[control].values[metric][:, None]
            gain = arms[variant].values[metric][:, None] - base
            base = np.where(np.isnan(gain), np.nan, base)
            differences += [Totals.of(members, gain, where) for where in parts]
            controls += [Totals.of(members, base, where) for where in parts]
    result = paired(Totals.join(differences), Totals.join(controls), rng, resamples)
    return result.take(np.arange(len(differences)).reshape(-1, len(parts))[:, places].ravel())


def _rows(
    keys: Sequence[Key],
    segmenters: Mapping[str, str],
    result: PairedResult,
    lower_is_better: frozenset[str],
    margin: float | None,
    correction: Correction,
) -> list[Comparison]:
    p_values = np.where(result.units > 0, result.p_value, np.nan)
    families = [(metric, segmenters[segment]) for _, metric, segment in keys]
    adjusted, sizes = _corrected(p_values, families, correction)
    rows = []
    for column, ((control, variant), metric, segment) in enumerate(keys):
        if not result.units[column]:
            continue
        row = Comparison(
            control=control,
            variant=variant,
            metric=metric,
            segmenter=segmenters[segment],
            segment=segment,
            p_adjusted=adjusted[column],
            correction=correction,
            family=int(sizes[column]),
            verdict="undecided",
            **result.at(column),
        )
        if metric in lower_is_better:
            row.wins, row.losses = row.losses, row.wins
        row.verdict = verdict(row, lower_is_better=metric in lower_is_better, margin=margin)
        _add_power(row)
        rows.append(row)
    return rows


def _add_power(row: Comparison) -> None:
    """Set the fields `detectable` and, if the row is undecided, `units_to_decide` of a comparison (see `Comparison`).

    Both use the significance level divided by the size of the family: Bonferroni's correction, which is the strictest
    step of Holm's. A row without a standard error is not changed.
    """
    if row.standard_error is None:
        return
    row.detectable = detectable(row.standard_error, row.units, SIGNIFICANCE / max(row.family, 1))
    if row.verdict == "undecided" and row.delta is not None and abs(row.delta) > TIE:
        row.units_to_decide = math.ceil(row.units * (row.detectable / row.delta) ** 2)


def _corrected(p_values: Doubles, families: Sequence[tuple[str, str]], correction: Correction) -> tuple[Doubles, Longs]:
    """Adjust p-values, float64 [R], for multiple testing within their families; return (adjusted, sizes).

    `families` has for each p-value the key of its family. `adjusted`, float64 [R], has the adjusted p-values. `sizes`,
    int64 [R], has for each p-value the size of its family: the number of p-values in it that are not NaN.
    """
    adjusted, sizes = np.full(len(p_values), np.nan), np.zeros(len(p_values), np.int64)
    for family in dict.fromkeys(families):
        members = np.flatnonzero([other == family for other in families])
        adjusted[members] = CORRECTIONS[correction][1](p_values[members])
        sizes[members] = np.count_nonzero(~np.isnan(p_values[members]))
    return adjusted, sizes


def _untested(control: EvaluatedArm, variant: EvaluatedArm, metric: str) -> Comparison:
    """Build the row of a metric of the whole run, such as coverage: a difference without interval and test."""
    base, other = control.set_values[metric], variant.set_values[metric]
    return Comparison(
        control=control.name,
        variant=variant.name,
        metric=metric,
        segment=ALL,
        units=len(np.unique(control.sample.units)),
        delta=other - base,
        ci95=None,
        relative=(other - base) / base if base else None,
        relative_ci95=None,
        p_value=None,
        p_adjusted=None,
        family=0,
        wins=None,
        ties=None,
        losses=None,
        verdict="not tested",
    )


def verdict(row: Comparison, *, lower_is_better: bool = False, margin: float | None = None) -> Verdict:
    """Return the verdict on a row, by its interval and its adjusted p-value: is the variant better than the control?

    `margin` is the largest relative difference that does not matter. If the whole 95 % interval of the relative
    difference is within the margin, the verdict is "equivalent within the margin", however significant the difference
    is. This is stricter than two one-sided tests at 5 %.
    """
    if margin is not None and row.relative_ci95 is not None and max(map(abs, row.relative_ci95)) <= margin:
        return "equivalent within the margin"
    if row.delta is None or row.ci95 is None or row.p_adjusted is None or row.p_adjusted >= SIGNIFICANCE:
        return "undecided"
    low, high = row.ci95
    if low <= 0 <= high:
        return "undecided"
    return "better" if (row.delta > 0) != lower_is_better else "worse"


_PHRASES: dict[Verdict, str] = {
    "better": "{variant} beats {control} in {metric}",
    "worse": "{variant} loses to {control} in {metric}",
    "equivalent within the margin": "{variant} and {control} are equivalent within the margin in {metric}",
    "undecided": "{variant} against {control} is undecided in {metric}",
    "not tested": "{variant} differs from {control} in {metric} (not tested)",
}


def describe_comparison(row: Comparison) -> str:
    """Describe a row in a sentence for people, as in this example.

    "hybrid beats control in ndcg@20 by +0.0123 (+4.1 %, 95 % interval +3.2 % ... +5.0 %, p = 0.0006,
    Holm-adjusted over 6 comparisons); 812 wins, 40 ties, 410 losses"
    """
    text = _PHRASES[row.verdict].format(variant=row.variant, control=row.control, metric=row.metric)
    where = "" if row.segment == ALL else f" for {row.segment}"
    joint = " by" if row.verdict in ("better", "worse") else ":"
    details = [] if row.relative is None else [f"{100 * row.relative:+.1f} %"]
    if row.relative_ci95 is not None:
        low, high = row.relative_ci95
        details.append(f"95 % interval {100 * low:+.1f} % ... {100 * high:+.1f} %")
    elif row.ci95 is not None:
        low, high = row.ci95
        details.append(f"95 % interval {low:+.4f} ... {high:+.4f}")
    if row.p_adjusted is not None:
        name = CORRECTIONS[row.correction][0]
        adjusted = f", {name}-adjusted over {row.family} comparisons" if row.family > 1 else ""
        details.append(f"p = {row.p_adjusted:.4f}{adjusted}")
    bracket = f" ({', '.join(details)})" if details else ""
    counts = "" if row.wins is None else f"; {row.wins} wins, {row.ties} ties, {row.losses} losses"
    needed = "" if row.units_to_decide is None else f"; about {row.units_to_decide:,} users would decide"
    return f"{text}{where}{joint} {row.delta:+.4f}{bracket}{counts}{needed}"
