"""Section of the page with maps of items: points in a plane, coloured by group, with names of the best-known items.

The best-known items are the items that occur in the most queries of the run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np

from hybridrec.evaluation.report import MapLegend
from hybridrec.reporting.component_section import ComponentFigures
from hybridrec.runs.run import Run
from hybridrec.types import Doubles, Longs

if TYPE_CHECKING:
    import polars as pl

SIZE = 640.0
"""Width and height of the figure, in units in which a name is 15 high."""
COLOURS = 10
"""Number of colours; more groups than colours use the same colours again."""
NAMED = 2_000
"""Number of best-known items that have a circle with their name; all other items are dots."""
_MARGIN = 16.0
_MEMBERS = 6
"""Number of items that the list below the figure names for each group."""
_LONGEST = 28
_LETTER = (8.5, 16.0)
"""Width and height of a letter of a label."""


class MapPoint(NamedTuple):
    """One of the best-known items, drawn as a circle; `colour` counts from 1, and is 0 for an item without a group."""

    x: float
    y: float
    radius: float
    colour: int
    name: str


class Dots(NamedTuple):
    """All items of one colour that are not among the best-known, as an SVG path of dots."""

    colour: int
    path: str


class Group(NamedTuple):
    """A group of items with a colour of its own; `members` are the names of its best-known items.

    `x` and `y` are the position of the group's best-known item, where the label is drawn.
    """

    colour: int
    name: str
    items: int
    members: list[str]
    x: float
    y: float

    @property
    def label(self) -> str:
        """The name of the best-known item, shortened to fit into the figure."""
        name = self.members[0]
        return name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…"

    @property
    def anchor(self) -> str:
        """The SVG `text-anchor` of the label, by which it extends to the side that has more room: `start` or `end`."""
        return "start" if self.x < SIZE / 2 else "end"

    @property
    def height(self) -> float:
        """The vertical position of the label's baseline."""
        return max(self.y - 8, _LETTER[1])

    @property
    def span(self) -> tuple[float, float]:
        """The left and the right end of the label, approximately."""
        width = _LETTER[0] * len(self.label)
        return (self.x, self.x + width) if self.anchor == "start" else (self.x - width, self.x)

    def covers(self, other: Group) -> bool:
        """Return True if the labels of both groups would overlap."""
        (left, right), (others_left, others_right) = self.span, other.span
        return abs(self.height - other.height) < _LETTER[1] and left < others_right and others_left < right


@dataclass(frozen=True, slots=True)
class ItemMap:
    """The map of the items in the vector space of one component.

    items: the number of items
    groups: the groups with a colour of their own
    others: the number of further groups, each of which has the same colour as one of `groups`
    height: the height of the figure
    """

    label: str
    legend: MapLegend
    items: int
    points: Sequence[MapPoint]
    dots: Sequence[Dots]
    groups: Sequence[Group]
    others: int
    height: float
    figures: ComponentFigures

    @classmethod
    def of(cls, label: str, frame: pl.DataFrame, legend: MapLegend) -> Self:
        """Build a map from a frame (id, name, count, x, y, group) whose best-known items come first."""
        plane = frame.select("x", "y").to_numpy().astype(np.float64)
        low, span = plane.min(axis=0), float(np.ptp(plane, axis=0).max()) or 1.0
        places = _MARGIN + (SIZE - 2 * _MARGIN) * (plane - low) / span
        numbers = frame["group"].to_numpy().astype(np.int64)
        colours = np.where(numbers < 0, 0, numbers % COLOURS + 1)
        groups = [
            _group(legend, number, np.flatnonzero(numbers == number), places, frame["name"])
            for number in np.unique(numbers[numbers >= 0])[:COLOURS].tolist()
        ]
        return cls(
            label,
            legend,
            len(frame),
            _points(places, colours, frame),
            list(_dots(places[NAMED:], colours[NAMED:])),
            groups,
            len(np.unique(numbers[numbers >= 0])) - len(groups),
            max(float(places[:, 1].max()) + _MARGIN, SIZE / 4),
            ComponentFigures.of(label, legend.figures),
        )

    @property
    def labels(self) -> list[Group]:
        """Groups whose label is drawn, since it does not overlap with the label of an earlier group."""
        kept: list[Group] = []
        for group in self.groups:
            if not any(group.covers(other) for other in kept):
                kept.append(group)
        return kept

    @property
    def dot(self) -> float:
        """The width of a dot, which is smaller the more items the map has."""
        return float(np.clip(300 / np.sqrt(max(self.items, 1)), 1.2, 3.0))

    @property
    def description(self) -> str:
        """The figure in words, for readers who cannot see it."""
        groups = "; ".join(f"{group.name}: {', '.join(group.members[:3])}" for group in self.groups)
        return f"{self.items} items of {self.label}; nearby points are similar. {groups}"


def maps(run: Run) -> list[ItemMap]:
    """Read the maps of a run in the order of their labels; raises StoreError for a damaged map."""
    return [ItemMap.of(label, *run.item_map(label)) for label in run.maps]


def _group(legend: MapLegend, number: int, members: Longs, places: Doubles, names: pl.Series) -> Group:
    x, y = places[members[0]].tolist()
    best_known = [names[int(member)] for member in members[:_MEMBERS]]
    return Group(number % COLOURS + 1, legend.groups[number], len(members), best_known, x, y)


def _points(places: Doubles, colours: Longs, frame: pl.DataFrame) -> list[MapPoint]:
    """Return the circles of the best-known items; the best known come last, so that they are drawn on top."""
    counts = frame["count"].to_numpy()[:NAMED]
    radii = 2.5 + 5.5 * np.sqrt(counts / max(counts.max(initial=0), 1))
    columns = (*places[:NAMED].T.tolist(), radii.tolist(), colours[:NAMED].tolist(), frame["name"][:NAMED].to_list())
    return [MapPoint(*point) for point in zip(*columns, strict=True)][::-1]


def _dots(places: Doubles, colours: Longs) -> list[Dots]:
    """Draw the items of each colour as one SVG path of dots; the items without a group (colour 0) come first."""
    return [
        Dots(colour, "".join(f"M{x:.1f} {y:.1f}h0" for x, y in places[colours == colour].tolist()))
        for colour in np.unique(colours).tolist()
    ]
