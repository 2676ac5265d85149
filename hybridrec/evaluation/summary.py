"""Summaries of a report: the means of every arm, the winner, the opening sentence, and tables as text or HTML."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from html import escape
from itertools import pairwise
from typing import NamedTuple, TypeAlias

import numpy as np

from hybridrec.data.queries import KNOWN_FIELDS
from hybridrec.evaluation.compare import CORRECTIONS
from hybridrec.evaluation.report import (
    Comparison,
    MetricReport,
    PipelineReport,
    Report,
    SeedSplit,
    SegmentReport,
    ServedByReport,
    Verdict,
)
from hybridrec.evaluation.samples import ALL, EvaluatedArm, distinct
from hybridrec.evaluation.statistics import RESAMPLES, Totals, mean_intervals, membership
from hybridrec.types import Bools

Part: TypeAlias = tuple[str | None, str, Bools]
"""(segmenter, name, queries) of a group of queries that is summarised; `queries` is a mask, bool [Q].

The segmenter is None for the queries with one value of `served_by`, and `name` is that value.
"""


def summarise(
    arms: Sequence[EvaluatedArm], rng: np.random.Generator, resamples: int = RESAMPLES
) -> dict[str, PipelineReport]:
    """Compute means and intervals of every arm: over all queries, by segment, and by what served the query.

    The arms must have the same sample; they are passed at once because they share the resamples. Fields that are not
    metrics (`candidate_recall`, `learned`, `single`) are left for the caller to set.
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
    by_part = [[next(estimates) for _ in part_totals.means] for part_totals in parts]
    numbers = (MetricReport(mean=mean, ci95=ci95) for place in places for mean, ci95 in by_part[place])
    return {arm.name: _pipeline(arm, own, numbers, members.shape[0]) for arm, own in zip(arms, named, strict=True)}


def _parts(arm: EvaluatedArm) -> Iterator[Part]:
    """Yield the groups of queries for which an arm is summarised.

    These are all queries, each segment, and the queries with each value of `served_by`, in this order.
    """
    yield from arm.sample.parts()
    if arm.served_by is not None:
        for served_by in np.unique(arm.served_by):
            yield None, str(served_by), arm.served_by == served_by


def _pipeline(arm: EvaluatedArm, parts: Sequence[Part], numbers: Iterator[MetricReport], units: int) -> PipelineReport:
    """Build the report of an arm; take its numbers, one for each part and metric, from the iterator `numbers`."""
    weights = arm.sample.weights
    segments: dict[str, SegmentReport] = {}
    served_by: dict[str, ServedByReport] = {}
    for segmenter, name, where in parts:
        metrics = {metric: next(numbers) for metric in arm.values}
        queries = int(where.sum())
        if segmenter is not None:
            segments[name] = SegmentReport(segmenter=segmenter, queries=queries, metrics=metrics)
        else:
            share = float(weights[where].sum() / weights.sum())
            served_by[name] = ServedByReport(queries=queries, share=share, metrics=metrics)
    whole = {metric: MetricReport(mean=value) for metric, value in arm.set_values.items()}
    segments[ALL].metrics |= whole
    return PipelineReport(
        queries=len(arm.sample), units=units, metrics=segments[ALL].metrics, segments=segments, served_by=served_by
    )


def deciding(report: Report) -> list[Comparison]:
    """Return the comparisons that the verdict is about: comparisons in the first metric over all queries.

    The declared pairs come first. Then follow the comparisons of the same variants with components alone. If no pair is
    declared, the result is all comparisons with components alone.
    """
    if not report.comparison:
        return []
    rows = [row for row in report.comparison if (row.segment, row.metric) == (ALL, report.comparison[0].metric)]
    declared = [row for row in rows if not report.pipelines[row.control].single]
    variants = {row.variant for row in declared}
    others = [row for row in rows if report.pipelines[row.control].single and (row.variant in variants or not declared)]
    return declared + others


