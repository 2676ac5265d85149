"""Check of a learned space of playlists: the agreement of its fields, and the tags of neighbours.

    hybridrec run configs/w2v-setlists.yaml --set refit=all && python -m benchmarks.space runs/w2v-setlists-* mean

The arguments are a run that was made with `refit: all`, and the label of a component with vectors. The table goes
between `<!-- NAME space -->` and `<!-- /NAME space -->` of the pages, where NAME is the experiment's name.
"""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
from scipy.sparse import csr_matrix

from benchmarks.readme import PAGES, markdown, write
from hybridrec import QueryBatch, Ragged, VectorModel, kernels, load
from hybridrec.types import Doubles, Field, Floats, Ints, Sparse

NEIGHBOURS = 10
BLOCK = 512


def main(folder: str, label: str) -> None:
    """Measure the space and write the table."""
    recommender = load(folder)
    component = recommender.components[label]
    if not isinstance(component, VectorModel):
        sys.exit(f"'{label}' has no vectors")
    data, rng = recommender.data, np.random.default_rng(0)
    everyone = data.queries(np.arange(len(data.users), dtype=np.int32))
    lines = [*cosines(component, everyone, rng), divergence(component, everyone, rng)]
    head = ["check", "own, or nearest", "random", "share of pairs in order"]
    block = markdown([head, ["---"] * len(head), *lines])
    mark = f"{recommender.name} space"
    print(block, *(page for page in PAGES if write(page, {mark: block})), sep="\n")


def cosines(component: VectorModel, queries: QueryBatch, rng: np.random.Generator) -> list[list[str]]:
    """Return a row for each field but songs: cosines between a playlist's vector by this field and by its songs.

    They are compared with the cosines between the same vector and the vector by the songs of a random playlist.
    """
    songs = directions(component, queries, "items")
    lines = []
    for field in queries.fields:
        if field == "items" or not component.reads(field):
            continue
        vectors = directions(component, queries, field)
        both = np.flatnonzero(~np.isnan(songs[:, 0]) & ~np.isnan(vectors[:, 0]))
        own = np.einsum("qd,qd->q", vectors[both], songs[both])
        other = np.einsum("qd,qd->q", vectors[both], songs[rng.permutation(both)])
        name = "id" if field == "user" else field
        lines.append(line(f"cosine of a playlist's {name} with the mean of its songs", own, other, own > other))
    return lines


def divergence(component: VectorModel, queries: QueryBatch, rng: np.random.Generator) -> list[str]:
    """Return a row on the KL divergence of a playlist's tags from the tags of its nearest playlists by songs.

    It is compared with the divergence from the tags of random playlists.
    """
    songs = directions(component, queries, "items")
    usable = np.flatnonzero(~np.isnan(songs[:, 0]) & (np.diff(queries.matrix("tags").indptr) > 0))
    tags = queries.matrix("tags")[usable].sign()
    near = nearest(songs[usable])
    random = rng.integers(len(usable), size=near.shape)
    close, far = (kl(tags, pooled(tags, others)) for others in (near, random))
    return line(f"KL divergence (nats) of the tags of {NEIGHBOURS} neighbours", close, far, close < far)


def directions(component: VectorModel, queries: QueryBatch, field: Field) -> Floats:
    """Return the vectors of queries by one field, float32 [Q, D], of length 1; NaN rows for queries without it."""
    vectors = component.query_vectors(only(queries, field), component.targets[0])
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def only(queries: QueryBatch, field: Field) -> QueryBatch:
    """Return the queries with this field alone."""
    n = len(queries)
    return replace(
        queries,
        users=queries.users if field == "user" else np.full(n, -1, np.int32),
        history=queries.history if field == "items" else Ragged.empty(n, queries.history.width),
        entities={
            kind: matrix if field == kind else csr_matrix(matrix.shape, dtype=np.float32)
            for kind, matrix in queries.entities.items()
        },
        text=queries.text if field == "title" else ("",) * n,
    )


def nearest(vectors: Floats) -> Ints:
    """Find the nearest other rows of each row: int32 [Q, NEIGHBOURS]."""
    blocks = []
    for start in range(0, len(vectors), BLOCK):
        similar = vectors[start : start + BLOCK] @ vectors.T
        rows = np.arange(len(similar))
        similar[rows, start + rows] = np.nan
        blocks.append(kernels.top_k(similar, NEIGHBOURS)[0])
    return np.concatenate(blocks)


def pooled(tags: Sparse, others: Ints) -> Sparse:
    """Return for each row the sum of the tags, csr [Q, T], of its n rows in `others`, int32 [Q, n]: csr [Q, T]."""
    rows = np.repeat(np.arange(len(others)), others.shape[1])
    ones = np.ones(others.size, np.float32)
    return csr_matrix((ones, (rows, others.ravel())), shape=(len(others), tags.shape[0])) @ tags


def kl(own: Sparse, others: Sparse) -> Doubles:
    """Compute KL(own, others) of each row in nats, where both are distributions over the T tags: float64 [Q].

    1 / T is added to each count (Perks 1947), so that no divergence is infinite.
    """
    p, q = (_distribution(counts) for counts in (own, others))
    return (p * np.log(p / q)).sum(axis=1)


def _distribution(counts: Sparse) -> Doubles:
    dense = counts.toarray().astype(np.float64) + 1 / counts.shape[1]
    return dense / dense.sum(axis=1, keepdims=True)


def line(name: str, own: Floats | Doubles, other: Floats | Doubles, ordered: np.ndarray) -> list[str]:
    """Return the cells of a row: mean and standard deviation of `own` and of `other`, and the share of `ordered`."""
    return [
        name,
        *(f"{each.mean():.3f} (sd {each.std():.3f})" for each in (own, other)),
        f"{100 * ordered.mean():.1f} %",
    ]


if __name__ == "__main__":
    main(*sys.argv[1:])
