"""A map of the items of a finished run: the vectors of one component in two dimensions, with clusters."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hybridrec import (
    PADDING,
    ConfigError,
    DataError,
    Floats,
    Longs,
    MissingDependencyError,
    VectorModel,
    Vocabulary,
    did_you_mean,
    load,
)

if TYPE_CHECKING:
    import polars as pl

    from hybridrec import Run

MOST_ITEMS = 2_000
"""Largest number of items on a map: those in the most queries, known or hidden, are shown."""
FEWEST_ITEMS = 5
CLUSTERS = 8
PERPLEXITY = 30.0


def draw_map(run: Run, label: str) -> Path:
    """Write the map of a component into the folder of a run, for its page; return the path.

    One row per item, the most frequent first: id, name, count (queries that contain it), x, y, cluster. The vectors are
    those of the run's recommender; the plane is t-SNE of their cosines (van der Maaten and Hinton 2008), the
    clusters are k-means of the unit vectors, in all dimensions. Raises ConfigError if the component has no vectors of
    items, DataError if the run was only evaluated, and MissingDependencyError without scikit-learn.
    """
    import polars as pl

    items, vectors = item_vectors(run, label)
    lengths = np.linalg.norm(vectors, axis=1)
    frame = counted(run).with_columns(code=pl.Series(items.encode(run.names()["id"])))
    frame = frame.filter(pl.col("code") != PADDING)  # a run that was refreshed may have lost some
    frame = frame.filter(pl.Series(lengths[frame["code"].to_numpy()] > 0)).sort("count", descending=True)
    frame = frame.head(MOST_ITEMS)
    if len(frame) < FEWEST_ITEMS:
        raise DataError(f"'{label}' has vectors of {len(frame)} items; a map takes {FEWEST_ITEMS} or more")
    codes = frame["code"].to_numpy()
    plane, clusters = arranged(vectors[codes] / lengths[codes, None])
    drawn = frame.select("id", "name", "count").with_columns(
        x=pl.Series(plane[:, 0]), y=pl.Series(plane[:, 1]), cluster=pl.Series(clusters)
    )
    return run.add_map(label, drawn)


def counted(run: Run) -> pl.DataFrame:
    """Return one row per item in the order of the run: id, name, count (queries that contain it)."""
    import polars as pl

    queries = run.queries()
    seen = pl.concat([queries[column].explode() for column in ("items", "relevant_items") if column in queries.columns])
    counts = pl.DataFrame({"id": seen}).drop_nulls().group_by("id").len("count")
    return (
        run.names().join(counts, on="id", how="left", maintain_order="left").with_columns(pl.col("count").fill_null(0))
    )


def item_vectors(run: Run, label: str) -> tuple[Vocabulary, Floats]:
    """Return the items of a run's recommender, and their vectors in a component, float32 [I, D]."""
    recommender = load(run)
    components = recommender.components
    if label not in components:
        raise ConfigError(f"no component of {run.folder} is labelled '{label}': {did_you_mean(label, components)}")
    component = components[label]
    if not isinstance(component, VectorModel) or not component.recommends("items"):
        others = [name for name, other in components.items() if isinstance(other, VectorModel)]
        raise ConfigError(
            f"'{label}' ({component.name}) has no vectors of items; {', '.join(others) or 'none here'} may"
        )
    return recommender.data.items.vocabulary, component.vectors("items")


def arranged(vectors: Floats) -> tuple[Floats, Longs]:
    """Place unit vectors [N, D] in a plane, float32 [N, 2], and cluster them, int64 [N], the largest cluster first."""
    try:
        from sklearn.cluster import KMeans
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.manifold import TSNE
    except ImportError as error:
        raise MissingDependencyError("a map of items needs scikit-learn: pip install 'hybridrec[map]'") from error

    perplexity = min(PERPLEXITY, (len(vectors) - 1) / 3)
    plane = TSNE(perplexity=perplexity, metric="cosine", init="random", random_state=0).fit_transform(vectors)
    wanted = min(CLUSTERS, max(1, len(vectors) // FEWEST_ITEMS))
    with warnings.catch_warnings():  # items that are the same leave fewer clusters, which is no mistake
        warnings.simplefilter("ignore", ConvergenceWarning)
        clusters = KMeans(wanted, n_init=10, random_state=0).fit_predict(vectors)
    rank = np.empty(wanted, np.int64)
    rank[np.argsort(-np.bincount(clusters, minlength=wanted), kind="stable")] = np.arange(wanted)
    return plane.astype(np.float32), rank[clusters]