def winner(report: Report) -> str:
    """Return the name of the pipeline that a run serves by default.

    The winner is the pipeline with the best mean of the first metric, among those that beat the control in it over all
    queries and break no guardrail. If no pipeline does, the winner is the control. Without a control nothing is
    tested, and the pipeline with the best mean wins. Components alone never win.
    """
    served = [name for name, arm in report.pipelines.items() if not arm.single]
    declared = [row for row in deciding(report) if not report.pipelines[row.control].single]
    if not declared:
        metric = next(iter(report.pipelines[served[0]].metrics), "")
        return max(served, key=lambda name: _merit(report, name, metric))
    won = [row for row in declared if row.verdict == "better" and not _broken(report, row)]
    best = max(won, key=lambda row: _merit(report, row.variant, row.metric), default=None)
    return declared[0].control if best is None else best.variant


def opening(report: Report) -> str:
    """Write the sentence that opens the verdict: the winner, its gains, and the segments where it does not win.

    "In ndcg@20, hybrid beats control by +4.1 % (95 % interval +3.2 % ... +5.0 %), and it beats ease, the best single
    component, by +2.0 % (95 % interval +0.9 % ... +3.1 %); not for queries that know title (undecided)."

    The subject is the variant with the best mean among those that beat their control. If no variant does, the subject
    is the best of all variants, and the sentence says that nothing is decided, or that this variant loses. If the
    subject has several controls, the best one comes first. Gains are relative to the control.
    """
    rows = deciding(report)
    if not rows:
        alone = len(report.pipelines) == 1
        return f"Nothing was compared: the config {'has a single pipeline' if alone else 'declares no control'}."
    lead, subject = _lead(report, rows)
    best = _best_single(report, rows[0].metric)
    against = {row.control: row for row in (lead, *rows) if row.variant == lead.variant}
    shown = {lead.control, best}  # of the components alone
    against = {name: row for name, row in against.items() if name in shown or not report.pipelines[name].single}
    names = {name: f"{name}, the best single component" if name == best else name for name in against}
    pauses = {name: "," if name == best else "" for name in against}  # close the apposition where words follow
    clause = _LEADS[lead.verdict].format(variant=subject, control=names[lead.control], pause=pauses[lead.control])
    text = f"In {lead.metric}, {clause}{_gain(lead)}"
    for previous, row in pairwise(against.values()):
        joint = "and" if row.verdict == previous.verdict else "but"
        clause = _CLAUSES[row.verdict].format(control=names[row.control], pause=pauses[row.control])
        text += f", {joint} it {clause}{_gain(row)}"
    return f"{text}{_exceptions(report, lead)}{_broken(report, lead)}."


_LEADS: dict[Verdict, str] = {
    "better": "{variant} beats {control}{pause} by ",
    "worse": "{variant} loses to {control}: ",
    "equivalent within the margin": "{variant} and {control}{pause} are equivalent within the margin: ",
    "undecided": "nothing is decided between {variant} and {control}: ",
    "not tested": "{variant} differs from {control}{pause} (not tested): ",
}
_CLAUSES: dict[Verdict, str] = {
    "better": "beats {control}{pause} by ",
    "worse": "loses to {control}: ",
    "equivalent within the margin": "is equivalent within the margin to {control}: ",
    "undecided": "is undecided against {control}: ",
    "not tested": "differs from {control}{pause} (not tested): ",
}


def _lead(report: Report, rows: Sequence[Comparison]) -> tuple[Comparison, str]:
    """Return the row that the opening sentence is about, and its subject in words.

    The subject is the variant of the row, such as "hybrid, the best of 3 variants,".
    """
    best = _best_single(report, rows[0].metric)
    declared = [row for row in rows if not report.pipelines[row.control].single]
    declared = declared or [row for row in rows if row.control == best] or list(rows)
    won = [row for row in declared if row.verdict == "better"]
    lead = max(won or declared, key=lambda row: [_merit(report, arm, row.metric) for arm in (row.variant, row.control)])
    rivals = len({row.variant for row in won or declared})
    rank = f", the best of {rivals} variants{' that beat their control' if won else ''}," if rivals > 1 else ""
    return lead, f"{lead.variant}{rank}"


