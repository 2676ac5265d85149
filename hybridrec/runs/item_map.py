"""A map of the items of a finished run: the vectors of one component in two dimensions, with clusters."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hybridrec.config.load import load_experiment
from hybridrec.engine.store import Store
from hybridrec.errors import ConfigError, DataError, MissingDependencyError, StoreError, did_you_mean
from hybridrec.paths import inside, replacing, subfolder
from hybridrec.registry.discovery import Registry
from hybridrec.runs.run import CONFIG, MAPS, Run
from hybridrec.stages.component import VectorModel
from hybridrec.types import Floats, Longs

if TYPE_CHECKING:
    import polars as pl

MOST_ITEMS = 2_000
"""The items that stand in the most queries, known or hidden, are shown."""
FEWEST_ITEMS = 5
CLUSTERS = 8
PERPLEXITY = 30.0


def draw_map(run: Run, label: str, store: Store) -> Path:
    """Write `maps/LABEL.parquet` into a run's folder, which its page then shows; returns its path.

    One row per item, the most frequent first: id, name, count (queries it stands in), x, y, cluster. The
    vectors are those of the first fold; the plane is t-SNE's of their cosines (van der Maaten and Hinton
    2008), the clusters are k-means' of the unit vectors, in all dimensions. Raises ConfigError if the
    component has no vectors of items, StoreError if it is not in the store any more, and
    MissingDependencyError without scikit-learn.
    """
    import polars as pl

    frame = counted(run)
    vectors = item_vectors(run, label, store)
    lengths = np.linalg.norm(vectors, axis=1)
    frame = frame.with_columns(known=pl.Series(lengths > 0)).filter("known").sort("count", descending=True)
    frame = frame.head(MOST_ITEMS)
    if len(frame) < FEWEST_ITEMS:
        raise DataError(f"'{label}' has vectors of {len(frame)} items; a map takes {FEWEST_ITEMS} or more")
    codes = frame["code"].to_numpy()
    plane, clusters = arranged(vectors[codes] / lengths[codes, None])
    place = inside(subfolder(run.folder, MAPS), f"{label}.parquet")
    place.parent.mkdir(exist_ok=True)
    drawn = frame.select("id", "name", "count").with_columns(
        x=pl.Series(plane[:, 0]), y=pl.Series(plane[:, 1]), cluster=pl.Series(clusters)
    )
    with replacing(place) as file:
        drawn.write_parquet(file)
    return place


def counted(run: Run) -> pl.DataFrame:
    """One row per item in the order of the codes: id, name, code, count."""
    import polars as pl

    queries = run.queries()
    seen = pl.concat([queries[column].explode() for column in ("items", "relevant_items") if column in queries.columns])
    counts = pl.DataFrame({"id": seen}).drop_nulls().group_by("id").len("count")
    names = run.names().with_row_index("code")
    return names.join(counts, on="id", how="left", maintain_order="left").with_columns(pl.col("count").fill_null(0))


def item_vectors(run: Run, label: str, store: Store) -> Floats:
    """float32 [I, D] of a component as it was fitted on the first fold."""
    components = load_experiment(run.folder / CONFIG, Registry()).components
    if label not in components:
        raise ConfigError(f"no component of {run.folder} is labelled '{label}': {did_you_mean(label, components)}")
    spec = components[label]
    component = spec.create()
    if not isinstance(component, VectorModel) or "items" not in component.targets:
        others = [name for name, other in components.items() if issubclass(other.cls, VectorModel)]
        raise ConfigError(
            f"'{label}' ({spec.cls.name}) has no vectors of items; {', '.join(others) or 'none here'} may"
        )
    keys = [key for place, key in run.lock["fits"].items() if place.endswith(f"/final/{label}")]
    state = store.find(keys[0]) if keys else None
    if state is None:
        raise StoreError(f"'{label}' of {run.folder} is not in the store {store.folder}: run the experiment again")
    component.restore(state)
    return component.vectors("items")


def arranged(vectors: Floats) -> tuple[Floats, Longs]:
    """Unit vectors [N, D] as float32 [N, 2] in a plane, and the cluster of each, int64 [N], the largest first."""
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
        found = KMeans(wanted, n_init=10, random_state=0).fit_predict(vectors)
    rank = np.empty(wanted, np.int64)
    rank[np.argsort(-np.bincount(found, minlength=wanted), kind="stable")] = np.arange(wanted)
    return plane.astype(np.float32), rank[found]
