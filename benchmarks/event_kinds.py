"""Dislikes and events of other kinds, measured: do they make slates better than likes alone?

    python -m benchmarks.event_kinds [--data FOLDER] [--write]

Films: ratings of 4 and more are likes, those below 3 dislikes. Shop: purchases, and cancellations as dislikes. Artists:
plays are the truth, taggings of the same users are further events. `--write` renews the table in docs/your-data.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.first_contact import DEPTH, SHARED, ndcg
from benchmarks.readme import ROOT, markdown, write
from hybridrec import Component, Dataset, QueryBatch, Registry
from hybridrec.config.load import load_experiment
from hybridrec.data.dataset import contains, pair_keys
from hybridrec.data.readers.table import TableOptions, TableReader
from hybridrec.data.splits.base import Fold
from hybridrec.engine.folds import folds_of
from hybridrec.inference.threads import one_thread_per_library
from hybridrec.stages.candidates import Exclude
from hybridrec.types import PADDING, Bools, Ints

FACTORS = {"factors": 32}


def films(folder: Path) -> Dataset:
    """Read the likes and dislikes of MovieLens."""
    ratings = folder / "movielens-latest-small" / "ratings.csv"
    source = {"path": str(ratings), "user": "userId", "item": "movieId", "weight": "rating"}
    return _read({"interactions": source, "weight": {"threshold": 4, "dislike": 2.5, "transform": "binary"}})


def shop(folder: Path) -> Dataset:
    """Read the purchases of the shop by customers whose number is known; a cancellation takes a purchase back."""
    lines = pl.scan_parquet(folder / "retail" / "online_retail.parquet")
    kind = pl.when(pl.col("InvoiceNo").cast(pl.String).str.starts_with("C")).then(pl.lit("cancel"))
    frame = lines.select("CustomerID", "StockCode", kind=kind.otherwise(pl.lit("buy"))).drop_nulls().collect()
    source = {"path": "frame:lines", "user": "CustomerID", "item": "StockCode", "event": "kind"}
    options = {"interactions": source, "kinds": {"buy": 1, "cancel": -1}}
    return _read(options, lines=frame)


def artists(folder: Path) -> Dataset:
    """Read plays, which are the truth, and taggings, which only add to the histories."""
    plays = {"path": str(folder / "lastfm2k" / "user_artists.dat"), "user": "//userID", "item": "artistID"}
    taggings = {**plays, "user": "userID", "path": str(folder / "lastfm2k" / "user_taggedartists.dat")}
    form: dict[str, Any] = {"format": "tsv", "quote": None, "encoding": "latin-1"}
    events = {"tag": {**taggings, **form}}
    options = {"interactions": {**plays, **form, "event_kind": "play"}, "events": events, "asked": ["play"]}
    return _read(options)


def _read(options: dict[str, Any], **frames: pl.DataFrame) -> Dataset:
    reader = TableReader(TableOptions.model_validate(options))
    reader.frames = frames
    return reader.read()


@dataclass(frozen=True, slots=True)
class Way:
    """A way to use dislikes or other events: `informed` trains on them, `excluded` keeps dislikes out of slates."""

    name: str
    component: str
    informed: bool
    excluded: bool = False


DISLIKES = (
    Way("`als`, likes alone", "als", informed=False),
    Way("`als`, dislikes kept out of slates", "als", informed=False, excluded=True),
    Way("`wmf`, likes alone", "wmf", informed=False),
    Way("`wmf`, dislikes kept out of slates", "wmf", informed=False, excluded=True),
    Way("`wmf`, dislikes learned and kept out", "wmf", informed=True, excluded=True),
)
KINDS = (
    Way("`als`, the asked kind alone", "als", informed=False),
    Way("`als`, the other kind informs", "als", informed=True),
    Way("`ease`, the asked kind alone", "ease", informed=False),
    Way("`ease`, the other kind informs", "ease", informed=True),
)
SETS = {"films": (films, DISLIKES), "shop": (shop, DISLIKES), "artists": (artists, KINDS)}


def rows(name: str, data: Dataset, ways: tuple[Way, ...]) -> Iterator[list[str]]:
    """Yield a row of the table for each way, on a random fifth of the (user, item) pairs of the data set."""
    content = {
        "name": "kinds",
        "data": {"reader": "setlists"},  # not read: the data are given
        "split": {"use": "random", "test": 0.2},
        "components": {"popularity": {}},
        "pipelines": {"control": {"generators": [{"from": "popularity"}]}},
        "compare": {"metrics": ["ndcg@10"]},
    }
    (fold,) = folds_of(load_experiment(content, Registry()), data)
    first: dict[str, Any] = {}
    for way in ways:
        slates = slates_of(fold, way)
        values = ndcg(slates, fold.truth["items"])
        before = first.setdefault(way.component, values)
        change = "" if before is values else interval(values - before)
        disliked = f"{holds_hidden_dislike(slates, fold, data).mean():.1%}" if data.dislikes is not None else ""
        yield [name, f"{len(values):,}", way.name, f"{values.mean():.4f}", change, disliked]


def slates_of(fold: Fold, way: Way) -> Ints:
    """Return the best items of the way's component, without the items of the history: int32 [Q, DEPTH]."""
    train, queries = fold.train, fold.queries
    if not way.informed:
        train, queries = replace(train, dislikes=None), replace(queries, disliked=None)
        if train.interactions.targets is not None:
            history = queries.history
            train = replace(train, interactions=train.interactions.where(train.interactions.targets))
            queries = replace(queries, history=history.where(history.targets))
    seen = fold.queries.history.matrix(binary=True)
    if way.excluded and fold.queries.disliked is not None:
        seen = (seen + fold.queries.disliked.matrix(binary=True)).tocsr()
    with one_thread_per_library():
        component = fitted(way.component, train)
        return component.candidates(queries, DEPTH, "items", Exclude(seen)).ids