def _merit(report: Report, pipeline: str, metric: str) -> float:
    """Return a number by which pipelines are ranked: the mean of a metric over all queries, negated if less is better.

    It is minus infinity for a pipeline without a mean, which therefore ranks last.
    """
    number = report.pipelines[pipeline].metrics.get(metric)
    if number is None or number.mean is None:
        return -math.inf
    return -number.mean if metric in report.statistics.lower_is_better else number.mean


def _best_single(report: Report, metric: str) -> str | None:
    """Return the name of the best arm that is a component alone, or None if there are only pipelines.

    If this arm is a duplicate of an earlier arm (such as the control), the name of the earlier arm is returned.
    """
    singles = [name for name, arm in report.pipelines.items() if arm.single]
    best = max(singles, key=lambda name: _merit(report, name, metric), default=None)
    return None if best is None else report.pipelines[best].duplicate_of or best


def _gain(row: Comparison) -> str:
    """Format the relative difference of a row with its interval; if the control's mean is 0, the difference itself."""
    scale, form, unit = (1.0, "+.4f", "") if row.relative is None else (100.0, "+.1f", " %")
    value, bounds = (row.delta, row.ci95) if row.relative is None else (row.relative, row.relative_ci95)
    details = (
        [] if bounds is None else [f"95 % interval {' ... '.join(f'{scale * end:{form}}{unit}' for end in bounds)}"]
    )
    if row.units_to_decide is not None:
        details.append(f"about {row.units_to_decide:,} users would decide")
    text = "no number" if value is None else f"{scale * value:{form}}{unit}"
    return f"{text} ({'; '.join(details)})" if details else text


def _exceptions(report: Report, lead: Comparison) -> str:
    """Write the clause that closes the opening sentence: segments whose verdict is not that over all queries.

    If the variant wins over all queries, the clause names the segments in which it does not win, or says that it wins
    in every one. If nothing is decided, it names those in which the variant wins or loses; if the variant loses, those
    in which it wins. The clause is empty if there is nothing to name, or if there are fewer than two segments.
    """
    pair = (lead.control, lead.variant, lead.metric)
    rows = [row for row in report.comparison if (row.control, row.variant, row.metric) == pair and row.segment != ALL]
    if len(rows) < 2:
        return ""
    if lead.verdict != "better":
        rows = [row for row in rows if row.verdict in ("better", "worse")]
    others = [row for row in rows if row.verdict != lead.verdict]
    if not others:
        return "; it wins in every segment" if lead.verdict == "better" else ""
    named = [f"{_segment_name(row.segment, row.segmenter)} ({row.verdict})" for row in others]
    listed = " or ".join(filter(None, [", ".join(named[:-1]), named[-1]]))
    where = "for queries that know" if all(_is_of_fields(row.segmenter) for row in others) else "for"
    return f"; {'not' if lead.verdict == 'better' else 'otherwise'} {where} {listed}"


def segment_title(segment: str, segmenter: str) -> str:
    """Describe a segment in words: "all queries", "queries that know items and tags", "activity: 0-4"."""
    if segment == ALL:
        return "all queries"
    name = _segment_name(segment, segmenter)
    return f"queries that know {name}" if _is_of_fields(segmenter) else name


def _segment_name(segment: str, segmenter: str) -> str:
    """Return the name of a segment for a sentence, such as "items and tags" or, with its segmenter, "activity: 0-4"."""
    own = segment.removeprefix(f"{segmenter}: ")
    return own.replace("+", " and ") if _is_of_fields(segmenter) else f"{segmenter}: {own}"


def _is_of_fields(segmenter: str) -> bool:
    """Return True for the default segmenter, which groups queries by the fields that they have.

    An older report does not name its segmenter; the empty name counts as the default one.
    """
    return segmenter in ("", KNOWN_FIELDS)


def _broken(report: Report, lead: Comparison) -> str:
    """Write the end of the opening sentence on broken guardrails; "" if there are none.

    It names the guardrails that the variant of the row `lead` breaks against its control.
    """
    pair = (lead.control, lead.variant, "broken")
    metrics = [rail.metric for rail in report.guardrails if (rail.control, rail.variant, rail.verdict) == pair]
    return f"; it breaks the guardrail {', '.join(metrics)}" if metrics else ""


