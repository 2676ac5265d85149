"""Plain calls of libraries on the folds of a config, to check the systems here against the libraries below them.

Each way is written as a user of the library would write it: it gets the training pairs and the users to recommend to,
and its slates are measured by textbook formulas. Only the reader and the splitter are those of hybridrec, so that both
see the same pairs. `python -m benchmarks.systems` prints this table next to that of the systems;

    python -m benchmarks.systems.plain lastfm2k-folds

measures on the validation pairs of the first fold instead, for the choice of parameters.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import solve
from scipy.sparse import csr_matrix, vstack
from threadpoolctl import threadpool_limits

from benchmarks.readme import markdown
from benchmarks.systems.data import CONFIGS
from hybridrec import Fold
from hybridrec.config.experiment import CheckedExperiment
from hybridrec.config.load import load_experiment
from hybridrec.engine.folds import folds_of, validation_fold
from hybridrec.evaluation.report import PipelineReport
from hybridrec.registry.discovery import Registry
from hybridrec.types import Doubles, Ints, Sparse

PLACES = 10
METRICS = ("ndcg@10", "recall@10", "hit-rate@10")


@dataclass(frozen=True, slots=True)
class Task:
    """Training pairs, the users to recommend to, and their hidden items.

    counts: csr float64 [users, items], the plays (or ones) of the training pairs
    tags: csr float64 [tags, items], counts of tag assignments, but for assignments to hidden pairs; only tags with at
        least ten items
    users: int32[Q], the users to recommend to
    hidden: csr [Q, items], their hidden items
    """

    counts: Sparse
    tags: Sparse
    users: Ints
    hidden: Sparse

    @classmethod
    def of(cls, fold: Fold) -> Task:
        """Make the task of a fold."""
        tags = fold.train.item_matrix("tags").T.tocsr().astype(np.float64)
        counts = fold.train.interactions.matrix().astype(np.float64)
        return cls(counts, tags[tags.getnnz(axis=1) >= 10], fold.units, fold.truth["items"])


Values = Callable[[Sparse], Sparse]
"""Function from counts to the values in the matrix of a model."""
Recommend = Callable[[Task], Ints]
"""Function from a task to the best items of each of its users: int [Q, 10]."""


@dataclass(frozen=True, slots=True)
class Plain:
    """Way to recommend by plain calls of libraries, which a system of hybridrec is compared with.

    ours: label of the corresponding system of hybridrec
    published: nDCG@10 that was published for it on these folds
    """

    name: str
    ours: str
    recommend: Recommend
    published: float | None = None


def popular() -> Recommend:
    """Return a function that recommends the items with the most users."""
    return lambda task: best(task, np.tile(task.counts.getnnz(axis=0).astype(float), (len(task.users), 1)))


def als(values: Values, **options: float) -> Recommend:
    """Return a function that recommends by implicit's AlternatingLeastSquares."""
    from implicit.cpu.als import AlternatingLeastSquares

    return lambda task: recommended(AlternatingLeastSquares(num_threads=1, random_state=7, **options), task, values)


def bpr(**options: float) -> Recommend:
    """Return a function that recommends by implicit's BayesianPersonalizedRanking."""
    from implicit.cpu.bpr import BayesianPersonalizedRanking

    return lambda task: recommended(BayesianPersonalizedRanking(num_threads=1, random_state=7, **options), task, binary)


def item_knn(kind: str, values: Values, neighbours: int) -> Recommend:
    """Return a function that recommends by implicit's CosineRecommender, TFIDFRecommender or BM25Recommender."""
    from implicit import nearest_neighbours

    return lambda task: recommended(getattr(nearest_neighbours, kind)(K=neighbours, num_threads=1), task, values)


def recommended(model: Any, task: Task, values: Values) -> Ints:
    """Fit a model of implicit, and return the best items for each user by it: int [Q, 10]."""
    rows = csr_matrix(values(task.counts), dtype=np.float32)
    model.fit(rows, show_progress=False)
    return model.recommend(task.users, rows[task.users], N=PLACES, filter_already_liked_items=True)[0]


def user_knn(neighbours: int) -> Recommend:
    """Return a function that recommends by the sum of the cosines of the nearest users, in scipy."""

    def recommend(task: Task) -> Ints:
        rows = unit(binary(task.counts))
        likeness = strongest(csr_matrix(without_diagonal(rows @ rows.T)), neighbours)
        return best(task, (likeness @ binary(task.counts)).toarray()[task.users])

    return recommend


