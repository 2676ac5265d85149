"""Map of the items of a finished run: a component's vectors in two dimensions, coloured by groups of items."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from threadpoolctl import threadpool_limits

from hybridrec import (
    ITEMS,
    PADDING,
    Component,
    ConfigError,
    DataError,
    EntityKind,
    Floats,
    Longs,
    MapLegend,
    MissingDependencyError,
    Recommender,
    StoreError,
    StripesFigure,
    VectorModel,
    did_you_mean,
    load,
)

if TYPE_CHECKING:
    import polars as pl

    from hybridrec import Run

MOST_ITEMS = 100_000
"""Largest number of items on a map; if there are more, it has the items in most queries, shown or hidden."""
FEWEST_ITEMS = 5
CLUSTERS = 8
PERPLEXITY = 30.0
ON_ONE_THREAD = 5_000
"""Number of items from which on t-SNE uses all cores."""
SEED = 0
"""Seed of the random numbers that place points, cluster and draw, so that the same run gets the same map."""


@dataclass(frozen=True, slots=True)
class Groups:
    """Groups of items that share a colour.

    text: the meaning of the colours, in a few words
    numbers: int64[N], the number of each item's group, from 0; -1 for items without a group
    names: name of each group, by number
    """

    text: str
    numbers: Longs
    names: Sequence[str]

    @classmethod
    def of_clusters(cls, text: str, clusters: Longs, names: Sequence[str]) -> Self:
        """Return the clusters as groups, numbered anew from the largest; empty ones are left out.

        `clusters`, int64[N], is the place of each item's cluster in `names`, or -1.
        """
        sizes = np.bincount(clusters[clusters >= 0], minlength=len(names))
        largest = np.argsort(-sizes, kind="stable")[: np.count_nonzero(sizes)]
        numbers = np.full(len(names) + 1, PADDING)  # the last is for -1
        numbers[largest] = np.arange(len(largest))
        return cls(text, numbers[clusters], [names[number] for number in largest])

    def drawn(self, n: int) -> Self:
        """Return n of the groups, drawn at random; items of the other groups are left without one."""
        kept = np.sort(np.random.default_rng(SEED).permutation(len(self.names))[:n])
        numbers = np.full(len(self.names) + 1, PADDING)
        numbers[kept] = np.arange(len(kept))
        text = f"{len(kept)} of {len(self.names)} {self.text}, drawn at random"
        return type(self)(text, numbers[self.numbers], [self.names[number] for number in kept])


@dataclass(frozen=True, slots=True)
class Colouring:
    """Choice of the colours of a map.

    clusters: label of the component whose clusters have the colours; None for k-means of the vectors
    drawn: number of clusters, drawn at random, that have a colour; None for all
    tags: names of tags, or of other entities of the kind `by`, that have a colour each, instead of clusters
    by: kind of the entities in `tags`
    """

    clusters: str | None = None
    drawn: int | None = None
    tags: Sequence[str] = ()
    by: EntityKind = "tags"

    def groups(self, recommender: Recommender, codes: Longs, units: Floats) -> Groups:
        """Return the groups of items by these colours.

        codes: int64[N], codes of the items
        units: float32 [N, D], vectors of the items, of length 1
        """
        if self.tags:
            return tagged(recommender, self.by, self.tags, codes)
        if self.clusters is None:
            groups = kmeans(units)
        else:
            clusters = _component(recommender, self.clusters).clusters(ITEMS)
            if clusters is None:
                raise ConfigError(f"'{self.clusters}' has no clusters of items; leave --clusters out for k-means")
            names = [f"cluster {number}" for number in range(int(clusters.max(initial=-1)) + 1)]
            groups = Groups.of_clusters(f"clusters of {self.clusters}", clusters[codes].astype(np.int64), names)
        return groups if self.drawn is None else groups.drawn(self.drawn)


def draw_map(run: Run, label: str, colouring: Colouring | None = None, items: Sequence[str] = ()) -> Path:
    """Write the map of a component into the folder of a run, for its page; return the path.

    The vectors are those of the run's recommender. They are placed in a plane by t-SNE of their cosines (van der Maaten
    and Hinton 2008), which does not depend on the colours. `items` are names of items; the page also shows the vector
    of each above the vectors of its nearest items, as stripes. Raises ConfigError if the component has no vectors of
    items, DataError if the run was only evaluated or a name is unknown, and MissingDependencyError without
    scikit-learn.
    """
    import polars as pl

    recommender = load(run)
    vectors = item_vectors(recommender, label)
    entities = recommender.data.items
    shown = [int(entities.vocabulary.encode([recommender.find(name).id])[0]) for name in items]
    lengths = np.linalg.norm(vectors, axis=1)
    if silent := [name for name, code in zip(items, shown, strict=True) if not lengths[code] > 0]:
        raise DataError(f"'{label}' has no vector of '{silent[0]}'")
    frame = counted(run).with_columns(code=pl.Series(entities.vocabulary.encode(run.names()["id"])))
    frame = frame.filter(pl.col("code") != PADDING)  # a run that was refreshed may have lost some
    frame = frame.filter(pl.Series(lengths[frame["code"].to_numpy()] > 0)).sort("count", descending=True)
    placed = frame.head(MOST_ITEMS)
    if len(placed) < FEWEST_ITEMS:
        raise DataError(f"'{label}' has vectors of {len(placed)} items; a map takes {FEWEST_ITEMS} or more")
    codes = placed["code"].to_numpy().astype(np.int64)
    units = vectors[codes] / lengths[codes, None]
    groups = (colouring or Colouring()).groups(recommender, codes, units)
    space = hashlib.blake2b(units.tobytes(), digest_size=16).hexdigest()
    plane = _placed(run, label, space)
    plane = arranged(units) if plane is None else plane
    drawn = placed.select("id", "name", "count").with_columns(
        x=pl.Series(plane[:, 0]), y=pl.Series(plane[:, 1]), group=pl.Series(groups.numbers)
    )
    legend = MapLegend(colours=groups.text, groups=list(groups.names), of=len(frame), space=space)
    return run.add_map(label, drawn, legend, [StripesFigure.of_neighbours(entities, vectors, code) for code in shown])


def counted(run: Run) -> pl.DataFrame:
    """Return a row for each item in the order of the run: `id`, `name`, `count` (of queries that contain it)."""
    import polars as pl

    queries = run.queries()
    seen = pl.concat([queries[column].explode() for column in ("items", "relevant_items") if column in queries.columns])
    counts = pl.DataFrame({"id": seen}).drop_nulls().group_by("id").len("count")
    return (
        run.names().join(counts, on="id", how="left", maintain_order="left").with_columns(pl.col("count").fill_null(0))
    )


def item_vectors(recommender: Recommender, label: str) -> Floats:
    """Return a component's vectors of items, float32 [I, D]; raises ConfigError if it has none."""
    component = _component(recommender, label)
    if not isinstance(component, VectorModel) or not component.recommends(ITEMS):
        others = [name for name, other in recommender.components.items() if isinstance(other, VectorModel)]
        raise ConfigError(
            f"'{label}' ({component.name}) has no vectors of items; "
            f"components with vectors: {', '.join(others) or 'none'}"
        )
    return component.vectors(ITEMS)


