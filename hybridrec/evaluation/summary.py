"""A report where notebooks show the value of a cell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import TypeAlias

import numpy as np

from hybridrec.evaluation.compare import sentence
from hybridrec.evaluation.guardrails import words as guardrail_words
from hybridrec.evaluation.report import Comparison, MetricReport, PipelineReport, Report, RungReport, SegmentReport
from hybridrec.evaluation.samples import ALL, Arm, distinct
from hybridrec.evaluation.seed_variance import words as seeds_words
from hybridrec.evaluation.statistics import RESAMPLES, Totals, mean_intervals, membership
from hybridrec.types import Bools


def html(report: Report) -> str:
    """The verdict in words and the table of all queries, in the fonts and colours of the notebook."""
    headers, rows = result_table(report)
    head = "".join(f"<th>{escape(header)}</th>" for header in headers)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    said = "".join(f"<li>{escape(sentence(row))}</li>" for row in deciding(report))
    notes = "".join(f"<li>note: {escape(note)}</li>" for note in report.notes)
    return (
        f"<p><strong>{escape(report.name)}</strong></p><ul>{said}</ul>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table><ul>{notes}</ul>"
    )


Part: TypeAlias = tuple[str, str, Bools]
"""Kind, name and queries, bool [Q], of a part over which an arm is summarised."""


def summarise(arms: Sequence[Arm], rng: np.random.Generator, resamples: int = RESAMPLES) -> dict[str, PipelineReport]:
    """Compute means and intervals of every arm: overall, by segment and by rung; the arms share one sample.

    All arms are passed at once because they share the resamples. Fields that are not metrics
    (`candidate_recall`, `learned`, `single`) are left for the caller to set.
    """
    if not arms:
        return {}
    sample = arms[0].sample
    members = membership(sample.units, sample.weights)
    named = [list(_parts(arm)) for arm in arms]
    parts: list[Totals] = []
    places: list[int] = []
    for arm, arm_parts in zip(arms, named, strict=True):
        different, which = distinct(where for *_, where in arm_parts)
        places += [len(parts) + place for place in which]
        parts += [Totals.of(members, arm.matrix(list(arm.values)), where) for where in different]
    totals = Totals.join(parts)
    estimates = zip(totals.means, mean_intervals(totals, rng, resamples), strict=True)
    by_part = [[next(estimates) for _ in part.means] for part in parts]
    numbers = (MetricReport(mean=mean, ci95=ci95) for place in places for mean, ci95 in by_part[place])
    return {arm.name: _pipeline(arm, own, numbers, members.shape[0]) for arm, own in zip(arms, named, strict=True)}


def _parts(arm: Arm) -> Iterator[Part]:
    """Yield the segments, then the rungs."""
    for segment, where in arm.sample.parts():
        yield "segment", segment, where
    if arm.rungs is not None:
        for rung in np.unique(arm.rungs):
            yield "rung", str(rung), arm.rungs == rung


def _pipeline(arm: Arm, parts: Sequence[Part], numbers: Iterator[MetricReport], units: int) -> PipelineReport:
    """Build the report of an arm, consuming the numbers of its parts from the front of `numbers`."""
    weights = arm.sample.weights
    segments: dict[str, SegmentReport] = {}
    rungs: dict[str, RungReport] = {}
    for kind, name, where in parts:
        metrics = {metric: next(numbers) for metric in arm.values}
        queries = int(where.sum())
        if kind == "segment":
            segments[name] = SegmentReport(queries=queries, metrics=metrics)
        else:
            share = float(weights[where].sum() / weights.sum())
            rungs[name] = RungReport(queries=queries, share=share, metrics=metrics)
    whole = {metric: MetricReport(mean=value) for metric, value in arm.set_values.items()}
    segments[ALL].metrics |= whole
    return PipelineReport(
        queries=len(arm.sample), units=units, metrics=segments[ALL].metrics, segments=segments, rungs=rungs
    )


def deciding(report: Report) -> list[Comparison]:
    """Return the rows that decide: the first metric over all queries, the declared pairs first.

    Rows against a reference arm are included only for variants that are not a control.
    """
    if not report.comparison:
        return []
    rows = [row for row in report.comparison if (row.segment, row.metric) == (ALL, report.comparison[0].metric)]
    declared = [row for row in rows if not report.pipelines[row.control].single]
    variants = {row.variant for row in declared}
    others = [row for row in rows if report.pipelines[row.control].single and (row.variant in variants or not declared)]
    return declared + others


def conclusions(report: Report) -> list[tuple[Comparison, str]]:
    """The rows that decide, each in words, with what guardrails and other seeds say of the pair."""
    return [(row, "; ".join([sentence(row), *_beside(report, row)])) for row in deciding(report)]


def _beside(report: Report, row: Comparison) -> list[str]:
    pair = (row.control, row.variant)
    found = [guardrail_words(one) for one in report.guardrails if (one.control, one.variant) == pair]
    if report.repeats is not None:
        found += [
            seeds_words(one, report.repeats.repeats)
            for one in report.repeats.comparison
            if (one.control, one.variant, one.metric) == (*pair, row.metric)
        ]
    return found


def result_table(
    report: Report, segment: str = ALL, metrics: Sequence[str] | None = None
) -> tuple[list[str], list[list[str]]]:
    """Format arms × metrics of a segment as text, `0.1234 ± 0.0056`: headers and rows, for any printer.

    The half-width is that of the 95 % interval. All metrics if `metrics` is None, and over all queries also
    the Borda points if the config asks for them; arms in the order of the report; an empty cell for a
    missing number.
    """
    found = {name: arm.segments[segment].metrics for name, arm in report.pipelines.items() if segment in arm.segments}
    points = metrics is None and segment == ALL and any(arm.borda is not None for arm in report.pipelines.values())
    if metrics is None:
        metrics = list(dict.fromkeys(metric for numbers in found.values() for metric in numbers))
    rows = [[name, *(cell(numbers.get(metric)) for metric in metrics)] for name, numbers in found.items()]
    if points:
        rows = [[*row, f"{report.pipelines[row[0]].borda:g}"] for row in rows]
    return ["pipeline", *metrics, *(["borda"] * points)], rows


def cell(number: MetricReport | None) -> str:
    """Format `0.1234 ± 0.0056`, or as much of it as exists."""
    if number is None or number.mean is None:
        return ""
    if number.ci95 is None:
        return f"{number.mean:.4f}"
    low, high = number.ci95
    return f"{number.mean:.4f} ± {(high - low) / 2:.4f}"
