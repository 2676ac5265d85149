"""Features of queries and candidates for learned rankers, as named columns of numbers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hybridrec import DAY, PADDING, Doubles, Floats, Ints, Normaliser, Pool, QueryBatch, Sparse, kernels
from hybridrec_fusion.item_stats import Facts

_DENSE = 1 << 24
"""Number of similarities held in memory at a time."""


def opinions(pool: Pool, normaliser: Normaliser) -> Iterator[tuple[str, str, Floats]]:
    """Yield (label, feature, float32 [Q, K]) for each column of the pool, in order of the labels; NaN for "no opinion".

    The features of a column are the score (`value`), the normalised score, and 1 / log2(r + 1) of the rank r in the
    row (`rank`), in which differences matter less further down.
    """
    for label in sorted(pool.columns):
        values = pool.columns[label]
        yield label, "value", values
        yield label, "normalised", normaliser.scale(values)
        yield label, "rank", (1 / np.log2(1 + kernels.ranks(values))).astype(np.float32)


def provenance(pool: Pool) -> Iterator[tuple[str, Floats]]:
    """Yield (name, values) of features on the generators of a candidate, float32 [Q, K] each.

    For each generator there is a 1 where it proposed the candidate, else 0; the last feature is the sum of these.
    """
    proposed = {label: pool.proposed_by(label).astype(np.float32) for label in sorted(pool.generators)}
    for label, flags in proposed.items():
        yield f"{label}: proposed", flags
    yield "proposals", np.sum([np.zeros(pool.ids.shape, np.float32), *proposed.values()], axis=0)


def statistics(queries: QueryBatch, pool: Pool, facts: Facts) -> Iterator[tuple[str, Floats]]:
    """Yield (name, values) of features that compare a candidate with its query: popularity, ages and similarities.

    Values are float32 [Q, K], NaN where unknown and at padding.

    An age is sign(d) log(1 + |d|), where d is the number of days from an item's first or last use to the query's time.
    """
    yield "popularity", _at(facts.popularity, pool.ids).astype(np.float32)
    asked = np.full(len(queries), np.nan) if queries.times is None else queries.times
    for feature, times in (("days since first", facts.first), ("days since last", facts.last)):
        days = (asked[:, None] - _at(times, pool.ids)) / DAY
        yield feature, (np.sign(days) * np.log1p(np.abs(days))).astype(np.float32)
    if pool.target == "items":
        yield "similar to the history", _cosines(queries.history.matrix() @ facts.content, facts.content, pool.ids)
        yield "similar to the tags", _cosines(queries.matrix("tags"), facts.tags, pool.ids)


def circumstances(queries: QueryBatch) -> Iterator[tuple[str, Doubles]]:
    """Yield (name, values) of the features of queries, float64[Q] each.

    For each field there is a 1 where the query has the field, else 0; for items and every other kind of entities there
    is log(1 + the number of ids that the query has).
    """
    for field in queries.fields:
        yield f"knows {field}", queries.has(field).astype(np.float64)
    yield "items known", np.log1p(queries.history.lengths)
    for kind, has in queries.entities.items():
        yield f"{kind} known", np.log1p(np.diff(has.indptr))


def features(queries: QueryBatch, pool: Pool, facts: Facts, normaliser: Normaliser) -> Iterator[tuple[str, Floats]]:
    """Yield (name, float32 [Q, K]) of every feature on which trees are grown, NaN where unknown.

    Names and their order depend on the target and the set of the pool's labels, not on the order of the labels.
    """
    for label, feature, values in opinions(pool, normaliser):
        yield f"{label}: {feature}", values
    yield from provenance(pool)
    yield from statistics(queries, pool, facts)
    for feature, values_of_query in circumstances(queries):
        yield feature, np.broadcast_to(values_of_query.astype(np.float32)[:, None], pool.ids.shape)


def _at(values: Floats | Doubles, ids: Ints) -> Doubles:
    """Return `values[ids]`, NaN at padding: float64, shape of `ids`."""
    return np.where(ids == PADDING, np.nan, values[ids])


def _cosines(profiles: Sparse, content: Sparse, ids: Ints) -> Floats:
    """Compute the cosine of each query's profile, csr [Q, D], with the content of its candidates: float32 [Q, K].

    `content`, csr [N, D], has rows of length 1 or empty ones. NaN where the profile or the content is empty.
    """
    result = np.full(ids.shape, np.nan, np.float32)
    length = np.sqrt(np.asarray(profiles.multiply(profiles).sum(axis=1)).ravel())
    described = content.getnnz(axis=1) > 0
    step = max(_DENSE // max(content.shape[0], 1), 1)
    others = content.T.tocsr()
    for start in range(0, len(ids) if described.any() else 0, step):
        rows = slice(start, start + step)
        result[rows] = kernels.pick((profiles[rows] @ others).toarray(), ids[rows])
        result[rows] /= np.where(length > 0, length, np.nan)[rows, None]
    result[~described[ids]] = np.nan
    return result
