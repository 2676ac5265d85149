"""Sections of the report on one arm: its means by metric, by segment and by what served the query; trade-off curves."""

from __future__ import annotations

from typing import Any

from hybridrec.evaluation.report.base import Interval, Number, Section
from hybridrec.paths import KindName


class MetricReport(Section):
    """The mean of one metric of one arm, with its interval."""

    mean: Number
    """Weighted mean over the queries for which the metric is defined."""
    ci95: Interval = None
    """Bootstrap interval over users, 95 %; null for numbers of the whole run and for fewer than two users."""


class SegmentReport(Section):
    """The results of one arm for the queries of one segment."""

    segmenter: str = ""
    """The segmenter that made the segment; empty for `all`, and in the results by what served the query."""
    queries: int
    """Number of queries in the segment."""
    metrics: dict[str, MetricReport]
    """The mean of each metric; metrics of recommended tags are called `tags/ndcg@10`."""


class ServedByReport(SegmentReport):
    """The results of one arm for the queries with one value of `served_by`, as `PipelineReport.served_by` explains."""

    share: float
    """Share of these queries among all queries, by weight."""


class PipelineReport(Section):
    """The results of one arm: a pipeline, or a component alone as a reference."""

    queries: int
    """Number of queries, over all folds."""
    units: int
    """Number of users behind the queries."""
    metrics: dict[str, MetricReport]
    """The mean of each metric over all queries."""
    segments: dict[str, SegmentReport]
    """The results by segment; `all` is every query. Segments of all segmenters but the first are named
    "SEGMENTER: SEGMENT"."""
    served_by: dict[str, ServedByReport] = {}
    """The results by what served the query. The key is the label of a fallback, or `blend:FIELD` for the pipeline's own
    generators; FIELD is the most informative field of the query that they used. `blend:items` stands for the history,
    `blend:few-items` for a history that only generators for short histories used. `blend` alone means that they used no
    field of the query.
    """
    candidate_recall: dict[KindName, Number] = {}
    """Share of the relevant ids that any generator proposed, by target: the upper limit for every re-ranker."""
    learned: dict[str, dict[str, Any]] = {}
    """What the blend learned, by fold and target (weights by segment, for example)."""
    single: bool = False
    """True for a reference arm: one component alone, behind the same fallback."""
    borda: Number = None
    """Points of the arm over the metrics that `compare.borda` names; null if it names no metric."""
    duplicate_of: str | None = None
    """The earlier arm that is identical to this arm, stage for stage; statements about it hold for this arm, too."""


class TradeoffPoint(Section):
    """The results of a pipeline at one value of the varied option."""

    value: float
    metrics: dict[str, MetricReport]
    """The mean of each metric over all queries."""


class TradeoffReport(Section):
    """A trade-off: the results of a pipeline at several values of one re-ranker's option, without any test."""

    pipeline: str
    vary: str
    """Path of the option below the pipeline, as in the config."""
    points: list[TradeoffPoint]
    """The points, in the order of their values in the config."""