class Column(NamedTuple):
    """A column of the verdict's table.

    header: the text at its top
    text: a function that returns the text of its cell for a row
    value: a function that returns the number by which a row is sorted; None for a column that is not sorted
    """

    header: str
    text: Callable[[Comparison], str]
    value: Callable[[Comparison], float | None] = lambda row: None


def verdict_columns(report: Report) -> list[Column]:
    """Return the columns of the verdict's table, without optional columns that would be empty.

    The rows of this table are the comparisons that `deciding` returns.
    """
    rows = deciding(report)
    rails = {(row.control, row.variant): _rails(report, row) for row in rows}
    splits = {} if report.repeats is None else {(s.control, s.variant, s.metric): s for s in report.repeats.comparison}
    adjusted = {CORRECTIONS[row.correction][0] for row in rows if row.family > 1}
    columns = [
        Column("variant", lambda row: row.variant),
        Column("against", lambda row: row.control),
        Column("verdict", lambda row: row.verdict),
        Column("relative", lambda row: _shown(row.relative, 100, "{:+.1f} %"), lambda row: row.relative),
        Column("95 % interval", lambda row: _interval(row.relative_ci95, 100, "{:+.1f} %")),
        Column("difference", lambda row: _shown(row.delta, 1, "{:+.4f}"), lambda row: row.delta),
        Column(
            f"p ({', '.join(sorted(adjusted))})" if adjusted else "p",
            lambda row: _shown(row.p_adjusted, 1, "{:.4f}"),
            lambda row: row.p_adjusted,
        ),
        Column("wins", lambda row: _shown(row.wins, 1, "{}"), lambda row: row.wins),
        Column("ties", lambda row: _shown(row.ties, 1, "{}"), lambda row: row.ties),
        Column("losses", lambda row: _shown(row.losses, 1, "{}"), lambda row: row.losses),
        Column("users to decide", lambda row: _shown(row.units_to_decide, 1, "{:,}"), lambda row: row.units_to_decide),
        Column("guardrails", lambda row: rails[row.control, row.variant]),
        Column("new users and seeds", lambda row: _with_seeds(splits.get((row.control, row.variant, row.metric)))),
    ]
    optional = {"users to decide", "guardrails", "new users and seeds"}
    return [column for column in columns if column.header not in optional or any(map(column.text, rows))]


def verdict_table(report: Report) -> tuple[list[str], list[list[str]]]:
    """Format the comparisons that `deciding` returns as a table of text: its headers, and its rows of cells."""
    columns = verdict_columns(report)
    return [column.header for column in columns], [[column.text(row) for column in columns] for row in deciding(report)]


def verdict_title(report: Report) -> str:
    """Return the title of the verdict's table."""
    return f"Comparisons in {report.comparison[0].metric}, all queries" if report.comparison else "Comparisons"


def _shown(value: float | None, scale: int, form: str) -> str:
    return "" if value is None else form.format(scale * value)


def _interval(bounds: tuple[float, float] | None, scale: int, form: str) -> str:
    return "" if bounds is None else " ... ".join(form.format(scale * bound) for bound in bounds)


def _rails(report: Report, row: Comparison) -> str:
    """Format the guardrails of a row's pair by verdict, broken ones first: "broken: latency; held: recall@10"."""
    pair = (row.control, row.variant)
    metrics: dict[str, list[str]] = {"broken": [], "undecided": [], "held": []}
    for rail in report.guardrails:
        if (rail.control, rail.variant) == pair:
            metrics[rail.verdict].append(rail.metric)
    return "; ".join(f"{verdict}: {', '.join(names)}" for verdict, names in metrics.items() if names)


def _with_seeds(split: SeedSplit | None) -> str:
    """Format the interval of a difference for new users and new seeds, and the share of seeds in its variance."""
    if split is None or split.ci95 is None or split.seeds_share is None:
        return ""
    return f"{_interval(split.ci95, 1, '{:+.4f}')}, {100 * split.seeds_share:.0f} % from seeds"


