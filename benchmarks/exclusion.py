"""Cost of a rule that excludes most of a large catalogue, as groups of an exclusion, compared with no rule."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import numpy as np
from scipy.sparse import csr_matrix

from benchmarks.timing import Work, race
from hybridrec import Bools, Exclude, Floats, kernels

QUERIES, K, SEED = 128, 200, 3
LEFT = 0.01
"""Share of the ids that the rule does not exclude."""


def exclusion(quick: bool) -> list[Work]:
    """Time the best 200 of 500,000 items for 128 queries, with a rule that excludes 99 % of them, and without it."""
    items = 60_000 if quick else 500_000
    rng = np.random.default_rng(SEED)
    vectors = rng.standard_normal((items, 64), np.float32) * rng.lognormal(0, 0.7, (items, 1)).astype(np.float32)
    asked = rng.standard_normal((QUERIES, 64), np.float32)
    longest = kernels.Longest.of(vectors)
    barred = rng.random((16, items)) >= LEFT
    rules = {
        "without a rule": Exclude(),
        "one rule for all": Exclude(groups=barred[:1], group=np.zeros(QUERIES, np.int32)),
        "16 groups of queries": Exclude(groups=barred, group=(np.arange(QUERIES) % 16).astype(np.int32)),
    }
    ids_by_rule: dict[str, np.ndarray] = {}

    def vector_search(name: str) -> Callable[[], None]:
        def search() -> None:
            ids_by_rule[name] = kernels.top_products(asked, vectors, K, rules[name], longest)[0]

        return search

    def dense_search(name: str) -> Callable[[], None]:
        def search() -> None:
            for start in range(0, QUERIES, 8):  # as many queries at once as a dense model takes
                rows = slice(start, start + 8)
                scores = asked[rows] @ vectors.T
                rules[name].take(rows).mask(scores)
                kernels.top_k(scores, K)

        return search

    works = []
    for title, search in {"inner products": vector_search, "all scores": dense_search}.items():
        work = race(f"{title} of {items:,} items", "query", QUERIES, {name: search(name) for name in rules}, repeats=5)
        for name, rule in rules.items():
            work.ways[name].facts |= {"bytes of the rule": _bytes(rule), "peak": _peak(search(name))}
        for name in list(rules)[1:]:
            work.ratio(name, "without a rule", "≤ 1.5")
            work.note(f"MB at the peak, {name}", work.ways[name].facts["peak"] / 1e6, "≤ 200")
        works.append(work)
    work = works[0]
    work.ways["one rule for all"].facts["bytes as a list per query"] = _listed(barred[:1])
    assert not any(rules[name].holds(ids).any() for name, ids in ids_by_rule.items())
    np.testing.assert_array_equal(ids_by_rule["one rule for all"], _naive(asked, vectors, barred[0]))
    return works


def _bytes(rule: Exclude) -> int:
    return 0 if rule.groups is None or rule.group is None else rule.groups.nbytes + rule.group.nbytes


def _listed(barred: Bools) -> int:
    """Return the bytes of the rule as a matrix with an entry for each query and excluded id."""
    matrix = csr_matrix(barred.astype(np.float32))
    return QUERIES * (matrix.data.nbytes + matrix.indices.nbytes)


def _peak(do: Callable[[], None]) -> int:
    """Return the largest number of bytes that `do` has allocated at once."""
    tracemalloc.start()
    try:
        do()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _naive(asked: Floats, vectors: Floats, barred: Bools) -> np.ndarray:
    left = np.flatnonzero(~barred)
    return left[np.argsort(-(asked @ vectors[left].T), axis=1, kind="stable")[:, :K]]