def ease(values: Values, l2: float, tag_rows: float = 0.0) -> Recommend:
    """Return a function that recommends by EASE in numpy, optionally with a row for the items of each tag.

    The weights are B = I - P / diag(P), where P = (X'X + l2 I)^-1. There are fewer users than items, so P comes from
    the smaller system, P = (I - X' (XX' + l2 I)^-1 X) / l2.
    """

    def recommend(task: Task) -> Ints:
        rows = values(task.counts)
        asked = rows[task.users].toarray()
        if tag_rows:
            rows = vstack([rows, tag_rows * task.tags.log1p()])
        rows = rows.toarray()
        solved = solve(rows @ rows.T + l2 * np.eye(len(rows)), rows, assume_a="pos")
        own = (rows * solved).sum(axis=0)
        return best(task, (asked @ rows.T @ solved - asked * own) / (1 - own))

    return recommend


def rp3beta(values: Values, alpha: float, beta: float, neighbours: int) -> Recommend:
    """Return a function that recommends by RP3beta in scipy; with a beta of 0 it is P3alpha."""

    def recommend(task: Task) -> Ints:
        rows = values(task.counts)
        walks = (shares(rows.T.tocsr()).power(alpha) @ shares(rows).power(alpha)).tocsc()
        walks = walks.multiply(np.maximum(rows.getnnz(axis=0), 1) ** -beta).tocsr()
        return best(task, (rows[task.users] @ strongest(without_diagonal(walks), neighbours)).toarray())

    return recommend


def binary(counts: Sparse) -> Sparse:
    """Replace counts by ones."""
    return counts.sign()


def logs(counts: Sparse) -> Sparse:
    """Compute log(1 + count)."""
    return counts.log1p()


def mean_logs(counts: Sparse) -> Sparse:
    """Compute log(1 + count) over its mean for the user, so that all users have equal weight."""
    rows = counts.log1p()
    return shares(rows).multiply(np.diff(rows.indptr)[:, None]).tocsr()


def shares(rows: Sparse) -> Sparse:
    """Divide rows by their sums."""
    return rows.multiply(1 / np.maximum(rows.sum(axis=1).A, 1e-12)).tocsr()


def unit(rows: Sparse) -> Sparse:
    """Divide rows by their lengths."""
    return rows.multiply(1 / np.maximum(np.sqrt(rows.power(2).sum(axis=1).A), 1e-12)).tocsr()


def without_diagonal(square: Sparse) -> Sparse:
    """Set the diagonal to 0, in place."""
    square.setdiag(0)
    return square


def strongest(square: Sparse, k: int) -> Sparse:
    """Remove all but the k largest entries of each row, in place."""
    for row in range(square.shape[0]):
        values = square.data[square.indptr[row] : square.indptr[row + 1]]
        if len(values) > k:
            values[np.argpartition(values, -k)[:-k]] = 0
    square.eliminate_zeros()
    return square


def best(task: Task, scores: Doubles) -> Ints:
    """Return the best items by `scores`, float [Q, items], without the items that each user has: int32 [Q, 10]."""
    scores[task.counts[task.users].nonzero()] = -np.inf
    first = np.argpartition(scores, -PLACES)[:, -PLACES:].astype(np.int32)
    return np.take_along_axis(first, np.argsort(-np.take_along_axis(scores, first, 1), kind="stable"), 1)


def judge(task: Task, slates: Ints) -> Doubles:
    """Compute nDCG, recall and hit rate of each user: float64 [Q, 3]."""
    hits = np.take_along_axis(task.hidden.toarray() > 0, slates, 1)
    relevant = task.hidden.getnnz(axis=1)
    discounts = 1 / np.log2(np.arange(PLACES) + 2)
    ideal = np.cumsum(discounts)[np.minimum(relevant, PLACES) - 1]
    return np.column_stack((hits @ discounts / ideal, hits.sum(axis=1) / relevant, hits.any(axis=1)))


