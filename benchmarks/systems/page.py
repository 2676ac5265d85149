"""Table of a data set for docs/systems-measured.md: quality from the report, time and memory from the fits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.readme import figure, markdown
from hybridrec.evaluation.report import MetricReport, PipelineReport, Report

ALL = "all"
Fits = Mapping[str, Mapping[str, float]]
"""Label of a component -> cost of its fit: `cpu` seconds and `peak` bytes."""


@dataclass(frozen=True, slots=True)
class Column:
    """Column of the table: a metric in a segment."""

    metric: str
    segment: str = ALL

    def of(self, arm: PipelineReport) -> MetricReport:
        """Return the result of an arm in this metric and segment."""
        return arm.segments[self.segment].metrics[self.metric]

    def head(self, ahr: bool) -> str:
        """Return the head of the column, such as `ndcg@20`, or `ndcg@20, tags` for a segment."""
        name = self.metric.replace("hit-rate@", "AHR@") if ahr else self.metric
        return name if self.segment == ALL else f"{name}, {self.segment}"


def block(report: Report, fits: Fits, command: str, *, ahr: bool = False) -> str:
    """Render the block of a data set on the page: the command, a description of the data, and the table."""
    first = next(iter(report.pipelines.values()))
    told = (
        f"`{command}`: {report.data.users:,} users, {report.data.items:,} items, {report.data.interactions:,} "
        f"interactions; {first.queries:,} queries of {first.units:,} users."
    )
    return f"{told}\n\n{table(report, fits, ahr=ahr)}"


def table(report: Report, fits: Fits, *, ahr: bool = False) -> str:
    """Render a table of systems with their quality, seconds and memory.

    The best system of a column is bold; blends come last, and are never bold. With `ahr`, for splits in which every
    position of a list is a query, the hit rate is called AHR.
    """
    columns = columns_of(report)
    systems = {name: arm for name, arm in report.pipelines.items() if arm.single}
    blends = {name: arm for name, arm in report.pipelines.items() if not arm.single}
    best = [max((column.of(arm).mean or 0.0 for arm in systems.values()), default=0.0) for column in columns]
    head = ["system", *(column.head(ahr) for column in columns), "seconds to fit", "peak MB"]
    rows = [head, ["---", *["---:"] * (len(head) - 1)]]
    for name, arm in systems.items():
        cells = [quality(column, arm, top) for column, top in zip(columns, best, strict=True)]
        rows.append([f"`{name}`", *cells, f"{fits[name]['cpu']:.2f}", f"{fits[name]['peak'] / 1e6:,.0f}"])
    for name, arm in blends.items():
        rows.append([f"*{name}*", *(quality(column, arm) for column in columns), "", ""])
    return markdown(rows)


def columns_of(report: Report) -> list[Column]:
    """Return the columns of the table.

    The first metric over all queries is followed by the first metric in each segment, if there are several segments,
    and by the other metrics over all queries.
    """
    arm = next(iter(report.pipelines.values()))
    first, *others = arm.metrics
    segments = [segment for segment in arm.segments if segment != ALL]
    by_segment = [Column(first, segment) for segment in segments] if len(segments) > 1 else []
    return [Column(first), *by_segment, *map(Column, others)]


def quality(column: Column, arm: PipelineReport, top: float | None = None) -> str:
    """Format the mean of an arm, bold if it equals `top`; the first metric over all queries has its interval, too."""
    metric = column.of(arm)
    deciding = column.segment == ALL and column.metric == next(iter(arm.metrics))
    text = figure(metric if deciding else MetricReport(mean=metric.mean))
    return f"**{text}**" if text and metric.mean == top else text
