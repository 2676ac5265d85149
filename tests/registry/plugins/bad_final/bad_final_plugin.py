"""A re-ranker that throws candidates away."""

from dataclasses import replace

from hybridrec import Reranker, hookimpl


class Broken(Reranker):
    """Keeps the first two."""

    name = "bad-final"
    targets = ("items", "tags")

    def rerank(self, queries, pool, n):
        return replace(pool, ids=pool.ids[:, :2], final=pool.columns["ease"][:, :2])


@hookimpl
def hybridrec_components():
    return [Broken]
