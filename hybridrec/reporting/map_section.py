"""The map of items on the page: points in a plane, coloured by cluster, labelled with the best-known names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hybridrec.runs.run import MAPS, Run, read_frame

if TYPE_CHECKING:
    import polars as pl

SIZE = 640.0
"""Width and height of the figure, in units in which a name is 15 high."""
_MARGIN = 16.0
_NAMED = 6
"""Items of each cluster that the list below the figure names."""
_LONGEST = 28


class MapPoint(NamedTuple):
    """An item; `cluster` counts from 1."""

    x: float
    y: float
    radius: float
    cluster: int
    name: str


class Cluster(NamedTuple):
    """A cluster, its size, its best-known items, and the position of the first of them."""

    number: int
    items: int
    names: list[str]
    x: float
    y: float

    @property
    def label(self) -> str:
        """The best-known name, shortened to fit into the figure."""
        name = self.names[0]
        return name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…"

    @property
    def anchor(self) -> str:
        """The side on which the label has room."""
        return "start" if self.x < SIZE / 2 else "end"


@dataclass(frozen=True, slots=True)
class ItemMap:
    """The map of one component."""

    label: str
    points: list[MapPoint]
    clusters: list[Cluster]

    @property
    def description(self) -> str:
        """The figure in words."""
        groups = "; ".join(f"cluster {c.number}: {', '.join(c.names[:3])}" for c in self.clusters)
        return f"{len(self.points)} items of {self.label}; nearby points are similar. {groups}"


def maps(run: Run) -> list[ItemMap]:
    """Read the maps of a run, in order of their labels; raises StoreError for a damaged one."""
    paths = sorted((run.folder / MAPS).glob("*.parquet"))
    return [_map(path.stem, read_frame(run.file(f"{MAPS}/{path.name}"))) for path in paths]


def _map(label: str, frame: pl.DataFrame) -> ItemMap:
    """Build a map from a frame whose most frequent items come first."""
    plane = frame.select("x", "y").to_numpy().astype(np.float64)
    low, span = plane.min(axis=0), float(np.ptp(plane, axis=0).max()) or 1.0
    places = _MARGIN + (SIZE - 2 * _MARGIN) * (plane - low) / span
    counts = frame["count"].to_numpy()
    radii = 2.5 + 5.5 * np.sqrt(counts / max(counts.max(), 1))
    numbers, names = frame["cluster"].to_numpy() + 1, frame["name"].to_list()
    columns = (places[:, 0].tolist(), places[:, 1].tolist(), radii.tolist(), numbers.tolist(), names)
    points = [MapPoint(*point) for point in zip(*columns, strict=True)]
    clusters = []
    for number in np.unique(numbers):
        members = np.flatnonzero(numbers == number)
        x, y = places[members[0]].tolist()
        clusters.append(Cluster(int(number), len(members), [names[m] for m in members[:_NAMED]], x, y))
    return ItemMap(label, points[::-1], clusters)  # the best known are drawn last, on top