def html(report: Report) -> str:
    """Render a report for a notebook as HTML without styles.

    It has the opening sentence, the table of the verdict, the table of the means over all queries, and the notes.
    """
    tables = [result_table(report)]
    if report.comparison:
        tables.insert(0, verdict_table(report))
    notes = "".join(f"<li>note: {escape(note)}</li>" for note in report.notes)
    return (
        f"<p><strong>{escape(opening(report))}</strong></p><p>{escape(report.name)}</p>"
        f"{''.join(_html_table(headers, rows) for headers, rows in tables)}<ul>{notes}</ul>"
    )


def _html_table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(header)}</th>" for header in headers)
    body = "".join(f"<tr>{''.join(f'<td>{escape(text)}</td>' for text in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def result_table(
    report: Report, segment: str = ALL, metrics: Sequence[str] | None = None
) -> tuple[list[str], list[list[str]]]:
    """Format the means of a segment as a table of text: its headers, and a row of cells for each arm.

    A cell reads `0.1234 ± 0.0056`, the mean and half the width of its 95 % interval; it is empty where there is no
    number. There is a column for each of `metrics`, by default for every metric of the segment. By default the table of
    all queries also has the Borda points, if the config asks for them. Arms are in the order of the report.
    """
    metrics_of_arm = {
        name: arm.segments[segment].metrics for name, arm in report.pipelines.items() if segment in arm.segments
    }
    points = metrics is None and segment == ALL and any(arm.borda is not None for arm in report.pipelines.values())
    if metrics is None:
        metrics = list(dict.fromkeys(metric for numbers in metrics_of_arm.values() for metric in numbers))
    rows = [[name, *(cell(numbers.get(metric)) for metric in metrics)] for name, numbers in metrics_of_arm.items()]
    if points:
        rows = [[*row, f"{report.pipelines[row[0]].borda:g}"] for row in rows]
    return ["pipeline", *metrics, *(["borda"] * points)], rows


def result_tables(report: Report) -> Iterator[tuple[str, list[str], list[list[str]]]]:
    """Yield the tables of a run as text, (title, headers, rows of cells): all queries first, then the segments.

    If the config declares segmenters, each segmenter has one table of all its segments. Otherwise each segment has a
    table of its own; a single segment has none, since it would repeat the table of all queries.
    """
    segments = next(iter(report.pipelines.values())).segments
    yield (f"all queries ({segments[ALL].queries})", *result_table(report))
    if report.segmenters != [KNOWN_FIELDS]:
        for segmenter in report.segmenters:
            yield (f"by {segmenter}", *segmenter_table(report, segmenter))
    elif len(segments) > 2:
        for name, segment in segments.items():
            if name != ALL:
                yield (f"{segment_title(name, segment.segmenter)} ({segment.queries})", *result_table(report, name))


def of_segmenter(report: Report, segmenter: str) -> list[tuple[str, str, SegmentReport]]:
    """Return a list of (segment, arm, report of the arm in the segment): for each segment of a segmenter, all arms."""
    arms = report.pipelines.items()
    names = [name for name, segment in next(iter(arms))[1].segments.items() if segment.segmenter == segmenter]
    return [
        (name.removeprefix(f"{segmenter}: "), arm, report_of_arm.segments[name])
        for name in names
        for arm, report_of_arm in arms
    ]


def segmenter_table(report: Report, segmenter: str) -> tuple[list[str], list[list[str]]]:
    """Format the means of all segments of one segmenter as a table of text: its headers, and its rows of cells.

    Each segment has a row for every arm.
    """
    segments = of_segmenter(report, segmenter)
    metrics = list(dict.fromkeys(metric for _, _, segment in segments for metric in segment.metrics))
    rows = [
        [name, str(segment.queries), arm, *(cell(segment.metrics.get(metric)) for metric in metrics)]
        for name, arm, segment in segments
    ]
    return ["segment", "queries", "pipeline", *metrics], rows


def cell(number: MetricReport | None) -> str:
    """Format a mean with half the width of its 95 % interval, `0.1234 ± 0.0056`.

    Without an interval the mean stands alone; without a mean the cell is empty.
    """
    if number is None or number.mean is None:
        return ""
    if number.ci95 is None:
        return f"{number.mean:.4f}"
    low, high = number.ci95
    return f"{number.mean:.4f} ± {(high - low) / 2:.4f}"
