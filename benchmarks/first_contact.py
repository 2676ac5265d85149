"""First contact with data: the untouched config of `hybridrec init`, beside plain calls of libraries on the same split.

    python -m benchmarks.first_contact [NAME...] [--data FOLDER] [--write]

Each set is given as its raw files; `init` infers what they are, `run` carries its config out, and the plain calls get
the training part and the histories of the very queries of that run. Sets that are not there are passed over and named.
With `--write` the table in docs/your-data.md is made anew.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl
import yaml
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

import hybridrec
from benchmarks.readme import ROOT, markdown, write
from hybridrec.config.load import load_experiment
from hybridrec.config.starter import starting_config
from hybridrec.data.splits.base import Fold
from hybridrec.engine.folds import folds_of
from hybridrec.engine.runner import read
from hybridrec.registry.discovery import Registry
from hybridrec.stages import kernels
from hybridrec.types import Doubles, Floats, Ints, Sparse

DEPTH = 10
SHARED = ROOT.parent / "shared" / "data"


@dataclass(frozen=True, slots=True)
class DataFiles:
    """A data set as published: its files below the folder of data, and the roles that `init` must find.

    user, item: columns of the interactions; empty where a reader recognises the set
    """

    files: tuple[str, ...]
    user: str = ""
    item: str = ""
    time: str | None = None
    split: str = ""


SETS = {
    "ratings": DataFiles(
        ("movielens-latest-small/ratings.csv", "movielens-latest-small/movies.csv"),
        "userId",
        "movieId",
        "timestamp",
        "random",
    ),
    "listening": DataFiles(
        ("lastfm2k/user_artists.dat", "lastfm2k/artists.dat"), "//userID", "artistID", None, "random"
    ),
    "retail": DataFiles(("retail/online_retail.parquet",), "CustomerID", "StockCode", "InvoiceDate", "temporal"),
    "restaurants": DataFiles(
        ("restaurants/rating_final.csv", "restaurants/geoplaces2.csv"), "userID", "placeID", None, "random"
    ),
    "radio": DataFiles(("radio/classic_rock_raw_data.csv",), "callsign", "song", "time", "temporal"),
    "films": DataFiles(
        ("movietweetings/50K/ratings.dat", "movietweetings/50K/movies.dat"), "column1", "column2", "column4", "temporal"
    ),
}


@dataclass(frozen=True, slots=True)
class Result:
    """The result on one set: whether roles were found, seconds from files to verdict, nDCG of all ways, the verdict."""

    name: str
    roles: bool
    seconds: float
    ours: Doubles
    plain: dict[str, Doubles]

    def row(self) -> list[str]:
        """Return the cells of the table."""
        means = {name: float(values.mean()) for name, values in self.plain.items()}
        best = max(means, key=lambda name: means[name])
        low, high = _interval(self.ours - self.plain[best])
        ratio = float(self.ours.mean()) / means[best]
        cells = [f"{means[name]:.4f}" for name in WAYS]
        return [
            self.name,
            f"{len(self.ours):,}",
            "yes" if self.roles else "no",
            f"{self.seconds:.0f}",
            *cells,
            f"**{self.ours.mean():.4f}**",
            f"{ratio:.3f} of {best} ({low:+.4f} to {high:+.4f})",
        ]


def _interval(differences: Doubles) -> tuple[float, float]:
    """Return the 95 % interval of the mean difference by the bootstrap over queries."""
    rng = np.random.default_rng(1)
    means = [differences[rng.integers(len(differences), size=len(differences))].mean() for _ in range(1000)]
    return float(np.percentile(means, 2.5)), float(np.percentile(means, 97.5))


Recommend = Callable[[Sparse, Sparse, bool], Ints]
"""A plain way: training rows, histories of the queries, and whether these may be recommended -> int [Q, DEPTH]."""


def popular(rows: Sparse, histories: Sparse, seen: bool) -> Ints:
    """Recommend the items with most users."""
    scores = np.tile(rows.getnnz(axis=0).astype(np.float32), (histories.shape[0], 1))
    return _best(scores, histories, seen)


def als(rows: Sparse, histories: Sparse, seen: bool) -> Ints:
    """Recommend by implicit's AlternatingLeastSquares with its defaults."""
    from implicit.cpu.als import AlternatingLeastSquares

    model = AlternatingLeastSquares(random_state=1, num_threads=1)
    return _recommended(model, rows, histories, seen, recalculate_user=True)


def neighbours(kind: str) -> Recommend:
    """Return a way that recommends by a neighbour model of implicit with its defaults."""

    def recommend(rows: Sparse, histories: Sparse, seen: bool) -> Ints:
        from implicit import nearest_neighbours

        return _recommended(getattr(nearest_neighbours, kind)(num_threads=1), rows, histories, seen)

    return recommend