def fitted(name: str, train: Dataset) -> Any:
    """Fit a component with its defaults; all components that have vectors get the same number of dimensions."""
    cls: type[Component] = Registry().get("components", name)
    options = FACTORS if "factors" in cls.Config.model_fields else {}
    return cls(cls.Config.model_validate(options)).fit(train, np.random.default_rng(1))


def holds_hidden_dislike(slates: Ints, fold: Fold, data: Dataset) -> Bools:
    """Return True for the slates with an item that the user dislikes, and that the query does not show: bool [Q]."""
    assert data.dislikes is not None
    width, dislikes = data.dislikes.width, data.dislikes.take(fold.units)
    shown: QueryBatch = fold.queries
    hidden = pair_keys(dislikes.rows, dislikes.ids, width)
    if shown.disliked is not None:
        hidden = hidden[~contains(pair_keys(shown.disliked.rows, shown.disliked.ids, width), hidden)]
    keys = pair_keys(np.repeat(np.arange(len(slates), dtype=np.int32), slates.shape[1]), slates.ravel(), width)
    return (contains(hidden, keys).reshape(slates.shape) & (slates != PADDING)).any(axis=1)


def interval(changes: Any) -> str:
    """Render the mean of paired differences and its 95 % interval, by the normal approximation."""
    half = 1.96 * changes.std(ddof=1) / np.sqrt(len(changes))
    return f"{changes.mean():+.4f} ({changes.mean() - half:+.4f} to {changes.mean() + half:+.4f})"


def main() -> None:
    """Measure the data sets that exist in the folder, print the table, and with `--write` write it into the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.event_kinds")
    parser.add_argument("--data", type=Path, default=SHARED, help="folder of the data sets (%(default)s)")
    parser.add_argument("--write", action="store_true", help="renew the table in docs/your-data.md")
    asked = parser.parse_args()
    table = [["data", "queries", "way", "nDCG@10", "against the first way", "slates with a hidden dislike"]]
    table.append(["---"] * len(table[0]))
    for name, (load, ways) in SETS.items():
        try:
            data = load(asked.data)
        except (OSError, pl.exceptions.PolarsError) as error:
            print(f"{name}: {error}")
            continue
        for row in rows(name, data, ways):
            print("  ".join(row), flush=True)
            table.append(row)
    if asked.write:
        write(ROOT / "docs" / "your-data.md", {"event-kinds": markdown(table)})


if __name__ == "__main__":
    main()