def arranged(units: Floats) -> Floats:
    """Place unit vectors, float32 [N, D], in a plane by t-SNE: float32 [N, 2].

    Raises MissingDependencyError without scikit-learn.
    """
    try:
        from sklearn.manifold import TSNE
    except ImportError as error:
        raise MissingDependencyError("a map of items needs scikit-learn: pip install 'hybridrec[map]'") from error

    perplexity = min(PERPLEXITY, (len(units) - 1) / 3)
    tsne = TSNE(perplexity=perplexity, metric="cosine", init="random", random_state=SEED)
    # The threads of a few points only wait for one another.
    with threadpool_limits(limits=1 if len(units) < ON_ONE_THREAD else None):
        return np.asarray(tsne.fit_transform(units), np.float32)


def kmeans(units: Floats) -> Groups:
    """Cluster unit vectors, float32 [N, D], by k-means in all dimensions, and return the clusters as groups.

    Raises MissingDependencyError without scikit-learn.
    """
    try:
        from sklearn.cluster import KMeans
        from sklearn.exceptions import ConvergenceWarning
    except ImportError as error:
        raise MissingDependencyError("clusters of items need scikit-learn: pip install 'hybridrec[map]'") from error

    wanted = min(CLUSTERS, max(1, len(units) // FEWEST_ITEMS))
    with warnings.catch_warnings():  # items that are the same leave fewer clusters, which is no mistake
        warnings.simplefilter("ignore", ConvergenceWarning)
        clusters = KMeans(wanted, n_init=10, random_state=SEED).fit_predict(units).astype(np.int64)
    text = f"{wanted} clusters of the vectors by k-means"
    groups = Groups.of_clusters(text, clusters, [""] * wanted)
    return Groups(text, groups.numbers, [f"cluster {number + 1}" for number in range(len(groups.names))])


def tagged(recommender: Recommender, kind: EntityKind, names: Sequence[str], codes: Longs) -> Groups:
    """Return a group for each named entity of a kind; an item that has several of them is in the group of the first.

    Raises ConfigError if no item has entities of the kind.
    """
    data = recommender.data
    matches = [recommender.find(name, kind) for name in names]
    has = data.item_matrix(kind)[codes]
    if not has.nnz:
        others = [other for other in data.kinds if data.item_matrix(other).nnz]
        raise ConfigError(
            f"no item has {kind}; items of this run have {', '.join(others) or 'nothing'}: choose with --by"
        )
    numbers = np.full(len(codes), PADDING, np.int64)
    entities = data.vocabulary(kind).encode([match.id for match in matches])
    for number, entity in reversed(list(enumerate(entities.tolist()))):
        numbers[has[:, [entity]].nonzero()[0]] = number
    return Groups(kind, numbers, [match.name for match in matches])


def _component(recommender: Recommender, label: str) -> Component:
    if label not in recommender.components:
        raise ConfigError(f"no component is labelled '{label}': {did_you_mean(label, recommender.components)}")
    return recommender.components[label]


def _placed(run: Run, label: str, space: str) -> Floats | None:
    """Return the points of the run's map, float32 [N, 2]; None without a map, or if it shows other vectors.

    `space` is the digest of the vectors to show.
    """
    if label not in run.maps:
        return None
    try:
        frame, legend = run.item_map(label)
    except StoreError:  # it is drawn anew
        return None
    return frame.select("x", "y").to_numpy() if legend.space == space else None