def ease(rows: Sparse, histories: Sparse, seen: bool) -> Ints:
    """Recommend by EASE in numpy, with the customary regularization of 500."""
    gram = (rows.T @ rows).toarray().astype(np.float64)
    gram[np.diag_indices_from(gram)] += 500
    inverse = np.linalg.inv(gram)
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return _best((histories @ weights).astype(np.float32), histories, seen)


WAYS: dict[str, Recommend] = {
    "popularity": popular,
    "ALS": als,
    "cosine": neighbours("CosineRecommender"),
    "TF-IDF": neighbours("TFIDFRecommender"),
    "BM25": neighbours("BM25Recommender"),
    "EASE": ease,
}


def _recommended(model: Any, rows: Sparse, histories: Sparse, seen: bool, **options: bool) -> Ints:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # neighbour models warn of a conversion of their own
        model.fit(rows, show_progress=False)
    users = np.arange(histories.shape[0])
    ids, scores = model.recommend(users, histories, N=DEPTH, filter_already_liked_items=not seen, **options)
    return np.where(np.isfinite(scores) & (scores > -1e30), ids, -1).astype(np.int32)


def _best(scores: Floats, histories: Sparse, seen: bool) -> Ints:
    if not seen:
        scores[kernels.csr_rows(histories), histories.indices] = -np.inf
    return np.argsort(-scores, axis=1, kind="stable")[:, :DEPTH].astype(np.int32)


def ndcg(ids: Ints, truth: Sparse) -> Doubles:
    """Return nDCG@DEPTH with binary relevance: float64 [Q]."""
    discounts = 1 / np.log2(np.arange(2, DEPTH + 2))
    hits = kernels.hits(ids, truth)
    ideal = np.cumsum(discounts)[np.minimum(truth.getnnz(axis=1), DEPTH) - 1]
    return (hits * discounts[: ids.shape[1]]).sum(axis=1) / ideal


def contact(name: str, files: DataFiles, data: Path) -> Result:
    """Infer a config for a data set, run it untouched, and measure the plain ways on its folds."""
    with TemporaryDirectory() as place:
        started = time.perf_counter()
        registry = Registry()
        folder = Path(place)
        _, text = starting_config([data / file for file in files.files], folder, registry)
        path = folder / "experiment.yaml"
        path.write_text(text, encoding="utf-8")
        run = hybridrec.run(path, runs=folder / "runs", store=folder / "store")
        seconds = time.perf_counter() - started
        content = yaml.safe_load(text)
        values = run.per_query().filter(pl.col("pipeline") == "hybrid")["ndcg@10"].to_numpy()
        experiment = load_experiment(path, registry)
        seen = content["split"].get("seen") == "allow"
        folds = list(folds_of(experiment, read(experiment)))
        with threadpool_limits(1):
            plain = {way: np.concatenate(list(_measured(recommend, folds, seen))) for way, recommend in WAYS.items()}
        return Result(name, _right(content, files), seconds, values, plain)


def _measured(recommend: Recommend, folds: Sequence[Fold], seen: bool) -> Iterator[Doubles]:
    for fold in folds:
        rows = _binary(fold.train.interactions.matrix())
        histories = _binary(fold.queries.history.matrix())
        yield ndcg(recommend(rows, histories, seen), fold.truth["items"])


def _binary(matrix: Sparse) -> Sparse:
    ones = np.ones(matrix.nnz, np.float32)
    return csr_matrix((ones, matrix.indices.copy(), matrix.indptr.copy()), shape=matrix.shape)


def _right(content: dict[str, Any], files: DataFiles) -> bool:
    """Return True if the config names the roles that were written down."""
    if not files.user:
        return content["data"]["reader"] != "table"
    mapping = content["data"]["interactions"]
    roles = (mapping["user"], mapping["item"], mapping.get("time"), content["split"]["use"])
    return roles == (files.user, files.item, files.time, files.split)


def main() -> None:
    """Print the table of the named sets, or of all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.first_contact", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *SETS], metavar="NAME", help=", ".join(SETS))
    parser.add_argument("--data", type=Path, default=SHARED, help="folder of the data sets (%(default)s)")
    parser.add_argument("--write", action="store_true", help="write the table into docs/your-data.md")
    asked = parser.parse_args()
    rows = []
    for name in asked.names or SETS:
        absent = [file for file in SETS[name].files if not (asked.data / file).exists()]
        if absent:
            print(f"{name}: {asked.data / absent[0]} is not there")
            continue
        rows.append(contact(name, SETS[name], asked.data).row())
        print("  ".join(rows[-1]), flush=True)
    if asked.write and rows:
        head = ["data", "queries", "roles right", "seconds", *WAYS, "`init`", "against the best"]
        table = markdown([head, ["---"] * len(head), *rows])
        write(ROOT / "docs" / "your-data.md", {"first-contact": table})


if __name__ == "__main__":
    main()