def on_lastfm2k() -> list[Plain]:
    """Return the ways on the published folds of Last.fm-2k, with parameters chosen on validation pairs."""
    return [
        Plain("most popular", "popularity", popular(), 0.068),
        Plain("implicit ALS, 64", "als-64", als(mean_logs, factors=64, regularization=40, alpha=10, iterations=10)),
        Plain("implicit ALS, 128", "als-128", als(mean_logs, factors=128, regularization=50, alpha=10, iterations=10)),
        Plain("implicit BPR", "bpr", bpr(factors=64, learning_rate=0.02, regularization=0.01, iterations=100), 0.126),
        Plain("implicit cosine", "item-knn", item_knn("CosineRecommender", mean_logs, 1000)),
        Plain("implicit BM25", "item-knn", item_knn("BM25Recommender", logs, 1000)),
        Plain("user kNN in scipy", "user-knn", user_knn(30), 0.185),
        Plain("P3alpha in scipy", "p3alpha", rp3beta(logs, 1.4, 0.0, 1000)),
        Plain("RP3beta in scipy", "rp3beta", rp3beta(binary, 0.8, 0.3, 200)),
        Plain("EASE in numpy", "ease", ease(mean_logs, 40), 0.1955),
        Plain("EASE with tag rows in numpy", "ease-tags", ease(mean_logs, 80, tag_rows=0.5)),
    ]


def on_movielens() -> list[Plain]:
    """Return the ways on ten random folds of MovieLens, with parameters chosen on validation pairs."""
    return [
        Plain("most popular", "popularity", popular()),
        Plain("implicit ALS, 64", "als-64", als(binary, factors=64, regularization=60, alpha=10, iterations=15)),
        Plain("implicit ALS, 128", "als-128", als(binary, factors=128, regularization=60, alpha=10, iterations=15)),
        Plain("implicit BPR", "bpr", bpr(factors=64, learning_rate=0.05, regularization=0.05, iterations=200)),
        Plain("implicit cosine", "item-knn", item_knn("CosineRecommender", binary, 50)),
        Plain("implicit TF-IDF", "item-knn", item_knn("TFIDFRecommender", binary, 50)),
        Plain("user kNN in scipy", "user-knn", user_knn(100)),
        Plain("P3alpha in scipy", "p3alpha", rp3beta(binary, 1.5, 0.0, 200)),
        Plain("RP3beta in scipy", "rp3beta", rp3beta(binary, 1.0, 0.3, 200)),
        Plain("EASE in numpy", "ease", ease(binary, 250)),
        Plain("EASE with tag rows in numpy", "ease-tags", ease(binary, 250, tag_rows=0.5)),
    ]


WAYS: Mapping[str, Callable[[], list[Plain]]] = {"lastfm2k-folds": on_lastfm2k, "movielens-folds": on_movielens}
"""Name of a config -> function that returns its ways."""


def folds(experiment: CheckedExperiment) -> Iterator[Fold]:
    """Yield the folds on which `hybridrec run` evaluates."""
    return folds_of(experiment, experiment.reader.read())


def validation(experiment: CheckedExperiment) -> Fold:
    """Return the first fold on which `hybridrec run --validation` evaluates."""
    return validation_fold(experiment, next(folds(experiment)), "validation queries")


def measure(ways: list[Plain], asked: Iterable[Fold]) -> Iterator[tuple[Plain, Doubles]]:
    """Yield each way with its mean nDCG, recall and hit rate over the users of the folds `asked`: float64 [3]."""
    tasks = [Task.of(fold) for fold in asked]
    with threadpool_limits(limits=1):
        for way in ways:
            yield way, np.concatenate([judge(task, way.recommend(task)) for task in tasks]).mean(axis=0)


def table(arms: Mapping[str, PipelineReport], measured: Iterable[tuple[Plain, Doubles]]) -> str:
    """Render a table of each way and the corresponding system of hybridrec, with the ratio of nDCG@10."""
    head = ["plain calls", *METRICS, "system", *METRICS, "nDCG over plain", "nDCG published"]
    rows = [head, ["---", *["---:"] * 3, "---", *["---:"] * 5]]
    for way, plain in measured:
        ours = [arms[way.ours].metrics[metric].mean or 0.0 for metric in METRICS]
        published = "" if way.published is None else f"{way.published:.4f}"
        figures = [[f"{value:.4f}" for value in values] for values in (plain, ours)]
        rows.append([way.name, *figures[0], f"`{way.ours}`", *figures[1], f"{ours[0] / plain[0]:.3f}", published])
    return markdown(rows)


def main() -> None:
    """Print the results of the plain calls on validation pairs."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.systems.plain", description=__doc__)
    parser.add_argument("name", choices=WAYS)
    name = parser.parse_args().name
    experiment = load_experiment(CONFIGS / f"{name}.yaml", Registry())
    for way, figures in measure(WAYS[name](), [validation(experiment)]):
        print(f"{way.name:30} " + "  ".join(f"{value:.4f}" for value in figures), flush=True)


if __name__ == "__main__":
    main()
