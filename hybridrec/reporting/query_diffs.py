"""Differences between a variant and its control: a histogram over users, and the queries that gain or lose most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hybridrec.evaluation.report import Comparison
from hybridrec.evaluation.statistics import TIE, Totals, membership, ratio
from hybridrec.evaluation.summary import segment_title
from hybridrec.reporting.figures import Histogram
from hybridrec.runs.run import Run
from hybridrec.types import ITEMS, Doubles, Target

if TYPE_CHECKING:
    import polars as pl

EACH_WAY = 5
"""The largest number of queries shown for which the variant is better, and of queries for which it is worse."""
PLACES = 10
"""Number of places at the top of a slate that are shown; below them only places of relevant ids are shown."""
HITS = 20
"""The largest number of relevant places that are shown below the first `PLACES` of a slate."""
MANY = 3
"""If more pairs than this are shown, the details of each pair are folded at first."""


class Place(NamedTuple):
    """One place of a slate; `rank` counts from 1."""

    rank: int
    name: str
    relevant: bool


@dataclass(frozen=True, slots=True)
class ShownQuery:
    """The slate of one pipeline for a query, as the page shows it.

    `value` is the value of the metric. `places` are the first places of the slate, then the relevant places below them.
    """

    pipeline: str
    served_by: str
    value: float
    places: list[Place]


@dataclass(frozen=True, slots=True)
class Moved:
    """A query for which the variant gains or loses much, with the slates of both arms.

    `gain` is the difference in the metric, positive if the variant is better; `segment` describes the query's segment
    in words.
    """

    query: int
    unit: str
    segment: str
    gain: float
    items: list[str]
    entities: dict[str, list[str]]
    """By kind, the entities that the query has besides items."""
    text: str
    relevant: list[str]
    """Names of the relevant ids, which the split hid."""
    slates: tuple[ShownQuery, ShownQuery]


@dataclass(frozen=True, slots=True)
class Difference:
    """A comparison in detail: the histogram over users, and the queries with the largest gains and losses."""

    row: Comparison
    histogram: Histogram
    better: list[Moved]
    worse: list[Moved]


@dataclass(frozen=True, slots=True)
class Arm:
    """Results of a pipeline.

    measured: a frame with a row for each query
    ids: for each query that the page shows, the ids of its slate
    """

    measured: pl.DataFrame
    ids: dict[int, list[str]]


class Differences:
    """Builder of the differences of a run; it reads the files of the run once for all comparisons."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.lower_is_better = run.report.statistics.lower_is_better
        self.segmenter = run.report.segmenters[0]
        self.measured = {name: rows for (name,), rows in run.per_query().partition_by("pipeline", as_dict=True).items()}
        self.queries = run.queries()
        self.names: Mapping[str, str] = dict(run.names().select("id", "name").iter_rows())

    def of(self, row: Comparison) -> Difference | None:
        """Build the difference of a comparison; None if no query has the metric defined in both arms."""
        import polars as pl

        control, variant = self.measured[row.control], self.measured[row.variant]
        if row.metric not in control.columns:
            return None
        gains = (variant[row.metric] - control[row.metric]).cast(pl.Float64).to_numpy()
        if row.metric in self.lower_is_better:
            gains = -gains
        if np.isnan(gains).all():
            return None
        units = control["unit"].rank("dense").to_numpy().astype(np.int32)
        totals = Totals.of(membership(units, control["weight"].to_numpy()), gains[:, None])
        per_unit = ratio(totals.sums, totals.weights)[:, 0]
        title = f"{row.metric} of {row.variant} minus {row.control}, by user"
        histogram = Histogram.of(title, per_unit[~np.isnan(per_unit)])
        better, worse = furthest(gains), furthest(-gains)
        arms = [self._arm(name, row.metric, [*better, *worse]) for name in (row.control, row.variant)]
        moved = {query: self._moved(query, row.metric, float(gains[query]), arms) for query in (*better, *worse)}
        return Difference(row, histogram, [moved[query] for query in better], [moved[query] for query in worse])

    def _arm(self, pipeline: str, metric: str, queries: list[int]) -> Arm:
        import polars as pl

        slates = self.run.slates(pipeline, target_of(metric))
        shown = slates.filter(pl.col("query").is_in(queries)).sort("rank")
        return Arm(self.measured[pipeline], dict(shown.group_by("query", maintain_order=True).agg("id").iter_rows()))

    def _moved(self, query: int, metric: str, gain: float, arms: list[Arm]) -> Moved:
        asked = self.queries.row(query, named=True)
        relevant = asked[f"relevant_{target_of(metric)}"]
        names = self.names if target_of(metric) == ITEMS else {}
        control, variant = (arm.measured.row(query, named=True) for arm in arms)
        before, after = (
            ShownQuery(
                pipeline=measured["pipeline"],
                served_by=measured["served_by"],
                value=measured[metric],
                places=_places(arm.ids.get(query, []), set(relevant), names),
            )
            for arm, measured in zip(arms, (control, variant), strict=True)
        )
        return Moved(
            query=query,
            unit=asked["unit"],
            segment=segment_title(control["segment"], self.segmenter).replace("queries that know", "knows", 1),
            gain=gain,
            items=[self.names.get(item, item) for item in asked["items"]],
            entities={kind: asked[kind] for kind in self.run.report.data.entities if asked.get(kind)},
            text=asked["text"],
            relevant=[names.get(id_, id_) for id_ in relevant],
            slates=(before, after),
        )


def _places(ids: Sequence[str], relevant: Set[str], names: Mapping[str, str]) -> list[Place]:
    """Return the first places of a slate, then the relevant places below them."""
    places = [Place(rank, names.get(id_, id_), id_ in relevant) for rank, id_ in enumerate(ids, 1)]
    return [*places[:PLACES], *[place for place in places[PLACES:] if place.relevant][:HITS]]


def target_of(metric: str) -> Target:
    """Return the target in a metric's name: items for `ndcg@10`, tags for `tags/ndcg@10`."""
    return metric.rpartition("/")[0] or ITEMS


def furthest(gains: Doubles) -> list[int]:
    """Return the numbers of the queries with the largest positive gains, at most `EACH_WAY`, best first.

    gains: float64 [Q], NaN where not defined. Of equal gains the earlier query comes first.
    """
    order = np.argsort(-np.nan_to_num(gains, nan=-np.inf), kind="stable")[:EACH_WAY]
    return [int(query) for query in order if gains[query] > TIE]
